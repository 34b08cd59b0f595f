//! The matrix products of the inner loop.

use miras_core::MapSpec;

use super::{
    Flops,
    Needs::{Both, Neither, One},
    chunk::Chunk,
};
use crate::{Form, Read, Rule, substituted::BLOCK};

/// The products of one memory of width `d` over a sequence of `tokens` tokens.
///
/// Counted as [`crate::dual::forward`] makes them, the products of the triangular inverse and the
/// weights that a nonlinear link has written out among them. A memory's gradients take each map
/// once forward and each but the first once backward. Gates and initial weights count as learned.
pub fn flops(rule: &Rule, d: usize, tokens: usize) -> Flops {
    (Chunk::of_sequence(rule, d, tokens).iter())
        .map(|(chunk, times)| chunk.flops() * *times as f64)
        .sum()
}

impl Chunk<'_> {
    fn flops(&self) -> Flops {
        self.coefficients() + self.source() + self.end() + self.read()
    }

    /// Each slot's way into the state; decays are sums.
    fn coefficients(&self) -> Flops {
        let c = self.c;
        let slot = Flops::product(c, c, 1, Both) + Flops::product(c, c, c, Both);
        slot * self.slots as f64
    }

    fn source(&self) -> Flops {
        match (self.rule.settings.form, self.rule.bias.slope()) {
            (Form::ChunkStart, _) => self.chunk_start(),
            (Form::Exact, Some(0.0)) => Flops::default(),
            (Form::Exact, Some(_)) => self.solved(),
            (Form::Exact, None) => self.substituted(),
        }
    }

    fn chunk_start(&self) -> Flops {
        let anchored = self.gradients(|map| self.plain(map));
        let swept = if self.rule.has_identity_link() {
            self.gradients(|map| self.dual(map))
        } else {
            self.written_out() + anchored
        };
        let sweeps = self.rule.settings.sweeps as f64;
        anchored + swept * sweeps + self.caps() * (1.0 + sweeps)
    }

    /// A memory's forward pass on the keys, and back to the output of its first map.
    fn gradients(&self, through: impl Fn(&MapSpec) -> Flops) -> Flops {
        let all = self.maps.iter().chain(self.inner_maps());
        all.map(through).sum()
    }

    /// All rows through one matrix, forward or transposed.
    fn plain(&self, map: &MapSpec) -> Flops {
        Flops::product(self.rows, map.d_in, map.d_out, Both)
    }

    /// All rows through the weights of their tokens, never written out: through state, slots
    /// and anchor, and against the chunk's writes.
    fn dual(&self, map: &MapSpec) -> Flops {
        self.plain(map) * self.matrices() as f64
            + Flops::product(self.rows, map.d_in, self.rows, Both)
            + Flops::product(self.rows, self.rows, map.d_out, Both)
    }

    /// The matrices that make up a token's weights: the state, the slots, the anchor.
    fn matrices(&self) -> usize {
        1 + self.slots + usize::from(self.rule.retention.is_anchored())
    }

    /// The weights of every token: the products of its rows, and their sums.
    fn written_out(&self) -> Flops {
        let rows = self.rule.memory.rows();
        (self.maps.iter())
            .map(|map| {
                Flops::product(map.d_in, rows, map.d_out, Both) * self.c as f64
                    + Flops::product(self.c, self.c, map.d_in * map.d_out, Both)
            })
            .sum()
    }

    /// The load cap's products of inputs, and the gradient cap's where a token has several rows.
    fn caps(&self) -> Flops {
        let (settings, c, rows) = (&self.rule.settings, self.c, self.rule.memory.rows());
        let mut all = Flops::default();
        if let (Some(_), Some(last)) = (settings.load_cap, self.maps.last()) {
            all += Flops::product(c, rows * last.d_in, c, Both) + Flops::product(c, c, 1, Both);
        }
        if settings.grad_cap.is_some() && rows > 1 {
            let widths: usize = self.maps.iter().map(|map| map.d_in + map.d_out).sum();
            all += Flops::product(rows, widths, rows, Both) * c as f64;
        }
        all
    }

    /// Products of keys, the triangular inverse, solves, and the state's share in the gradients.
    fn solved(&self) -> Flops {
        let (c, d) = (self.c, self.d());
        let states = 1.0 + self.slots as f64;
        let anchor = if self.rule.retention.is_anchored() {
            Flops::product(c, d, d, Both)
        } else {
            Flops::default()
        };
        Flops::product(c, d, c, Both)
            + self.inverse()
            + Flops::product(c, c, d, Both) * (states + 1.0)
            + anchor
            + Flops::product(c, d, d, Both) * states
    }

    /// The inverse itself, and two products for its derivative.
    fn inverse(&self) -> Flops {
        let c = self.c;
        merges(c) + Flops::product(c, c, c, One) * 2.0
    }

    /// Products of keys, the state's share, and each token against those before it: in its own
    /// block one by one, and those of earlier blocks at once.
    fn substituted(&self) -> Flops {
        let (c, d) = (self.c, self.d());
        let mut all =
            Flops::product(c, d, c, Both) + Flops::product(c, d, d, Both) * self.matrices() as f64;
        for start in (0..c).step_by(BLOCK) {
            let block = BLOCK.min(c - start);
            all += Flops::product(block, start, d, Both);
            all += Flops::product(1, block * (block - 1) / 2, d, Both);
        }
        all
    }

    /// The chunk's writes into state and slots.
    fn end(&self) -> Flops {
        (self.maps.iter())
            .map(|map| Flops::product(map.d_in, self.rows, map.d_out, Both))
            .sum::<Flops>()
            * (1 + self.slots) as f64
    }

    fn read(&self) -> Flops {
        let plain = || self.maps.iter().map(|map| self.plain(map)).sum();
        let dual = || self.maps.iter().map(|map| self.dual(map)).sum();
        match self.rule.settings.read {
            Read::Stale => plain(),
            Read::Frozen => dual(),
            Read::Exact if self.rule.has_identity_link() => dual(),
            Read::Exact => self.written_out() + plain(),
        }
    }
}

/// The triangular inverse outside the graph: its two diagonal blocks, and what is between them.
fn merges(c: usize) -> Flops {
    if c <= 2 {
        return Flops::default();
    }
    let (half, rest) = (c.div_ceil(2), c / 2);
    merges(half) * 2.0
        + Flops::product(rest, rest, half, Neither)
        + Flops::product(rest, half, half, Neither)
}
