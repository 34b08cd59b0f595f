//! What every valid combination of parts holds, in one test program.

mod contract;
mod engine;
mod goldens;
mod support;
