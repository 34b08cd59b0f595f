//! The short causal convolution before a mixer.

use burn::{
    module::{Module, Param},
    tensor::{Tensor, s},
};
use miras_engine::kernel::{has_kernels, run};
use miras_kernels::Convolution;

use crate::{
    ConvActivation, InitKind, ParameterGroup, ParameterGroups, StateLayout, StateShape,
    StateTensor, StateTree, init::Init,
};

/// A depthwise causal convolution: `y_t = Σ_j w_j ⊙ x_{t−j}`.
#[derive(Module, Debug)]
pub struct ShortConv {
    /// `[taps, d]`; tap 0 is the current token's.
    taps: Param<Tensor<2>>,
}

/// How far the taps of the recall initialisation stray from the identity.
const SPREAD: f64 = 0.15;
/// What keys see of the token before theirs: the shift from key to value that
/// associative recall needs.
const PREVIOUS: f64 = 0.7;

impl Init<'_> {
    /// Convolutions on queries, keys and values of these widths; none for 0 taps, and none on what has
    /// no width. A key that is
    /// `shifted` is that of the token before already.
    pub(crate) fn convs(
        &mut self,
        layer: &str,
        taps: usize,
        widths: [usize; 3],
        shifted: bool,
    ) -> Vec<ShortConv> {
        if taps == 0 {
            return Vec::new();
        }
        let on = CONVOLVED.into_iter().zip(widths);
        on.filter(|(_, d)| *d > 0)
            .map(|(on, d)| {
                let name = format!("{layer}.conv.{on}");
                ShortConv::new(self, &name, taps, d, on == "k" && !shifted)
            })
            .collect()
    }
}

impl ShortConv {
    pub(crate) fn new(
        init: &mut Init,
        name: &str,
        taps: usize,
        d: usize,
        sees_previous: bool,
    ) -> Self {
        let bound = match init.kind {
            InitKind::Recall => SPREAD,
            InitKind::Standard => 1.0 / (taps as f64).sqrt(),
        };
        let mut values = init.drawn(name, taps * d, |stream| (2.0 * stream.unit() - 1.0) * bound);
        if init.kind == InitKind::Recall {
            values[..d].iter_mut().for_each(|tap| *tap += 1.0);
            let previous = if sees_previous { PREVIOUS } else { 0.0 };
            values
                .iter_mut()
                .skip(d)
                .take(d)
                .for_each(|tap| *tap += previous);
        }
        let taps = init.values([taps, d], values);
        Self { taps }
    }

    pub(crate) fn groups(&self, groups: &mut ParameterGroups) {
        groups.put(ParameterGroup::Convolution, &self.taps);
    }

    /// The shape of its state, the last inputs of `rows` batch rows; none for a single tap.
    pub(crate) fn state_shape(&self, rows: usize) -> Option<[usize; 3]> {
        let [taps, d] = self.taps.dims();
        (taps > 1).then(|| [rows, taps - 1, d])
    }

    /// Convolves, given the `taps − 1` inputs before `x` (0 at a sequence's start), and applies the
    /// activation; gives back those before whatever comes next.
    ///
    /// # Shapes
    /// `x`: `[b, t, d]`, `tail`: `[b, taps − 1, d]`.
    pub fn forward(
        &self,
        x: Tensor<3>,
        tail: Option<Tensor<3>>,
        activation: ConvActivation,
    ) -> (Tensor<3>, Option<Tensor<3>>) {
        let ([taps, d], [b, ..]) = (self.taps.dims(), x.dims());
        let tail = (taps > 1)
            .then(|| tail.unwrap_or_else(|| Tensor::zeros([b, taps - 1, d], &x.device())));
        let next = tail.as_ref().map(|tail| last_inputs(tail, &x));
        (convolved(self.taps.val(), x, tail, activation), next)
    }
}

/// `f(Σ_j w_j ⊙ x_{t−j})` with `weights [taps, d]`, after `tail` where there are several taps.
pub(crate) fn convolved(
    weights: Tensor<2>,
    x: Tensor<3>,
    tail: Option<Tensor<3>>,
    activation: ConvActivation,
) -> Tensor<3> {
    let ([taps, d], [b, t, _]) = (weights.dims(), x.dims());
    if has_kernels(&x) {
        let convolution = Convolution {
            rows: b,
            width: d,
            silu: activation == ConvActivation::Silu,
        };
        let tail = tail.unwrap_or_else(|| Tensor::zeros([b, 0, d], &x.device()));
        return run(
            convolution,
            [x.into(), tail.into(), weights.into()],
            [b, t, d],
        );
    }
    let tap = |j: usize| weights.clone().slice(s![j..=j, ..]).unsqueeze::<3>();
    let Some(tail) = tail else {
        return activation.apply(x * tap(0));
    };
    let padded = Tensor::cat(vec![tail, x], 1);
    let y = (0..taps)
        .map(|j| {
            let start = taps - 1 - j;
            padded.clone().slice(s![.., start..start + t, ..]) * tap(j)
        })
        .reduce(|sum, term| sum + term)
        .expect("there is a tap");
    activation.apply(y)
}

/// The last inputs of `tail` and `x` behind each other, as many as `tail` has.
fn last_inputs(tail: &Tensor<3>, x: &Tensor<3>) -> Tensor<3> {
    let ([_, earlier, _], [_, t, _]) = (tail.dims(), x.dims());
    let last = x.clone().slice(s![.., t.saturating_sub(earlier).., ..]);
    if t < earlier {
        Tensor::cat(vec![tail.clone().slice(s![.., t.., ..]), last], 1)
    } else {
        last
    }
}

/// What the convolutions of a mixer are on, and what their states are called; without queries of
/// their own the last two.
const CONVOLVED: [&str; 3] = ["q", "k", "v"];

/// Each with what it is called in the state.
fn named(convs: &[ShortConv]) -> impl Iterator<Item = (&ShortConv, &'static str)> {
    let names = CONVOLVED.into_iter().skip(CONVOLVED.len() - convs.len());
    convs.iter().zip(names)
}

/// Each projection through its convolution, if there are any, and the activation, from `state` on
/// (none at the beginning of a sequence), and the state after the last token.
pub(crate) fn convolve<const N: usize>(
    convs: &[ShortConv],
    projected: [Tensor<3>; N],
    state: Option<StateTree>,
    activation: ConvActivation,
) -> ([Tensor<3>; N], StateTree) {
    let mut earlier = state;
    let mut next = StateTree::default();
    let mut convs = named(convs);
    let convolved = projected.map(|x| {
        let Some((conv, name)) = convs.next() else {
            return activation.apply(x);
        };
        let shape = conv.state_shape(x.dims()[0]);
        let tail = shape
            .and(earlier.as_mut())
            .map(|state| state.take_rows(name));
        let (y, tail) = conv.forward(x, tail, activation);
        if let Some(tail) = tail {
            next.insert(name, StateTensor::Rows(tail));
        }
        y
    });
    if let Some(rest) = earlier {
        rest.assert_empty();
    }
    (convolved, next)
}

/// The states of a mixer's convolutions.
pub(crate) fn conv_layout(convs: &[ShortConv], rows: usize) -> StateLayout {
    let mut layout = StateLayout::default();
    for (conv, name) in named(convs) {
        if let Some(shape) = conv.state_shape(rows) {
            layout.insert(name, StateShape::Rows(shape));
        }
    }
    layout
}
