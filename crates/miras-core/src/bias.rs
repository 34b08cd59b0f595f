//! Axis 2: the inner loss a memory is trained on.

use std::fmt::Debug;

use burn::tensor::{Tensor, s};

use crate::{Extent, Formula, GateSpec, Gates, Symbol, Term};

/// An attentional bias: the loss `ℓ(y, v)` of recalling `v` as `y`, token by token.
///
/// Both the gradient and the loss are written as [`Term`]s over [`Term::recalled`],
/// [`Term::value`] and the bias' own gates; what runs, what it costs and what a backward pass keeps
/// follow from them.
pub trait AttentionalBias: Debug + Send + Sync {
    /// The data-dependent gates it reads.
    fn gates(&self) -> Vec<GateSpec> {
        Vec::new()
    }

    /// `∂ℓ/∂y`, a number for each feature.
    fn gradient(&self) -> Term;

    /// The gradient at what is recalled under an erase key, [`Term::erased`], for a bias whose
    /// tokens have such a key beside the one that their value is written under.
    fn erase_gradient(&self) -> Option<Term> {
        None
    }

    /// `ℓ(y, v)`, a number for each token; `None` where the gradient is not that of a loss.
    fn loss(&self) -> Option<Term>;

    /// `Some(σ)` if the gradient is affine, `∂ℓ/∂y = σ y − v`: then a matrix
    /// memory has an exact chunk form. With an erase key, `σ y` at that and `−v` at the write key.
    fn slope(&self) -> Option<f64> {
        None
    }

    /// Whether the gradient grows faster than the error: then far errors write without bound, and
    /// gradients are capped by default.
    fn is_superlinear(&self) -> bool {
        false
    }

    /// The part's settings, complete, as they are written in TOML.
    fn config(&self) -> toml::Table;
}

impl dyn AttentionalBias + '_ {
    /// Whether a token has an erase key beside the write key.
    pub fn has_erase_key(&self) -> bool {
        self.erase_gradient().is_some()
    }

    /// The gradients at what is recalled, under the erase key first where there is one.
    ///
    /// # Panics
    /// If a term is over all tokens.
    pub fn gradients(&self) -> Formula {
        let gradients: Vec<Term> = (self.erase_gradient().into_iter())
            .chain([self.gradient()])
            .collect();
        let formula = Formula::of(&gradients);
        let of_tokens = formula.extents().iter().all(|extent| *extent > Extent::All);
        assert!(of_tokens, "a gradient is a function of its own token");
        formula
    }

    /// [`gradients`](Self::gradients) on tensors.
    ///
    /// # Shapes
    /// `v`: `[n, g, c, d]`; `y` and result: the same or, with an erase key, `[n, g, c, 2d]`, the
    /// features under the erase key first; gates: `[n, g, c, 1]`.
    pub fn gradient_at(&self, y: Tensor<4>, v: Tensor<4>, gates: &Gates) -> Tensor<4> {
        let mut gradients = self.gradients().at(self.symbols(y, v, gates));
        match gradients.len() {
            1 => gradients.remove(0),
            _ => Tensor::cat(gradients, 3),
        }
    }

    /// The [loss](AttentionalBias::loss) on tensors of the same shapes, `[n, g, c, 1]`.
    pub fn loss_at(&self, y: Tensor<4>, v: Tensor<4>, gates: &Gates) -> Option<Tensor<4>> {
        let loss = Formula::of(&[self.loss()?]);
        Some(loss.at(self.symbols(y, v, gates)).remove(0))
    }

    /// What the symbols of the terms stand for; `y` has the features of both keys.
    fn symbols(
        &self,
        y: Tensor<4>,
        v: Tensor<4>,
        gates: &Gates,
    ) -> impl FnMut(Symbol) -> Tensor<4> {
        let d = v.dims()[3];
        let under = |key: usize| y.clone().slice(s![.., .., .., key * d..(key + 1) * d]);
        let (mut erased, mut recalled) = if self.has_erase_key() {
            (Some(under(0)), Some(under(1)))
        } else {
            (None, Some(y))
        };
        let mut v = Some(v);
        move |symbol| {
            let tensor = match symbol {
                Symbol::Recalled => recalled.take(),
                Symbol::Erased => erased.take(),
                Symbol::Value => v.take(),
                Symbol::Gate(name) => Some(gates.get(name)),
                Symbol::Argument => None,
            };
            tensor.unwrap_or_else(|| panic!("{symbol:?} in the formula of a bias"))
        }
    }
}
