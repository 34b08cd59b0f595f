//! The states of all chunks without a walk, where the end of a chunk is affine in its start.

use burn::tensor::{Tensor, s};
use miras_core::{Coefficients, LogDecay, MapState};

use crate::{
    Initial, Rule,
    solved::Solved,
    span::{SpanTokens, before},
    walk::Walk,
};

/// What the walk over the chunks of a span would leave, and the state after it; none where there
/// is no scan, or no use of one.
///
/// A walk takes some operations a chunk, one chunk after the other; a scan as many for all chunks
/// of each halving of their number.
pub(crate) fn walk(
    rule: &Rule,
    initial: &Initial,
    tokens: &SpanTokens,
    decay: &LogDecay,
    coefficients: &Coefficients,
    maps: &[MapState],
) -> Option<(Walk, Vec<MapState>)> {
    let [n, _, c, _] = tokens.k.dims();
    let [map] = maps else { return None };
    let [_, _, d_in, _] = map.weights.dims();
    // No rule of an exact form acts on the state, and none has decays of value channels.
    let is_affine = rule.settings.is_exact() && map.slots.is_empty();
    // Wider states are cheaper to take through the chunks than to make maps of.
    if n <= 2 || !is_affine || d_in > c * rule.keys() {
        return None;
    }
    let slope = rule.bias.slope().filter(|slope| *slope != 0.0)?;

    let before = || before(rule, decay, &coefficients.rows);
    let solved = Solved::of_span(rule, initial, tokens.clone(), slope, before);
    let end = &coefficients.end;
    let [by_state, by_target] = solved.written(end)?;
    let kept = Tensor::<2>::eye(d_in, &by_state.device())
        .cast(by_state.dtype())
        .reshape([1, 1, d_in, d_in])
        * end.carry.clone();
    let chunks = Affine {
        p: kept - by_state,
        r: by_target,
    };
    let last = chunks.range(n - 1, n);
    let starts = chunks.starts(map.weights.clone());
    let end = last.of(starts.clone().slice(s![n - 1..n, .., .., ..]));

    let starts = MapState {
        weights: starts,
        slots: Vec::new(),
    };
    let gradients = solved.at(&starts);
    let mut walk = Walk::default();
    walk.push(
        vec![starts],
        Vec::new(),
        gradients.writes(),
        &gradients,
        false,
    );
    let end = MapState {
        weights: end,
        slots: Vec::new(),
    };
    Some((walk, vec![end]))
}

/// `A → P A + R` of `n` chunks, `[n, g, d_in, ·]`.
struct Affine {
    p: Tensor<4>,
    r: Tensor<4>,
}

impl Affine {
    fn of(self, state: Tensor<4>) -> Tensor<4> {
        self.p.matmul(state) + self.r
    }

    fn range(&self, from: usize, to: usize) -> Self {
        let cut = |x: &Tensor<4>| x.clone().slice(s![from..to, .., .., ..]);
        Self {
            p: cut(&self.p),
            r: cut(&self.r),
        }
    }

    /// The states before all chunks, `[n, g, d_in, d_out]`, where `first` is before the first one.
    ///
    /// Chunks in pairs are half as many; what is between the two of a pair follows from what is
    /// before it.
    fn starts(self, first: Tensor<4>) -> Tensor<4> {
        let [n, g, d, d_out] = self.r.dims();
        if n == 1 {
            return first;
        }
        if n % 2 == 1 {
            let before = self.range(0, n - 1).starts(first);
            let last = before.clone().slice(s![n - 2..n - 1, .., .., ..]);
            let last = self.range(n - 2, n - 1).of(last);
            return Tensor::cat(vec![before, last], 0);
        }
        let pairs = |x: Tensor<4>, width| {
            let x = x.reshape([n / 2, 2 * g, d, width]);
            let first = x.clone().slice(s![.., ..g, .., ..]);
            (first, x.slice(s![.., g.., .., ..]))
        };
        let (p, later_p) = pairs(self.p, d);
        let (r, later_r) = pairs(self.r, d_out);
        let pair = Self {
            p: later_p.clone().matmul(p.clone()),
            r: later_p.matmul(r.clone()) + later_r,
        };
        let before = pair.starts(first);
        let between = Self { p, r }.of(before.clone());
        Tensor::cat(vec![before, between], 1).reshape([n, g, d, d_out])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};

    use super::*;

    #[test]
    fn states_are_those_of_one_chunk_after_the_other() {
        let device = Device::flex();
        let some = |shape: [usize; 4]| {
            let count = shape.iter().product::<usize>() as i64;
            let at = Tensor::<1, Int>::arange(0..count, &device).float();
            at.mul_scalar(0.7).sin().reshape(shape)
        };
        for n in 1..10 {
            let (p, r) = (some([n, 2, 3, 3]), some([n, 2, 3, 5]));
            let mut state = some([1, 2, 3, 5]);
            let chunks = Affine { p, r };
            let found = Affine {
                p: chunks.p.clone(),
                r: chunks.r.clone(),
            }
            .starts(state.clone());
            for at in 0..n {
                let gap = found.clone().slice(s![at..=at, .., .., ..]) - state.clone();
                let gap = gap.abs().max().into_scalar::<f32>();
                assert!(gap < 1e-3, "chunk {at} of {n}: {gap}");
                state = chunks.range(at, at + 1).of(state);
            }
        }
    }
}
