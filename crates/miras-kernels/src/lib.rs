//! The inner loop of a memory, and what layers around it do, as CPU operations in float32, forward
//! and backward, without tensors.
//!
//! An [`Operation`] makes one array of some others, and gradients at these of one at the result. Of
//! layers there are [`Attention`], [`Convolution`], [`CrossEntropy`], [`Gate`], [`RmsNorm`],
//! [`Rotation`] and [`UnitRows`]: each one pass over its arrays, which keeps little or nothing beside
//! them. [`AdamW`] and [`sum_of_squares`] are for the optimiser's step. All others here are about the
//! inner loop.
//!
//! [`Scan`] describes a memory ([`Program`]), its bias ([`Bias`], of which [`Formula`] is the general
//! one), the link from states to weights ([`Link`]) and where gradients are taken ([`Form`]).
//! [`Scan::forward`] runs whole chunks of tokens through many memories at once, [`Scan::backward`]
//! gives the gradients of all that went in.
//! `miras_engine::dual` is the same over tensors and for all parts, and decides what is right.
//!
//! # Design of the inner loop
//! - A chunk's values are *columns*: a row for each feature, a column for each token, so that a sum
//!   over features is one of rows, a number of a token is a lane, and weights are read as they lie
//!   and broadcast against columns (`product.rs`). Nothing is packed, and one side of an outer
//!   product is turned, the smaller one.
//! - Step sizes are not multiplied into gradients but into the couplings of tokens.
//! - States are kept every few chunks ([`Scan::keep_every`]); the backward pass computes the rest
//!   again, chunk by chunk from the last to the first.
//! - A memory is computed by one thread, in an order that does not depend on others: results are
//!   the same bit for bit however many threads there are.
//! - Vectors are those of the machine it runs on: AVX-512, AVX2 or others that `pulp` knows.
//!
//! ```
//! use miras_kernels::{
//!     Bias, Caps, Form, Inputs, Link, Node, OutputGradients, Program, Read, Scan,
//! };
//!
//! // A matrix from 2 features to 3, four tokens in two chunks.
//! let scan = Scan {
//!     program: Program::new(2, &[[2, 3]], &[Node::Linear { map: 0, x: 0 }])?,
//!     bias: Bias::Affine { slope: 1.0 },
//!     chunk: 2,
//!     keep_every: 1,
//!     link: Link::Identity,
//!     anchored: false,
//!     momentum: false,
//!     form: Form::ChunkStart {
//!         read: Read::Exact,
//!         caps: Caps::default(),
//!     },
//! };
//! let (rows, values) = ([0.5; 8], [1.0; 12]);
//! let inputs = Inputs {
//!     q: &rows,
//!     k: &rows,
//!     v: &values,
//!     log_decay: &[-0.1; 4],
//!     step: &[0.2; 4],
//!     weights: vec![&[0.0; 6]],
//!     ..Inputs::default()
//! };
//! let (output, tape) = scan.forward(&inputs, true);
//! let of = OutputGradients {
//!     y: &[1.0; 12],
//!     ..OutputGradients::default()
//! };
//! let gradients = scan.backward(&inputs, &tape, &of);
//! assert_eq!((output.y.len(), gradients.step.len()), (12, 4));
//! # Ok::<(), miras_kernels::ProgramError>(())
//! ```

#![allow(
    clippy::inline_always,
    reason = "what works on vectors and is not inlined is compiled for a machine without them"
)]
#![allow(
    clippy::too_many_arguments,
    reason = "a pass has each of its operands as an argument"
)]

mod adamw;
mod adjoint;
mod attention;
mod bias;
mod buffer;
mod cap;
mod chunk;
mod coefficients;
mod convolution;
mod cross_entropy;
mod formula;
mod gate;
mod gradient_cap;
mod inputs;
mod interpreter;
mod link;
mod map;
mod math;
mod nodes;
mod norm;
mod operation;
mod packed;
mod product;
mod program;
mod rotation;
mod row_norm;
mod rows;
mod run;
mod scan;
mod solved;
mod squares;
mod start;
mod state;
mod state_cap;
mod targets;
mod weights;

pub use adamw::AdamW;
pub use attention::{Attended, Attention};
pub use bias::Bias;
pub use convolution::Convolution;
pub use cross_entropy::CrossEntropy;
pub use formula::{Binary, Formula, FormulaError, MapFormula, Op, Over, Unary};
pub use gate::Gate;
pub use inputs::{Gradients, Inputs, Output, OutputGradients, Tape};
pub use link::Link;
pub use operation::Operation;
pub use program::{Activation, Node, Program, ProgramError};
pub use rotation::Rotation;
pub use row_norm::{RmsNorm, UnitRows};
pub use scan::{Caps, Form, Order, Read, Scan};
pub use squares::sum_of_squares;
