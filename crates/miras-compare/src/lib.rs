//! Compares runs and sweeps: which variant is better, and can that be told at all.
mod comparison;
mod error;
mod input;
mod table;

pub use comparison::{Comparison, Sample, Variant, Verdict, Welch, holm};
pub use error::CompareError;
pub use input::{Bin, Cost, Evaluation, Memory, Pairs, Point, Run, Settings, State, Sweep, Trial};
