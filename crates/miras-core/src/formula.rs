//! Elementwise mathematics as data: what a bias, a link or an activation computes, and what
//! follows from it.

mod run;
mod term;

use std::{fmt, sync::Arc};

use burn::tensor::Tensor;
pub use term::Term;

/// Numbers computed out of [symbols](Symbol), each by operations in order over what earlier ones
/// gave.
///
/// Values, and what a backward pass over them keeps, are read off it. One formula may have several
/// values, which share what they have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    operations: Vec<Operation>,
    extents: Vec<Extent>,
    values: Vec<usize>,
}

/// What a formula is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// What the memory recalls under the key that a value is written under, `y`.
    Recalled,
    /// What it recalls under the erase key.
    Erased,
    /// The value to be recalled, `v`.
    Value,
    /// A data-dependent gate.
    Gate(&'static str),
    /// The argument of a link or an activation: the state of a map, its weights, a feature.
    Argument,
}

/// How many numbers a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// One for all rows: `[n, g, 1, 1]`.
    All,
    /// One for each row, of a token's features or of a map: `[n, g, c, 1]`.
    Row,
    /// One for each feature: `[n, g, c, d]`.
    Each,
}

/// One operation; its operands are earlier ones, by their places.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// What a symbol stands for.
    Symbol(Symbol),
    /// `f(x)` of each number.
    Function(Function, usize),
    /// Of two numbers; the one with fewer numbers is repeated along the other.
    Pair(Pair, usize, usize),
    /// `x` where `left ≤ right`, elsewhere `otherwise`; no gradient flows to what is compared.
    Where {
        /// Compared with `right`.
        left: usize,
        /// Compared with `left`.
        right: usize,
        /// What is taken where the comparison holds.
        x: usize,
        /// What is taken where it does not.
        otherwise: usize,
    },
    /// The sum over each row, or over all of them.
    Sum(usize, Extent),
    /// The mean over each row, or over all of them.
    Mean(usize, Extent),
    /// `exp(x) / Σ exp(x)` over each row.
    Softmax(usize),
    /// The logarithm of the softmax.
    LogSoftmax(usize),
    /// A function on tensors of some operands.
    ByHand(ByHand, Vec<usize>),
}

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `s x`.
    Scale(f64),
    /// `x + s`.
    Shift(f64),
    /// `x²`.
    Square,
    /// `x^p` of a number above 0.
    Power(f64),
    /// `√x`.
    Sqrt,
    /// `1/x`.
    Recip,
    /// `eˣ`.
    Exp,
    /// `tanh x`.
    Tanh,
    /// `atan x`.
    Atan,
    /// `erf x`.
    Erf,
    /// `1/(1 + e⁻ˣ)`.
    Sigmoid,
    /// `log(1 + eˣ)`.
    Softplus,
    /// `max(x, 0)`, of slope 0 at 0.
    Relu,
    /// `|x|`.
    Abs,
    /// The sign of x; 0 at 0.
    Sign,
    /// `max(x, s)`.
    AtLeast(f64),
    /// `min(x, s)`.
    AtMost(f64),
    /// `dᵖ x` where rows have `d` numbers.
    TimesRowLength(f64),
}

/// A function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// `a + b`.
    Sum,
    /// `a − b`.
    Difference,
    /// `a b`.
    Product,
    /// `a/b`.
    Quotient,
    /// The smaller.
    Min,
    /// The larger.
    Max,
}

impl Formula {
    /// The operations in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// How many numbers each operation gives.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// The places of the operations that give the values.
    pub fn values(&self) -> &[usize] {
        &self.values
    }

    /// Whether a backward pass keeps what a symbol stands for.
    pub fn keeps(&self, symbol: Symbol) -> bool {
        let is_symbol = |operation: &Operation| *operation == Operation::Symbol(symbol);
        (self.operations.iter().zip(self.needed()))
            .any(|(operation, kept)| kept && is_symbol(operation))
    }

    /// Whether it keeps one of the values.
    pub fn keeps_value(&self, value: usize) -> bool {
        self.needed()[self.values[value]]
    }

    /// How many numbers for each feature it keeps of what is computed between the symbols and the
    /// values. One number for a row or for all of them is not counted.
    pub fn kept_between(&self) -> usize {
        let of_operation = |(at, operation): (usize, &Operation)| {
            let is_between =
                !matches!(operation, Operation::Symbol(_)) && !self.values.contains(&at);
            usize::from(is_between && self.needed()[at]) + operation.kept_inside()
        };
        (self.operations.iter().enumerate())
            .filter(|(at, _)| self.extents[*at] == Extent::Each)
            .map(of_operation)
            .sum()
    }

    /// Of each operation, whether a backward pass needs its value: as the argument of a function
    /// that is not linear, or as the factor of a product.
    fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.operations.len()];
        for (at, operation) in self.operations.iter().enumerate() {
            match operation {
                Operation::Function(Function::Sigmoid | Function::Relu, _) => needed[at] = true,
                Operation::Function(function, x) => needed[*x] |= function.keeps_argument(),
                Operation::Pair(Pair::Product | Pair::Quotient, ..)
                | Operation::Softmax(_)
                | Operation::LogSoftmax(_)
                | Operation::ByHand(..) => {
                    for operand in operation.operands() {
                        needed[operand] = true;
                    }
                }
                Operation::Symbol(_)
                | Operation::Pair(..)
                | Operation::Where { .. }
                | Operation::Sum(..)
                | Operation::Mean(..) => {}
            }
        }
        needed
    }
}

impl Operation {
    /// What it is computed from.
    pub fn operands(&self) -> Vec<usize> {
        match self {
            Self::Symbol(_) => Vec::new(),
            Self::Function(_, x)
            | Self::Sum(x, _)
            | Self::Mean(x, _)
            | Self::Softmax(x)
            | Self::LogSoftmax(x) => vec![*x],
            Self::Pair(_, a, b) => vec![*a, *b],
            Self::Where {
                left,
                right,
                x,
                otherwise,
            } => vec![*left, *right, *x, *otherwise],
            Self::ByHand(_, operands) => operands.clone(),
        }
    }

    /// What it keeps beside operands: a softmax its exponentials, a softplus both arguments of
    /// `log1p(exp(x))`. One by hand is taken to keep as much.
    fn kept_inside(&self) -> usize {
        match self {
            Self::Softmax(_) | Self::ByHand(..) => 1,
            Self::Function(Function::Softplus, _) => 2,
            _ => 0,
        }
    }
}

impl Function {
    /// Whether a backward pass keeps its argument.
    fn keeps_argument(self) -> bool {
        !matches!(
            self,
            Self::Scale(_)
                | Self::Shift(_)
                | Self::Sign
                | Self::AtLeast(_)
                | Self::AtMost(_)
                | Self::TimesRowLength(_)
                | Self::Softplus
                | Self::Sigmoid
                | Self::Relu
        )
    }
}

/// A function on tensors, for what the other operations lack.
#[derive(Clone)]
pub struct ByHand(Arc<TensorFunction>);

/// From operands to a value.
type TensorFunction = dyn Fn(&[Tensor<4>]) -> Tensor<4> + Send + Sync;

impl fmt::Debug for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByHand")
    }
}

impl PartialEq for ByHand {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
#[path = "formula/tests.rs"]
mod tests;
