//! Compares runs and sweeps: which variant is better, and can that be told at all.
//!
//! Runs that are the same except for their seed and for keys without an effect on results are one
//! *variant*; a file that a key names is identified by its checksum. A variant's value is the
//! mean, over its seeds, of the metric's last value in each run. Only runs that came to the end
//! their configuration asks for (their steps or their time limit) are in a mean; all others are
//! counted and listed with the reason. Runs that are still training are compared with the others
//! at the tokens that all have ([`CompareAt`]).
//!
//! Variants are compared with the best one by a t-test, two-sided, at 95 %, paired by seed where
//! both have the same seeds and Welch's elsewhere, with Holm's correction for the number of
//! tests. What cannot be told from the best is *within noise*. With fewer than three seeds on
//! either side the noise is unknown, and the verdict says so. The spread of an accuracy is
//! taken to be no smaller than one question. That the best is the best of all is not tested: it
//! was picked by the same values.
//!
//! Warnings name differences in tokens, parameters, data, devices and the program itself, where
//! more than the variant is compared.
//!
//! ```no_run
//! use std::path::{Path, PathBuf};
//!
//! use miras_compare::Comparison;
//!
//! # fn main() -> Result<(), miras_compare::CompareError> {
//! let comparison = Comparison::read(&[PathBuf::from("runs/depth")], None, None)?;
//! let best = &comparison.variants[0];
//! assert!(!best.label.is_empty());
//! comparison.write(Path::new("reports/depth"))?;
//! # Ok(())
//! # }
//! ```

mod axis;
mod comparison;
mod error;
mod evaluation;
mod group;
mod heat;
mod html;
mod input;
mod json;
mod later;
mod metric;
mod number;
mod outputs;
mod plot;
mod plots;
mod power;
mod reports;
mod rows;
mod run;
mod settings;
mod statistics;
mod styles;
mod table;
mod tables;
mod tasks;
mod text;
mod variant;
mod verdict;
mod warnings;

pub use comparison::Comparison;
pub use error::CompareError;
pub use evaluation::{Bin, Data, Evaluation, ExcludedReport, Occurrences, Pairs};
pub use group::CompareAt;
pub use heat::{HeatAxis, HeatMap, HeatMaps};
pub use input::Sweep;
pub use miras_run::Cost;
pub use miras_sweep::Trial;
pub use plot::Plot;
pub use run::{Point, Run, State};
pub use settings::Settings;
pub use statistics::{Difference, Sample, Seeds, holm};
pub use table::Table;
pub use tasks::TaskScores;
pub use variant::{Variant, Verdict};
pub use verdict::{Contrast, Pair};
