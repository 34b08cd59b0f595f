//! Reads TensorBoard event files back.

mod decode;
pub(crate) mod event;
mod read;
mod record;
mod summary;

pub use self::event::{Event, What};
pub use self::read::{event_files, read};
pub(crate) use self::summary::trim;
pub use self::summary::{Summary, summary};
