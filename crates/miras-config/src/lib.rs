//! Strict, layered TOML configuration.
//!
//! A run is described by layers (built-in text, files with `extends`, `--set`
//! flags) that are merged into one [`Tree`]. Each part of the program takes its
//! own section out of the tree; a key that no part takes is an error. Every key
//! keeps the line that wrote it, and every error shows that line:
//!
//! ```text
//! error: unknown field `expansoin`, expected `depth` or `expansion`
//!  --> configs/run.toml:2:1  (memory.expansoin)
//!   |
//! 2 | expansoin = 4
//!   | ^^^^^^^^^
//!   = help: did you mean `expansion`?
//! ```
//!
//! ```
//! # fn main() -> Result<(), miras_config::ConfigError> {
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Mlp {
//!     depth: usize,
//! }
//!
//! let mut layers = miras_config::Layers::new();
//! layers.text("defaults", "[memory]\nkind = 'mlp'\ndepth = 2")?;
//! layers.set("memory.depth=3")?;
//!
//! let mut tree = layers.merge()?;
//! let kind: Option<String> = tree.value("memory.kind")?;
//! let mlp: Mlp = tree.at("memory").part()?;
//! let origins = tree.finish()?;
//!
//! assert_eq!((kind.as_deref(), mlp.depth), (Some("mlp"), 3));
//! assert_eq!(origins.of("memory.depth").unwrap().to_string(), "--set");
//! # Ok(())
//! # }
//! ```

mod annotate;
mod assigned;
mod assignment;
mod decode;
mod error;
mod explain;
mod extends;
mod fields;
mod flag;
mod hints;
mod layer;
mod layers;
mod library;
mod list;
mod marks;
mod old_names;
mod origin;
mod path;
mod problem;
mod renamed;
mod section;
mod suggest;
mod tree;

pub use annotate::annotated;
pub use assigned::Assigned;
pub use error::ConfigError;
pub use fields::fields_of;
pub use layers::Layers;
pub use library::Library;
pub use list::entry_path;
pub use origin::{Origin, Origins};
pub use path::{flat, index as item_path, join as key_path};
pub use renamed::{Renamed, present_name};
pub use section::Section;
pub use suggest::did_you_mean;
pub use tree::Tree;
