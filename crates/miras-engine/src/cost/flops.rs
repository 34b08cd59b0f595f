//! The matrix products of the inner loop.

use miras_core::{MapSpec, Program, RuleCost, Side};

use super::{
    Flops, Needs,
    Needs::{Both, Neither, One},
    chunk::Chunk,
};
use crate::{Form, Read, Rule, maps::is_written, substituted::BLOCK};

/// The products of one memory over a sequence of `tokens` tokens; `program` is that of the rule's
/// memory at its widths.
///
/// Counted as [`crate::dual::forward`] makes them, the products of the triangular inverse and the
/// weights that are written out among them. A memory's gradients take each map once forward, and
/// once backward unless nothing learns before it. Gates and initial weights count as learned.
pub fn flops(rule: &Rule, program: &Program, tokens: usize) -> Flops {
    (Chunk::of_sequence(rule, program, tokens).iter())
        .map(|(chunk, times)| chunk.flops() * *times as f64)
        .sum()
}

impl Chunk<'_> {
    fn flops(&self) -> Flops {
        let further = self.source() + self.end();
        self.coefficients()
            + self.source()
            + self.end()
            + further * self.further_steps() as f64
            + self.read()
    }

    /// Each slot's way into the state; decays are sums.
    fn coefficients(&self) -> Flops {
        let c = self.c;
        let slot = Flops::product(c, c, 1, Both) + Flops::product(c, c, c, Both);
        let own = slot * self.slots as f64;
        match self.written() {
            all if all > c => {
                let ends = Flops::product(all, c, 1, One) * (1 + self.slots) as f64;
                own + Flops::product(c, c, all, One) + ends
            }
            _ => own,
        }
    }

    fn source(&self) -> Flops {
        if self.rule.least_squares().is_some() {
            return plain(&self.maps()[0], self.c);
        }
        match (&self.rule.settings.form, self.rule.bias.slope()) {
            (Form::ChunkStart { .. }, _) => self.chunk_start(),
            (Form::Exact { .. }, Some(0.0)) => Flops::default(),
            (Form::Exact { .. }, Some(_)) => self.solved(),
            (Form::Exact { .. }, None) => self.substituted(),
        }
    }

    fn chunk_start(&self) -> Flops {
        let rows = self.keys();
        let anchored: Flops = self.passes().map(|map| plain(map, rows)).sum();
        let refined = if self.rule.has_identity_link() {
            self.each_token(self.passes(), rows)
        } else {
            self.all_written_out() + anchored
        };
        let picard = self.rule.settings.picard() as f64;
        anchored + refined * picard + self.rules() * (1.0 + picard)
    }

    /// The rows of every pass through the weights of their tokens, and writing those out where
    /// that is cheaper.
    fn each_token<'a>(&self, passes: impl Iterator<Item = &'a MapSpec>, rows: usize) -> Flops {
        let written: Flops = (self.maps().iter())
            .filter(|map| is_written(map))
            .map(|map| self.written_out(map))
            .sum();
        written + passes.map(|map| self.through(map, rows)).sum()
    }

    /// Rows through the weights of their tokens: those that are written out, or state, slots
    /// and anchor, and against the chunk's writes.
    fn through(&self, map: &MapSpec, rows: usize) -> Flops {
        if is_written(map) {
            return plain(map, rows);
        }
        plain(map, rows) * self.matrices() as f64
            + self.against_writes(map, rows, Side::Key)
            + self.against_writes(map, rows, Side::Value)
    }

    /// The product of rows with one side of the chunk's writes. Where channels of that side have
    /// decays of their own it is that of all pairs of halves.
    fn against_writes(&self, map: &MapSpec, rows: usize, side: Side) -> Flops {
        let (rows, written) = (rows * map.rows, self.keys() * map.rows);
        let width = match side {
            Side::Key => map.d_in,
            Side::Value => map.d_out,
        };
        if self.rule.decay_channels() == Some(side) {
            let size = self.c.next_power_of_two();
            let each = Flops::product(1, size * (size - 1) / 2, width, Both);
            return each * (rows / self.c * (written / self.c)) as f64;
        }
        match side {
            Side::Key => Flops::product(rows, width, written, Both),
            Side::Value => Flops::product(rows, written, width, Both),
        }
    }

    /// The matrices that make up a token's weights: the state, the slots, the anchor.
    fn matrices(&self) -> usize {
        1 + self.slots + usize::from(self.rule.retention.is_anchored())
    }

    /// A map's weights of every token: the products of its rows, and their sums.
    fn written_out(&self, map: &MapSpec) -> Flops {
        Flops::product(map.d_in, map.rows, map.d_out, Both) * self.keys() as f64
            + Flops::product(self.c, self.c, map.weights(), Both)
    }

    fn all_written_out(&self) -> Flops {
        self.maps().iter().map(|map| self.written_out(map)).sum()
    }

    /// What the step rules compute; norms are products where a token has several rows.
    fn rules(&self) -> Flops {
        let c = self.written();
        let overlaps = (self.program.output_maps().iter())
            .map(|l| &self.maps()[*l])
            .map(|map| Flops::product(c, self.rule.keys() * map.rows * map.d_in, c, Both))
            .chain([Flops::product(c, c, 1, Both)])
            .sum::<Flops>();
        let norms = (self.maps().iter())
            .map(|map| (self.rule.keys() * map.rows, map.d_in + map.d_out))
            .filter(|(rows, _)| *rows > 1)
            .map(|(rows, widths)| Flops::product(rows, widths, rows, Both) * c as f64)
            .sum::<Flops>();
        overlaps * self.rules_that_compute(RuleCost::Overlaps) as f64
            + norms * self.rules_that_compute(RuleCost::GradientNorms) as f64
            + (norms + Flops::product(c, c, 1, One))
                * self.rules_that_compute(RuleCost::AveragedNorms) as f64
    }

    /// Products of keys, the triangular inverse, solves, and the state's share in the gradients.
    fn solved(&self) -> Flops {
        let (rows, d_k, d_v) = (self.keys(), self.program.d_k(), self.program.d_v());
        let states = 1.0 + self.slots as f64;
        self.against_writes(&self.maps()[0], rows, Side::Key)
            + self.inverse()
            + Flops::product(rows, rows, d_k, Both) * states
            + Flops::product(rows, rows, d_v, Both)
            + Flops::product(rows, d_k, d_v, Both) * self.matrices() as f64
    }

    /// The inverse itself, and two products for its derivative.
    fn inverse(&self) -> Flops {
        let rows = self.keys();
        merges(rows) + Flops::product(rows, rows, rows, One) * 2.0
    }

    /// Products of keys, the state's share, and each token against those before it: in its own
    /// block one by one, and those of earlier blocks at once.
    fn substituted(&self) -> Flops {
        let (c, d_k, d_v) = (self.c, self.program.d_k(), self.program.d_v());
        let mut all = self.against_writes(&self.maps()[0], c, Side::Key)
            + Flops::product(c, d_k, d_v, Both) * self.matrices() as f64;
        for start in (0..c).step_by(BLOCK) {
            let block = BLOCK.min(c - start);
            all += Flops::product(block, start, d_v, Both);
            all += Flops::product(1, block * (block - 1) / 2, d_v, Both);
        }
        all
    }

    /// The chunk's writes into state and slots.
    fn end(&self) -> Flops {
        (self.maps().iter())
            .map(|map| Flops::product(map.d_in, self.keys() * map.rows, map.d_out, Both))
            .sum::<Flops>()
            * (1 + self.slots) as f64
            + match self.rule.least_squares() {
                None => Flops::default(),
                Some(_) => self.moments(1, Both),
            }
    }

    /// Products of `times` times all rows with what the features of tokens have in common, or that
    /// itself.
    fn moments(&self, times: usize, needs: Needs) -> Flops {
        let d = self.program.d_k();
        Flops::product(times * self.c, d, d, needs)
    }

    /// Queries through the inverse, and so their gradients: a product with the state and one with the
    /// chunk's features for each iteration.
    fn solves(&self, iterations: usize) -> Flops {
        let (c, d) = (self.c, self.program.d_k());
        let product = |times: usize, needs: Needs| {
            self.moments(times, needs)
                + Flops::product(times * c, d, c, needs)
                + Flops::product(times * c, c, d, needs)
        };
        product(iterations, One) + product(1, Both)
    }

    fn read(&self) -> Flops {
        let plain: Flops = self.maps().iter().map(|map| plain(map, self.c)).sum();
        if let Some(by) = self.rule.least_squares() {
            let recalled = self.each_token(self.maps().iter(), self.c);
            return plain + self.solves(by.iterations) + recalled;
        }
        match self.rule.settings.read() {
            Read::Stale => plain,
            Read::Exact if !self.rule.has_identity_link() => self.all_written_out() + plain,
            Read::Exact | Read::Frozen => self.each_token(self.maps().iter(), self.c),
        }
    }
}

/// Rows through one matrix, forward or transposed; `rows` of each is what the memory gets.
fn plain(map: &MapSpec, rows: usize) -> Flops {
    Flops::product(rows * map.rows, map.d_in, map.d_out, Both)
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
