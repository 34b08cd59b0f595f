//! The crate as its users see it: what they read is compared letter by letter.

mod annotated;
mod assigned;
mod files;
mod flags;
mod library;
mod lists;
mod merging;
mod names;
mod renamed;
mod several;
mod support;
mod syntax;
mod values;
