//! The comparison as text, Markdown, CSV and JSON.

mod csv;
mod fit;
mod json;
mod markdown;
pub(crate) mod more;
pub(crate) mod number;
pub(crate) mod rows;
mod text;
