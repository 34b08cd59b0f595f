//! Functions of numbers as data: the gradient of a bias, and the link from the state of a map to
//! its weights. `interpreter.rs` computes them.

use std::fmt;

/// The gradient of an inner loss, `∂ℓ/∂y`, as operations in order; the last one gives it.
///
/// A value has a number for each feature of a token, or one for the token; the latter is meant for
/// all features where it meets the former.
///
/// ```
/// use miras_kernels::{Binary, Formula, Op, Unary};
///
/// // tanh(10 (y − v)), the gradient of an absolute error.
/// let l1 = Formula::new(&[
///     Op::Output,
///     Op::Value,
///     Op::Binary(Binary::Sub, 0, 1),
///     Op::Unary(Unary::Scale(10.0), 2),
///     Op::Unary(Unary::Tanh, 3),
/// ])?;
/// assert_eq!(l1.gates(), 0);
/// # Ok::<(), miras_kernels::FormulaError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    pub(crate) operations: Operations,
    gates: usize,
}

/// What a map's state `[d_in, d_out]` becomes, as operations in order; the last one gives it.
///
/// A value has a number for each entry, one for each row (of `d_out` entries), or one for the map.
///
/// ```
/// use miras_kernels::{MapFormula, Op, Over, Unary};
///
/// // 1/‖A‖, for weights of norm 1.
/// MapFormula::new(&[
///     Op::Argument,
///     Op::Unary(Unary::Square, 0),
///     Op::Sum(1, Over::All),
///     Op::Unary(Unary::Power(-0.5), 2),
/// ])?;
/// # Ok::<(), miras_kernels::FormulaError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MapFormula {
    pub(crate) operations: Operations,
}

/// An operation; its operands are numbers of earlier operations. Rows are the features of a token
/// or, in a [`MapFormula`], the rows of the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `y`, what the memory gives for the key.
    Output,
    /// `v`, what it should give.
    Value,
    /// A gate of the bias, one number a token.
    Gate(usize),
    /// The state of a map.
    Argument,
    /// `f(x)`.
    Unary(Unary, usize),
    /// `f(a, b)`.
    Binary(Binary, usize, usize),
    /// `dᵖ x` where rows have `d` numbers, and its power.
    TimesRowLength(usize, f32),
    /// `yes` where `a ≤ b`, else `no`; no gradient flows to what is compared.
    Select {
        /// What is compared.
        a: usize,
        /// With what.
        b: usize,
        /// Where `a ≤ b`.
        yes: usize,
        /// Elsewhere.
        no: usize,
    },
    /// The sum of each row, or of a map.
    Sum(usize, Over),
    /// The mean of each row, or of a map.
    Mean(usize, Over),
    /// `exp(x) / Σ exp(x)` over each row.
    Softmax(usize),
    /// Its logarithm.
    LogSoftmax(usize),
}

/// What a sum or a mean is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The features of a token, or the `d_out` entries of a row of a map.
    Row,
    /// A whole map.
    All,
}

/// A function of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unary {
    /// `c x`.
    Scale(f32),
    /// `x + c`.
    Shift(f32),
    /// `x²`.
    Square,
    /// `x^p` for `x > 0`.
    Power(f32),
    /// `√x`.
    Sqrt,
    /// `1 / x`.
    Recip,
    /// `tanh x`.
    Tanh,
    /// `atan x`.
    Atan,
    /// `eˣ`.
    Exp,
    /// `|x|`, of slope 0 at 0.
    Abs,
    /// −1, 0 or 1.
    Sign,
    /// `log(1 + eˣ)`.
    Softplus,
    /// `max(x, c)`.
    AtLeast(f32),
    /// `min(x, c)`.
    AtMost(f32),
}

/// A function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a − b`.
    Sub,
    /// `a b`.
    Mul,
    /// `a / b`.
    Div,
    /// The smaller one.
    Min,
    /// The larger one.
    Max,
}

/// Why operations are no formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormulaError(String);

impl fmt::Display for FormulaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormulaError {}

/// Operations in order, and how many numbers each gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operations {
    pub(crate) ops: Vec<Op>,
    pub(crate) extents: Vec<Extent>,
}

/// How many numbers a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// One for a map.
    All,
    /// One for each row.
    Row,
    /// One for each entry of a row.
    Each,
}

impl Op {
    fn operands(self) -> Vec<usize> {
        match self {
            Self::Output | Self::Value | Self::Gate(_) | Self::Argument => Vec::new(),
            Self::Unary(_, x)
            | Self::TimesRowLength(x, _)
            | Self::Sum(x, _)
            | Self::Mean(x, _)
            | Self::Softmax(x)
            | Self::LogSoftmax(x) => vec![x],
            Self::Binary(_, a, b) => vec![a, b],
            Self::Select { a, b, yes, no } => vec![a, b, yes, no],
        }
    }
}

impl Operations {
    fn new(ops: &[Op]) -> Result<Self, FormulaError> {
        let mut extents: Vec<Extent> = Vec::new();
        for (at, op) in ops.iter().enumerate() {
            let operands = op.operands();
            if let Some(late) = operands.iter().find(|x| **x >= at) {
                return refuse(format!(
                    "operation {at} needs value {late} before it is made"
                ));
            }
            extents.push(match *op {
                Op::Output | Op::Value | Op::Argument => Extent::Each,
                Op::Gate(_) => Extent::Row,
                Op::Sum(_, over) | Op::Mean(_, over) => match over {
                    Over::Row => Extent::Row,
                    Over::All => Extent::All,
                },
                _ => {
                    let widest = operands.iter().map(|x| extents[*x]).max();
                    widest.expect("the others have operands")
                }
            });
        }
        Ok(Self {
            ops: ops.to_vec(),
            extents,
        })
    }

    /// The first one that is not as it should be.
    fn position(&self, f: impl Fn(&Op) -> bool) -> Option<usize> {
        self.ops.iter().position(f)
    }
}

impl Formula {
    /// The formula of these operations.
    pub fn new(ops: &[Op]) -> Result<Self, FormulaError> {
        let operations = Operations::new(ops)?;
        let of_map = |op: &Op| {
            matches!(
                op,
                Op::Argument | Op::Sum(_, Over::All) | Op::Mean(_, Over::All)
            )
        };
        if let Some(at) = operations.position(of_map) {
            return refuse(format!("operation {at} is one of a map"));
        }
        if operations.extents.last() != Some(&Extent::Each) {
            return refuse("the last operation has no number for each feature".into());
        }
        let gates = ops.iter().map(|op| match op {
            Op::Gate(gate) => gate + 1,
            _ => 0,
        });
        Ok(Self {
            gates: gates.max().unwrap_or(0),
            operations,
        })
    }

    /// How many gates it reads.
    pub fn gates(&self) -> usize {
        self.gates
    }
}

impl MapFormula {
    /// The formula of these operations, whose last one gives one number, or one for each entry.
    pub fn new(ops: &[Op]) -> Result<Self, FormulaError> {
        let operations = Operations::new(ops)?;
        let of_bias = |op: &Op| matches!(op, Op::Output | Op::Value | Op::Gate(_));
        if let Some(at) = operations.position(of_bias) {
            return refuse(format!("operation {at} is one of a bias"));
        }
        if matches!(operations.extents.last(), None | Some(Extent::Row)) {
            return refuse("the last operation gives neither one number nor a map".into());
        }
        Ok(Self { operations })
    }

    /// Whether it gives one number.
    pub fn is_number(&self) -> bool {
        self.operations.extents.last() == Some(&Extent::All)
    }

    /// Whether it looks at the rows of a map, rather than at its entries in any order.
    pub(crate) fn has_rows(&self) -> bool {
        let of_rows = |op: &Op| {
            matches!(
                op,
                Op::Sum(_, Over::Row) | Op::Mean(_, Over::Row) | Op::Softmax(_) | Op::LogSoftmax(_)
            )
        };
        self.operations.position(of_rows).is_some()
    }
}

fn refuse<T>(message: String) -> Result<T, FormulaError> {
    Err(FormulaError(message))
}
