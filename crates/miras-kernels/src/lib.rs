//! The inner loop of a memory as one CPU operation in float32, forward and backward.

mod backward;
mod bias;
mod buffer;
mod cap;
mod chunk;
mod coefficients;
mod formula;
mod map;
mod math;
mod nodes;
mod norm;
mod product;
mod program;
mod rows;
mod scan;
mod solved;
mod start;
mod state;

pub use bias::Bias;
pub use formula::{Binary, Formula, FormulaError, Op, Unary};
pub use program::{Activation, Node, Program, ProgramError};
pub use scan::{Form, Gradients, Inputs, Order, Output, OutputGradients, Scan, Tape};
