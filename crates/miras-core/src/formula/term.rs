//! Writing a formula.

use std::{
    ops::{Add, Div, Mul, Neg, Sub},
    sync::Arc,
};

use burn::tensor::Tensor;

use super::{ByHand, Extent, Formula, Function, Operation, Pair, Symbol};

/// A term of a [`Formula`]; one that is used twice is computed once.
///
/// ```
/// use miras_core::{Extent, Term};
///
/// // Huber's gradient by the norm of the error, e min(1, δ/‖e‖).
/// let e = Term::error();
/// let norm = e.square().sum(Extent::Row).sqrt();
/// let gradient = &e * (Term::gate("delta") / norm).at_most(1.0);
/// assert_eq!(gradient.extent(), Extent::Each);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Term(Arc<Node>);

#[derive(Debug)]
struct Node {
    what: What,
    extent: Extent,
}

/// An [`Operation`] over terms.
#[derive(Debug)]
enum What {
    Symbol(Symbol),
    Function(Function, Term),
    Pair(Pair, Term, Term),
    Where([Term; 4]),
    Sum(Term, Extent),
    Mean(Term, Extent),
    Softmax(Term),
    LogSoftmax(Term),
    ByHand(ByHand, Vec<Term>),
}

impl Term {
    fn new(what: What, extent: Extent) -> Self {
        Self(Arc::new(Node { what, extent }))
    }

    /// What is recalled under the key that the value is written under, `y`.
    pub fn recalled() -> Self {
        Self::new(What::Symbol(Symbol::Recalled), Extent::Each)
    }

    /// What is recalled under the erase key.
    pub fn erased() -> Self {
        Self::new(What::Symbol(Symbol::Erased), Extent::Each)
    }

    /// The value to be recalled, `v`.
    pub fn value() -> Self {
        Self::new(What::Symbol(Symbol::Value), Extent::Each)
    }

    /// `e = y − v`.
    pub fn error() -> Self {
        Self::recalled() - Self::value()
    }

    /// A gate, one number for each token.
    pub fn gate(name: &'static str) -> Self {
        Self::new(What::Symbol(Symbol::Gate(name)), Extent::Row)
    }

    /// The argument of a link or an activation.
    pub fn argument() -> Self {
        Self::new(What::Symbol(Symbol::Argument), Extent::Each)
    }

    /// How many numbers it is.
    pub fn extent(&self) -> Extent {
        self.0.extent
    }

    fn function(&self, function: Function) -> Self {
        Self::new(What::Function(function, self.clone()), self.extent())
    }

    fn pair(&self, pair: Pair, other: &Self) -> Self {
        let extent = self.extent().max(other.extent());
        Self::new(What::Pair(pair, self.clone(), other.clone()), extent)
    }

    /// `x²`.
    pub fn square(&self) -> Self {
        self.function(Function::Square)
    }

    /// `x^p` of numbers above 0.
    pub fn power(&self, p: f64) -> Self {
        self.function(Function::Power(p))
    }

    /// `√x`.
    pub fn sqrt(&self) -> Self {
        self.function(Function::Sqrt)
    }

    /// `1/x`.
    pub fn recip(&self) -> Self {
        self.function(Function::Recip)
    }

    /// `eˣ`.
    pub fn exp(&self) -> Self {
        self.function(Function::Exp)
    }

    /// `tanh x`.
    pub fn tanh(&self) -> Self {
        self.function(Function::Tanh)
    }

    /// `atan x`.
    pub fn atan(&self) -> Self {
        self.function(Function::Atan)
    }

    /// `erf x`.
    pub fn erf(&self) -> Self {
        self.function(Function::Erf)
    }

    /// `1/(1 + e⁻ˣ)`.
    pub fn sigmoid(&self) -> Self {
        self.function(Function::Sigmoid)
    }

    /// `log(1 + eˣ)`.
    pub fn softplus(&self) -> Self {
        self.function(Function::Softplus)
    }

    /// `max(x, 0)`, of slope 0 at 0.
    pub fn relu(&self) -> Self {
        self.function(Function::Relu)
    }

    /// `|x|`.
    pub fn abs(&self) -> Self {
        self.function(Function::Abs)
    }

    /// −1, 0 or 1.
    pub fn sign(&self) -> Self {
        self.function(Function::Sign)
    }

    /// `max(x, least)`.
    pub fn at_least(&self, least: f64) -> Self {
        self.function(Function::AtLeast(least))
    }

    /// `min(x, most)`.
    pub fn at_most(&self, most: f64) -> Self {
        self.function(Function::AtMost(most))
    }

    /// `dᵖ x` where rows have `d` numbers, of which `x` has one for each.
    ///
    /// # Panics
    /// If it has fewer.
    pub fn times_row_length(&self, p: f64) -> Self {
        assert_eq!(self.extent(), Extent::Each, "what rows the length is of");
        self.function(Function::TimesRowLength(p))
    }

    /// The smaller of two numbers.
    pub fn min(&self, other: &Self) -> Self {
        self.pair(Pair::Min, other)
    }

    /// The larger of two numbers.
    pub fn max(&self, other: &Self) -> Self {
        self.pair(Pair::Max, other)
    }

    /// `x` where this is at most `bound`, elsewhere `otherwise`; no gradient flows to what is
    /// compared.
    pub fn where_at_most(&self, bound: &Self, x: &Self, otherwise: &Self) -> Self {
        let operands = [self, bound, x, otherwise].map(Self::clone);
        let extent = operands.iter().map(Self::extent).max();
        Self::new(
            What::Where(operands),
            extent.expect("there are four operands"),
        )
    }

    /// The sum over each row, or over all of them.
    ///
    /// # Panics
    /// Over each number.
    pub fn sum(&self, over: Extent) -> Self {
        assert!(
            over < Extent::Each,
            "a sum over each row, or over all of them"
        );
        Self::new(What::Sum(self.clone(), over), over)
    }

    /// The mean over each row, or over all of them.
    ///
    /// # Panics
    /// Over each number.
    pub fn mean(&self, over: Extent) -> Self {
        assert!(
            over < Extent::Each,
            "a mean over each row, or over all of them"
        );
        Self::new(What::Mean(self.clone(), over), over)
    }

    /// `exp(x) / Σ exp(x)` over each row.
    ///
    /// # Panics
    /// If it is not a number for each feature.
    pub fn softmax(&self) -> Self {
        assert_eq!(self.extent(), Extent::Each, "what a softmax is over");
        Self::new(What::Softmax(self.clone()), Extent::Each)
    }

    /// The logarithm of the softmax.
    ///
    /// # Panics
    /// If it is not a number for each feature.
    pub fn log_softmax(&self) -> Self {
        assert_eq!(self.extent(), Extent::Each, "what a softmax is over");
        Self::new(What::LogSoftmax(self.clone()), Extent::Each)
    }

    /// A function on tensors of some terms, with a number for each feature; for what the other
    /// operations lack. A formula that has one takes the general path everywhere.
    pub fn by_hand(
        operands: &[Self],
        function: impl Fn(&[Tensor<4>]) -> Tensor<4> + Send + Sync + 'static,
    ) -> Self {
        let function = ByHand(Arc::new(function));
        Self::new(What::ByHand(function, operands.to_vec()), Extent::Each)
    }
}

impl Formula {
    /// The formula of these values.
    pub fn of(values: &[Term]) -> Self {
        let mut writer = Writer {
            formula: Self {
                operations: Vec::new(),
                extents: Vec::new(),
                values: Vec::new(),
            },
            placed: Vec::new(),
        };
        let values = values.iter().map(|term| writer.place(term)).collect();
        Self {
            values,
            ..writer.formula
        }
    }
}

/// Puts terms into an order in which each comes after its operands.
struct Writer<'a> {
    formula: Formula,
    placed: Vec<(&'a Term, usize)>,
}

impl<'a> Writer<'a> {
    fn place(&mut self, term: &'a Term) -> usize {
        let same = |(placed, _): &&(&Term, usize)| Arc::ptr_eq(&placed.0, &term.0);
        if let Some((_, at)) = self.placed.iter().find(same) {
            return *at;
        }
        let operation = match &term.0.what {
            What::Symbol(symbol) => Operation::Symbol(*symbol),
            What::Function(function, x) => Operation::Function(*function, self.place(x)),
            What::Pair(pair, a, b) => Operation::Pair(*pair, self.place(a), self.place(b)),
            What::Where(operands) => {
                let [left, right, x, otherwise] = operands.each_ref().map(|x| self.place(x));
                Operation::Where {
                    left,
                    right,
                    x,
                    otherwise,
                }
            }
            What::Sum(x, over) => Operation::Sum(self.place(x), *over),
            What::Mean(x, over) => Operation::Mean(self.place(x), *over),
            What::Softmax(x) => Operation::Softmax(self.place(x)),
            What::LogSoftmax(x) => Operation::LogSoftmax(self.place(x)),
            What::ByHand(function, operands) => {
                let operands = operands.iter().map(|x| self.place(x)).collect();
                Operation::ByHand(function.clone(), operands)
            }
        };
        // The same operation written twice is one too: `Term::error()` in two places.
        let Formula {
            operations,
            extents,
            ..
        } = &mut self.formula;
        let at =
            (operations.iter().position(|earlier| *earlier == operation)).unwrap_or_else(|| {
                operations.push(operation);
                extents.push(term.extent());
                operations.len() - 1
            });
        self.placed.push((term, at));
        at
    }
}

/// The operator between terms, owned or borrowed.
macro_rules! operator {
    ($trait:ident, $method:ident, $pair:ident) => {
        impl $trait<&Term> for &Term {
            type Output = Term;

            fn $method(self, other: &Term) -> Term {
                self.pair(Pair::$pair, other)
            }
        }

        impl $trait<Term> for &Term {
            type Output = Term;

            fn $method(self, other: Term) -> Term {
                self.pair(Pair::$pair, &other)
            }
        }

        impl $trait<&Term> for Term {
            type Output = Term;

            fn $method(self, other: &Term) -> Term {
                self.pair(Pair::$pair, other)
            }
        }

        impl $trait for Term {
            type Output = Term;

            fn $method(self, other: Term) -> Term {
                self.pair(Pair::$pair, &other)
            }
        }
    };
}

operator!(Add, add, Sum);
operator!(Sub, sub, Difference);
operator!(Mul, mul, Product);
operator!(Div, div, Quotient);

/// `s x` and `x + s`.
macro_rules! with_number {
    ($($term:ty),*) => {$(
        impl Mul<f64> for $term {
            type Output = Term;

            fn mul(self, scale: f64) -> Term {
                self.function(Function::Scale(scale))
            }
        }

        impl Add<f64> for $term {
            type Output = Term;

            fn add(self, shift: f64) -> Term {
                self.function(Function::Shift(shift))
            }
        }

        impl Neg for $term {
            type Output = Term;

            fn neg(self) -> Term {
                self.function(Function::Scale(-1.0))
            }
        }
    )*};
}

with_number!(Term, &Term);
