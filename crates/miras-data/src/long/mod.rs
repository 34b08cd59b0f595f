//! Long rows that are made of little: a haystack that repeats, and what is hidden in it.

mod haystack;
mod needle;
pub(crate) mod planted;
mod row;
pub(crate) mod rows;
mod words;

pub use haystack::{Background, Haystack};
pub use needle::{Hidden, NeedleKind, Needles};
pub use row::Row;
pub use rows::NeedleConfig;
