//! The values of a formula, on tensors.

use burn::tensor::{Tensor, activation};

use super::{Extent, Formula, Function, Operation, Pair, Symbol};

impl Formula {
    /// The values, with what each symbol stands for, asked for once each.
    ///
    /// # Shapes
    /// `[n, g, c, d]` of a symbol with a number for each feature, `[n, g, c, 1]` of a gate; each
    /// value as its [`Extent`] says.
    pub fn at(&self, mut symbol: impl FnMut(Symbol) -> Tensor<4>) -> Vec<Tensor<4>> {
        let mut held = Held::of(self);
        for operation in &self.operations {
            let value = match operation {
                Operation::Symbol(which) => symbol(*which),
                Operation::Function(function, x) => function.of(held.take(*x)),
                Operation::Pair(pair, a, b) => {
                    let (a, b) = (held.take(*a), held.take(*b));
                    pair.of(a, b)
                }
                Operation::Where {
                    left,
                    right,
                    x,
                    otherwise,
                } => {
                    let (left, right) = alike(held.take(*left), held.take(*right));
                    let (x, otherwise) = alike(held.take(*x), held.take(*otherwise));
                    let holds = left.lower_equal(right).expand(x.dims());
                    otherwise.mask_where(holds, x)
                }
                Operation::Sum(x, Extent::All) => held.take(*x).sum_dim(3).sum_dim(2),
                Operation::Sum(x, _) => held.take(*x).sum_dim(3),
                Operation::Mean(x, Extent::All) => held.take(*x).mean_dim(3).mean_dim(2),
                Operation::Mean(x, _) => held.take(*x).mean_dim(3),
                Operation::Softmax(x) => activation::softmax(held.take(*x), 3),
                Operation::LogSoftmax(x) => activation::log_softmax(held.take(*x), 3),
                Operation::ByHand(function, operands) => {
                    let operands: Vec<_> = operands.iter().map(|x| held.take(*x)).collect();
                    (function.0)(&operands)
                }
            };
            held.values.push(Some(value));
        }
        self.values.iter().map(|at| held.take(*at)).collect()
    }

    /// The values of a formula of one argument.
    ///
    /// # Panics
    /// If there are other symbols.
    pub fn of_argument(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = Some(x);
        self.at(|symbol| match (symbol, x.take()) {
            (Symbol::Argument, Some(x)) => x,
            (other, _) => panic!("{other:?} in a formula of one argument"),
        })
    }
}

impl Function {
    fn of(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Scale(s) => x.mul_scalar(s),
            Self::Shift(s) => x.add_scalar(s),
            Self::Square => x.powi_scalar(2),
            Self::Power(p) => x.powf_scalar(p),
            Self::Sqrt => x.sqrt(),
            Self::Recip => x.recip(),
            Self::Exp => x.exp(),
            Self::Tanh => x.tanh(),
            Self::Atan => x.atan(),
            Self::Erf => x.erf(),
            Self::Sigmoid => activation::sigmoid(x),
            Self::Softplus => activation::softplus(x, 1.0),
            Self::Relu => activation::relu(x),
            Self::Abs => x.abs(),
            Self::Sign => x.sign(),
            Self::AtLeast(s) => x.clamp_min(s),
            Self::AtMost(s) => x.clamp_max(s),
            Self::TimesRowLength(p) => {
                let length = x.dims()[3] as f64;
                x.mul_scalar(length.powf(p))
            }
        }
    }
}

impl Pair {
    fn of(self, a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Sum => a + b,
            Self::Difference => a - b,
            Self::Product => a * b,
            Self::Quotient => a / b,
            Self::Min => {
                let (a, b) = alike(a, b);
                a.min_pair(b)
            }
            Self::Max => {
                let (a, b) = alike(a, b);
                a.max_pair(b)
            }
        }
    }
}

/// Both with the numbers of the larger one.
fn alike(a: Tensor<4>, b: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let [of_a, of_b] = [&a, &b].map(Tensor::dims);
    let shape: [usize; 4] = std::array::from_fn(|dim| of_a[dim].max(of_b[dim]));
    (a.expand(shape), b.expand(shape))
}

/// The values that later operations need.
struct Held {
    values: Vec<Option<Tensor<4>>>,
    /// How often each will be asked for.
    uses: Vec<usize>,
}

impl Held {
    fn of(formula: &Formula) -> Self {
        let mut uses = vec![0; formula.operations.len()];
        let operands = formula.operations.iter().flat_map(Operation::operands);
        for at in operands.chain(formula.values.iter().copied()) {
            uses[at] += 1;
        }
        Self {
            values: Vec::new(),
            uses,
        }
    }

    /// A value, let go of at its last use, so that its memory can be used again.
    fn take(&mut self, at: usize) -> Tensor<4> {
        self.uses[at] -= 1;
        let held = &mut self.values[at];
        let value = match self.uses[at] {
            0 => held.take(),
            _ => held.clone(),
        };
        value.expect("operations are in order")
    }
}
