//! Every token's own weights, as maps that its rows go through.

use burn::tensor::Tensor;
use miras_core::{Factor, MapSpec, MapState, Maps, Rows, Side, WriteWeights, rows};

use crate::{Initial, Rule};

/// Row `t` goes through the weights of token `t`, `W_t = Λ([A_init +] A_t)` with
/// `A_t = carry_t A_0 + Σ slots_t S_0 − Σ_i writes_ti x_iᵀ u_i`.
pub(crate) struct TokenMaps<'a> {
    initial: &'a Initial,
    maps: Vec<TokenMap<'a>>,
}

/// One map of every token.
#[allow(
    clippy::large_enum_variant,
    reason = "one a map; the variants hold handles"
)]
enum TokenMap<'a> {
    /// By products with what the weights are made of.
    Dual(DualMap<'a>),
    /// Written out, `[n, g·c, d_in, d_out]`.
    Written(Tensor<4>),
}

/// Whether a map's weights are written out for every token where that is a choice: where windows
/// are many and weights few, that is less than the products of all rows of a chunk with each
/// other.
pub(crate) fn is_written(map: &MapSpec) -> bool {
    map.rows > 1 && map.weights() <= map.rows * map.rows
}

impl<'a> TokenMaps<'a> {
    /// The weights as they are. Behind a nonlinear link they are written out.
    ///
    /// Per map: chunk-start states, and inputs `x` with gradients times step sizes `u` in the
    /// place of `d`.
    pub(crate) fn exact(
        rule: &Rule,
        initial: &'a Initial,
        starts: &'a [MapState],
        writes: &'a [Factor],
        rows: &'a Rows,
    ) -> Self {
        let link = rule.retention.link();
        let maps = dual_maps(rule, initial, starts, writes, rows)
            .zip(initial.program.maps())
            .map(|(dual, map)| {
                if link.is_identity() && !is_written(map) {
                    TokenMap::Dual(dual)
                } else {
                    TokenMap::Written(link.weights(dual.states()))
                }
            })
            .collect();
        Self { initial, maps }
    }

    /// The states through the link's scale as it was at the chunk's start.
    pub(crate) fn frozen(
        rule: &Rule,
        initial: &'a Initial,
        starts: &'a [MapState],
        writes: &'a [Factor],
        rows: &'a Rows,
    ) -> Self {
        let scales = rule.scales(starts, initial);
        let maps = dual_maps(rule, initial, starts, writes, rows)
            .zip(scales)
            .zip(initial.program.maps())
            .map(|((mut dual, scale), map)| {
                dual.scale = Some(scale);
                if is_written(map) {
                    TokenMap::Written(dual.states())
                } else {
                    TokenMap::Dual(dual)
                }
            })
            .collect();
        Self { initial, maps }
    }
}

fn dual_maps<'a>(
    rule: &Rule,
    initial: &Initial,
    starts: &'a [MapState],
    writes: &'a [Factor],
    rows: &'a Rows,
) -> impl Iterator<Item = DualMap<'a>> {
    let mut anchors = rule.anchors(initial).map(Vec::into_iter);
    (starts.iter().zip(writes)).map(move |(start, write)| DualMap {
        start,
        anchor: anchors.as_mut().and_then(Iterator::next),
        scale: None,
        write,
        rows,
    })
}

impl Maps for TokenMaps<'_> {
    fn apply(&self, l: usize, z: Tensor<4>) -> Tensor<4> {
        match &self.maps[l] {
            TokenMap::Dual(dual) => dual.apply(z),
            TokenMap::Written(weights) => through_each(z, weights.clone()),
        }
    }

    fn apply_transposed(&self, l: usize, g: Tensor<4>) -> Tensor<4> {
        match &self.maps[l] {
            TokenMap::Dual(dual) => dual.apply_transposed(g),
            TokenMap::Written(weights) => through_each(g, weights.clone().transpose()),
        }
    }

    fn gain(&self, i: usize) -> Tensor<4> {
        self.initial.gains[i].clone()
    }
}

/// `W_t = [s ·] ([A_init +] A_t)`.
struct DualMap<'a> {
    /// The chunk-start state, `[n, g, d_in, d_out]`.
    start: &'a MapState,
    /// The state of the initial weights, which the state is a distance from.
    anchor: Option<Tensor<4>>,
    /// The link's scale, `[n, g, 1, 1]`; none for 1.
    scale: Option<Tensor<4>>,
    write: &'a Factor,
    rows: &'a Rows,
}

impl DualMap<'_> {
    fn apply(&self, z: Tensor<4>) -> Tensor<4> {
        let Factor { x, d: u } = self.write;
        self.through(z, [x, u], Side::Key, |z, w| z.matmul(w.clone()))
    }

    fn apply_transposed(&self, g: Tensor<4>) -> Tensor<4> {
        let Factor { x, d: u } = self.write;
        self.through(g, [u, x], Side::Value, |g, w| {
            g.matmul(w.clone().transpose())
        })
    }

    /// Rows through the weights of their tokens: by `matrix` through a fixed matrix, and against
    /// the two sides of the writes, that which the rows meet first.
    fn through(
        &self,
        z: Tensor<4>,
        [met, given]: [&Tensor<4>; 2],
        entering: Side,
        matrix: impl Fn(Tensor<4>, &Tensor<4>) -> Tensor<4>,
    ) -> Tensor<4> {
        let start = |z| matrix(z, &self.start.weights);
        let mut y = self.rows.carried(&z, entering, start);
        for (slot, share) in self.start.slots.iter().zip(&self.rows.slots) {
            y = y + rows::scale(matrix(z.clone(), slot), share);
        }
        y = y - self.rows.written(z.clone(), met, given, entering);
        if let Some(anchor) = &self.anchor {
            y = y + matrix(z, anchor);
        }
        match &self.scale {
            Some(scale) => y * scale.clone(),
            None => y,
        }
    }

    /// `[s ·] ([A_init +] A_t)` of every token written out, `[n, g·c, d_in, d_out]`.
    fn states(&self) -> Tensor<4> {
        let Self {
            start, write, rows, ..
        } = self;
        let [n, g, d_in, d_out] = start.weights.dims();
        let WriteWeights::Numbers(weights) = &rows.writes else {
            panic!("weights are written out for decays of the whole state alone");
        };
        let [_, _, tokens, written] = weights.dims();
        let flat = |x: &Tensor<4>| x.clone().flatten::<3>(2, 3).unsqueeze_dim::<4>(2);
        let per_token = |x: &Tensor<4>| {
            let [_, _, all, width] = x.dims();
            x.clone().reshape([n, g * written, all / written, width])
        };
        let outer = per_token(&write.x)
            .transpose()
            .matmul(per_token(&write.d))
            .reshape([n, g, written, d_in * d_out]);

        let mut states = rows.carry.clone() * flat(&start.weights);
        for (slot, share) in start.slots.iter().zip(&rows.slots) {
            states = states + share.clone() * flat(slot);
        }
        states = states - weights.clone().matmul(outer);
        if let Some(anchor) = &self.anchor {
            states = states + flat(anchor);
        }
        if let Some(scale) = &self.scale {
            states = states * scale.clone();
        }
        states.reshape([n, g * tokens, d_in, d_out])
    }
}

/// Each token's rows through its own matrix of `[n, g·c, ·, ·]`.
fn through_each(x: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    let [n, g, rows, width] = x.dims();
    let [_, memories, _, out] = weights.dims();
    x.reshape([n, memories, rows * g / memories, width])
        .matmul(weights)
        .reshape([n, g, rows, out])
}

#[cfg(test)]
#[path = "maps_tests.rs"]
mod tests;
