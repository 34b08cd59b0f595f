//! Tokens before a chunk that are in the windows of its tokens.

use burn::tensor::{Tensor, s};
use miras_core::{Gates, STEP};

use crate::{Initial, Rule, Tokens};

/// The last tokens before the open chunk: as many as the algorithm's
/// [window](miras_core::MemoryAlgorithm::window) has beside a token's own. Their gradients are taken
/// again at every anchor whose chunk they are in a window of.
///
/// # Shapes
/// Those of [`Tokens`](crate::Tokens), without queries.
#[derive(Debug, Clone)]
pub struct Past {
    /// Keys.
    pub k: Tensor<4>,
    /// Values.
    pub v: Tensor<4>,
    /// Gates of all four parts.
    pub gates: Gates,
}

impl Past {
    /// Tokens in the window of a token beside itself.
    pub(crate) fn tokens(rule: &Rule) -> usize {
        rule.algorithm.window() - 1
    }

    /// Before the beginning of a sequence: tokens whose steps are 0. None where there is no window.
    pub(crate) fn absent(rule: &Rule, initial: &Initial) -> Option<Self> {
        let tokens = Self::tokens(rule);
        if tokens == 0 {
            return None;
        }
        let like = &initial.maps[0];
        let g = like.dims()[1];
        let zeros =
            |width| Tensor::<4>::zeros([1, g, tokens, width], (&like.device(), like.dtype()));
        let (d_k, d_v) = (initial.program.d_k(), initial.program.d_v());
        let gates = (rule.gates().iter()).fold(Gates::new(), |all, gate| {
            let zeros = zeros(gate.width(d_k, d_v));
            let value = match gate.name {
                STEP => zeros,
                _ => gate.map.apply(zeros, None),
            };
            all.with(gate.name, value)
        });
        Some(Self {
            k: zeros(rule.keys() * d_k),
            v: zeros(d_v),
            gates,
        })
    }

    /// The tokens before each of the chunks `[n, g, c, ·]` that follow these:
    /// `[n, g, window − 1, ·]`.
    pub(crate) fn before_each(&self, chunks: &Self) -> Self {
        self.with(chunks, before_each)
    }

    /// These and then those of `later`, chunk by chunk.
    pub(crate) fn followed_by(&self, later: &Self) -> Self {
        self.with(later, |first, second| {
            Tensor::cat(vec![first.clone(), second.clone()], 2)
        })
    }

    /// The last `tokens` of the last chunk.
    pub(crate) fn last(&self, tokens: usize) -> Self {
        self.map(|x| {
            let [n, _, c, _] = x.dims();
            x.slice(s![n - 1..n, .., c - tokens..c, ..])
        })
    }

    /// The last ones after a chunk of `tokens`.
    pub(crate) fn then(&self, tokens: &Tokens) -> Self {
        let Tokens { k, v, gates, .. } = tokens.clone();
        let all = self.followed_by(&Self { k, v, gates });
        all.last(self.k.dims()[2])
    }

    /// Token by token, from the earliest on; their queries are not read.
    pub(crate) fn each(&self) -> impl Iterator<Item = Tokens> {
        let all = Tokens {
            q: self.k.clone(),
            k: self.k.clone(),
            v: self.v.clone(),
            gates: self.gates.clone(),
        };
        (0..all.len()).map(move |t| all.range(t, t + 1))
    }

    /// The same tokens, every tensor through `f`.
    #[must_use]
    pub fn map(&self, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self {
            k: f(self.k.clone()),
            v: f(self.v.clone()),
            gates: self.gates.map(&f),
        }
    }

    /// The tensors of both through `f`.
    pub(crate) fn with(
        &self,
        other: &Self,
        f: impl Fn(&Tensor<4>, &Tensor<4>) -> Tensor<4>,
    ) -> Self {
        let gates = (self.gates.iter().zip(other.gates.iter()))
            .fold(Gates::new(), |all, ((name, first), (_, second))| {
                all.with(name, f(first, second))
            });
        Self {
            k: f(&self.k, &other.k),
            v: f(&self.v, &other.v),
            gates,
        }
    }
}

/// The last tokens before each chunk, as many as there are before the first.
fn before_each(past: &Tensor<4>, chunks: &Tensor<4>) -> Tensor<4> {
    let [n, g, c, d] = chunks.dims();
    if n == 1 {
        return past.clone();
    }
    let tokens = past.dims()[2];
    // So many chunks hold them; what fills the first is cut off again.
    let whole = tokens.div_ceil(c);
    let filled = match whole * c - tokens {
        0 => past.clone(),
        missing => {
            let zeros = Tensor::zeros([1, g, missing, d], (&past.device(), past.dtype()));
            Tensor::cat(vec![zeros, past.clone()], 2)
        }
    };
    let earlier = filled.reshape([g, whole, c, d]).swap_dims(0, 1);
    let all = Tensor::cat(vec![earlier, chunks.clone().slice(s![..n - 1])], 0);
    let each = (0..whole).map(|at| all.clone().slice(s![at..at + n]));
    let each = Tensor::cat(each.collect(), 2);
    each.slice(s![.., .., whole * c - tokens.., ..])
}
