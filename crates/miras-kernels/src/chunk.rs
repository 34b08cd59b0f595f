//! One chunk after the other: gradients at its start, its outputs, the state it leaves.

use pulp::Simd;

use crate::{
    Inputs, Output, Read, Scan,
    buffer::{Buffer, padded},
    cap::Steps,
    coefficients::Coefficients,
    gradient_cap::GradientCap,
    nodes::{Keep, Nodes, values},
    product::{Add, Band, Set, SetMasked, SetWith, product, product_above, times, transposed},
    rows,
    solved::Solved,
    start::Start,
    state::{State, load, store},
    state_cap,
    targets::Targets,
    weights::Weights,
};

/// All that is known of a chunk on the way forward. A thread has one and uses it again and again.
pub(crate) struct Chunk<'a> {
    pub(crate) scan: &'a Scan,
    /// Tokens, padded.
    pub(crate) width: usize,
    pub(crate) coefficients: Coefficients,
    pub(crate) steps: Steps,
    pub(crate) targets: Targets,
    pub(crate) gradient_cap: Option<GradientCap>,
    /// `A_init` of each map; none if not anchored.
    pub(crate) anchors: Vec<Buffer>,
    /// At the chunk's start.
    pub(crate) weights: Weights<'a>,
    /// The memory over the keys, and the gradients at its values.
    pub(crate) keys: Nodes<'a>,
    pub(crate) d: Vec<Buffer>,
    /// In the exact form.
    pub(crate) solved: Option<Solved>,
    /// The memory over the queries.
    pub(crate) queries: Nodes<'a>,
    /// `−θ_i writes_ti`, a row for each `i`.
    pub(crate) mask: Buffer,
    /// Of each map, `⟨x_i, z_t⟩` and that times the mask.
    pub(crate) overlaps: Vec<Buffer>,
    pub(crate) couplings: Vec<Buffer>,
    pub(crate) room: Room,
}

/// Room for what is used at once.
pub(crate) struct Room {
    /// Each for one value of a chunk.
    pub(crate) values: [Buffer; 2],
    /// For what a query enters a map with.
    query: Buffer,
    /// Each a number for each token.
    pub(crate) row: Buffer,
}

impl<'a> Chunk<'a> {
    pub(crate) fn new(scan: &'a Scan) -> Self {
        let (program, width) = (&scan.program, padded(scan.chunk));
        let square = || Buffer::new(width, width);
        let caps = scan.caps();
        let widest = program.widths.iter().copied().max().expect("the input");
        let wide = || Buffer::new(widest, width);
        Self {
            scan,
            width,
            coefficients: Coefficients::new(scan.chunk),
            steps: Steps::new(caps.load, scan.chunk),
            gradient_cap: (caps.gradient).map(|cap| GradientCap::new(cap, program, scan.chunk)),
            targets: scan.bias.targets(program.d_v(), width),
            anchors: scan.anchors(),
            weights: Weights::new(scan),
            keys: Nodes::new(program, width, Keep::Curvature),
            d: values(program, width),
            solved: (scan.exact()).map(|(order, _)| Solved::new(order, scan.chunk, program.d_v())),
            queries: Nodes::new(program, width, Keep::Slope),
            mask: square(),
            overlaps: program.maps.iter().map(|_| square()).collect(),
            couplings: program.maps.iter().map(|_| square()).collect(),
            room: Room {
                values: [wide(), wide()],
                query: wide(),
                row: Buffer::row(width),
            },
        }
    }

    /// A whole sequence; gives back the states that were kept.
    pub(crate) fn scan<S: Simd>(
        &mut self,
        simd: S,
        inputs: &Inputs<'_>,
        keep: bool,
        output: Output<&mut [f32]>,
    ) -> Vec<State> {
        let scan = self.scan;
        let program = &scan.program;
        let mut states = [0; 2].map(|_| State::new(program, scan.momentum));
        states[0].load(program, &inputs.weights, &inputs.slots);
        self.start(inputs);
        let Output { y, weights, slots } = output;
        let mut kept = Vec::new();
        let chunks = y.chunks_exact_mut(scan.chunk * program.d_v());
        for (n, y) in chunks.enumerate() {
            let [state, next] = &mut states;
            if keep && n.is_multiple_of(scan.keep_every) {
                kept.push(state.clone());
            }
            self.write(simd, n, inputs, state, Keep::Slope);
            self.read(simd, n, inputs, state, Keep::Value);
            let columns = &self.queries.values[program.output()];
            let room = &mut self.room.values[0];
            rows::store_columns(simd, y, room, columns, program.d_v());
            self.end(simd, state, next);
            states.swap(0, 1);
        }
        store(&states[0].weights, program, weights);
        store(&states[0].slots, program, slots);
        kept
    }

    /// Before the first chunk of a sequence.
    pub(crate) fn start(&mut self, inputs: &Inputs<'_>) {
        load(&mut self.anchors, &self.scan.program, &inputs.anchors);
    }

    /// The gradients and step sizes of chunk `n`, which begins in `state`.
    pub(crate) fn write<S: Simd>(
        &mut self,
        simd: S,
        n: usize,
        inputs: &Inputs<'_>,
        state: &State,
        keep: Keep,
    ) {
        let scan = self.scan;
        let program = &scan.program;
        let tokens = n * scan.chunk..(n + 1) * scan.chunk;
        let momentum = (scan.momentum).then(|| &inputs.log_momentum[tokens.clone()]);
        let log_decay = &inputs.log_decay[tokens.clone()];
        self.coefficients.compute(simd, log_decay, momentum);

        let room = &mut self.room.values[0];
        let (k, v) = (
            of_tokens(inputs.k, n, scan, program.d_k()),
            of_tokens(inputs.v, n, scan, program.d_v()),
        );
        rows::load_columns(simd, &mut self.keys.values[0], room, k, program.d_k());
        rows::load_columns(simd, &mut self.targets.v, room, v, program.d_v());

        for (row, gate) in self.targets.gates.iter_mut().zip(&inputs.bias_gates) {
            row[..scan.chunk].copy_from_slice(&gate[tokens.clone()]);
        }

        let step = &inputs.step[tokens];
        match scan.exact() {
            Some((_, slope)) => self.solve(simd, step, state, slope),
            None => self.at_start(simd, inputs, step, state, keep),
        }
    }

    /// All gradients at the weights the chunk begins with, and the steps under the cap.
    fn at_start<S: Simd>(
        &mut self,
        simd: S,
        inputs: &Inputs<'_>,
        step: &[f32],
        state: &State,
        keep: Keep,
    ) {
        let (scan, width) = (self.scan, self.width);
        let program = &scan.program;
        self.weights.compute(simd, state, &self.anchors);
        let weights = self.weights.of(state);
        self.keys.forward(simd, keep, &inputs.gains, |l, x, out| {
            let term = program.maps[l].forward(&weights[l], x);
            let size = [out.len() / width, width];
            product(simd, size, &[term], &mut Set(out));
        });

        for d in &mut self.d {
            d.clear();
        }
        let output = program.output();
        let y = &self.keys.values[output];
        let targets = &mut self.targets;
        (scan.bias).gradient(simd, &mut self.d[output], y, targets, scan.chunk);
        self.keys
            .pull(simd, &inputs.gains, &mut self.d, false, |at| {
                let term = program.maps[at.map].backward(&weights[at.map], at.gradient);
                let size = [at.into.len() / width, width];
                product(simd, size, &[term], &mut Add(at.into));
            });

        let features = program.features.iter().map(|x| &self.keys.values[*x]);
        self.steps.compute(simd, step, &self.coefficients, features);
        if let Some(cap) = &mut self.gradient_cap {
            let (theta, x) = (&mut self.steps.theta, &self.keys.values);
            cap.apply(simd, program, theta, scan.chunk, x, &self.d);
        }
    }

    /// The gradients that are solved for.
    fn solve<S: Simd>(&mut self, simd: S, step: &[f32], state: &State, slope: f32) {
        let scan = self.scan;
        let k = &self.keys.values[0];
        self.steps
            .compute(simd, step, &self.coefficients, std::iter::empty());
        let solved = self.solved.as_mut().expect("the form is exact");
        solved.prepare(simd, k, &self.steps.theta, slope, &self.coefficients);

        let coefficients = [&*solved.carry, &*solved.share];
        let start = Start::new(scan, 0, state, &self.anchors, coefficients);
        let [k, recalled] = self
            .keys
            .values
            .get_disjoint_mut([0, 1])
            .expect("a map has both");
        start.forward(simd, recalled, k, None, &mut self.room.values);
        let (d, targets) = (&mut self.d[1], &mut self.targets);
        scan.bias.gradient(simd, d, recalled, targets, scan.chunk);
        solved.solve(simd, d);
    }

    /// The outputs of the chunk, from the state it begins in.
    pub(crate) fn read<S: Simd>(
        &mut self,
        simd: S,
        n: usize,
        inputs: &Inputs<'_>,
        state: &State,
        keep: Keep,
    ) {
        let (scan, width) = (self.scan, self.width);
        let program = &scan.program;
        let Self {
            coefficients,
            anchors,
            weights,
            keys,
            d,
            queries,
            mask,
            overlaps,
            couplings,
            room,
            ..
        } = self;
        let read = scan.read();
        if read != Read::Stale {
            minus(&mut room.row, &self.steps.theta);
            rows::scale_rows(simd, mask, &coefficients.turned_writes, &room.row);
        }

        let q = of_tokens(inputs.q, n, scan, program.d_k());
        rows::load_columns(
            simd,
            &mut queries.values[0],
            &mut room.values[0],
            q,
            program.d_k(),
        );
        queries.forward(simd, keep, &inputs.gains, |l, z, out| {
            let map = program.maps[l];
            let z = match read {
                Read::Exact => z,
                Read::Frozen => {
                    let query = &mut room.query[..z.len()];
                    rows::scaled(simd, query, z, weights.scale(l));
                    query
                }
                Read::Stale => {
                    let term = map.forward(&weights.of(state)[l], z);
                    product(simd, [out.len() / width, width], &[term], &mut Set(out));
                    return;
                }
            };
            let overlap = transposed((&keys.values[map.x], width), z);
            let mut sink = SetMasked {
                sums: &mut overlaps[l],
                out: &mut couplings[l],
                by: mask,
            };
            product_above(simd, width, &[overlap], &mut sink);

            let written = times((&d[map.out], width), &couplings[l]).within(Band::Upper);
            let coefficients = [&*coefficients.carry, &*coefficients.share];
            let start = Start::new(scan, l, state, anchors, coefficients);
            start.forward(simd, out, z, Some(written), &mut room.values);
        });
    }

    /// The state after the chunk that begins in `state`.
    pub(crate) fn end<S: Simd>(&mut self, simd: S, state: &State, next: &mut State) {
        self.uncapped_end(simd, state, next);
        if let Some(cap) = self.scan.caps().state {
            state_cap::cap(simd, cap, &mut next.weights);
        }
    }

    /// The same before the cap.
    pub(crate) fn uncapped_end<S: Simd>(&mut self, simd: S, state: &State, next: &mut State) {
        let (scan, width) = (self.scan, self.width);
        let Room { values, row, .. } = &mut self.room;
        let end = self.coefficients.end();
        for (l, map) in scan.program.maps.iter().enumerate() {
            let [left, right] = map.sides(&self.keys.values[map.x], &self.d[map.out]);
            let [turned, scaled] = values.each_mut().map(|room| &mut room[..right.len()]);
            rows::transpose(simd, turned, right, width);
            let size = map.size();

            minus_product(row, &self.steps.theta, end.writes);
            rows::scale_rows(simd, scaled, turned, row);
            let term = [times((left, width), scaled)];
            let before = (end.carry, &*state.weights[l]);
            let out = &mut *next.weights[l];
            if !scan.momentum {
                let others = [before];
                product(simd, size, &term, &mut SetWith { out, others });
                continue;
            }
            let others = [before, (end.share, &*state.slots[l])];
            product(simd, size, &term, &mut SetWith { out, others });

            minus_product(row, &self.steps.theta, end.persists);
            rows::scale_rows(simd, scaled, turned, row);
            let term = [times((left, width), scaled)];
            let out = &mut *next.slots[l];
            let others = [(end.persisted, &*state.slots[l])];
            product(simd, size, &term, &mut SetWith { out, others });
        }
    }
}

/// The numbers of chunk `n`, of which a token has `d`.
pub(crate) fn of_tokens<'a>(x: &'a [f32], n: usize, scan: &Scan, d: usize) -> &'a [f32] {
    let len = scan.chunk * d;
    &x[n * len..(n + 1) * len]
}

/// `out = −x`.
pub(crate) fn minus(out: &mut [f32], x: &[f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = -x;
    }
}

/// `out = −a ⊙ b`.
pub(crate) fn minus_product(out: &mut [f32], a: &[f32], b: &[f32]) {
    for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
        *out = -a * b;
    }
}
