//! The adjoint of a chunk, and of a sequence: from its end to its start.

use pulp::Simd;

use crate::{
    Gradients, Inputs, Link, OutputGradients, Read, Scan,
    buffer::{Buffer, padded},
    cap::Bent,
    chunk::{Chunk, minus, minus_product, of_tokens},
    coefficients::CoefficientGradients,
    nodes::{Keep, values},
    product::{Add, AddScaled, Band, Set, Unmask, product, product_above, times, transposed},
    rows,
    solved::SolvedGradients,
    start::{Start, StartGradients},
    state::{State, store},
    state_cap,
    targets::Targets,
    weights::{self, MapValues},
};

/// Gradients on the way back. A thread has one and uses it again and again.
pub(crate) struct Adjoint {
    /// The states of a stretch: those at the starts of its chunks.
    states: Vec<State>,
    /// At the state after the chunk, then at that before it.
    state: State,
    /// The state after the chunk before its cap.
    uncapped: Option<State>,
    anchors: Vec<Buffer>,
    /// At the values of the queries and of the keys.
    of_queries: Vec<Buffer>,
    of_keys: Vec<Buffer>,
    /// At the gradients at the values of the keys.
    of_d: Vec<Buffer>,
    of_targets: Targets,
    /// At the values of the link's formula, and at the scales by frozen reads.
    links: Vec<MapValues>,
    of_scales: Vec<f32>,
    /// In the exact form.
    solved: Option<SolvedGradients>,
    coefficients: CoefficientGradients,
    of_mask: Buffer,
    theta: Buffer,
    bent: Bent,
    room: Room,
}

/// Room for what is used at once.
struct Room {
    /// Each for one value of a chunk.
    values: [Buffer; 2],
    /// Each for what a query enters a map with.
    queries: [Buffer; 2],
    /// Each for a number for each pair of tokens.
    squares: [Buffer; 2],
    /// Each a number for each token.
    rows: [Buffer; 4],
    /// For the gradient of a map.
    map: Buffer,
}

impl Adjoint {
    pub(crate) fn new(scan: &Scan) -> Self {
        let (program, width) = (&scan.program, padded(scan.chunk));
        let state = State::new(program, scan.momentum);
        let widest = program.widths.iter().copied().max().expect("the input");
        let maps = program.maps.iter().map(|map| map.buffer());
        let largest = maps.max_by_key(|map| map.len()).expect("a map");
        let row = || Buffer::row(width);
        let square = || Buffer::new(width, width);
        Self {
            states: vec![state.clone(); scan.keep_every],
            uncapped: scan.caps().state.map(|_| state.clone()),
            state,
            anchors: scan.anchors(),
            of_queries: values(program, width),
            of_keys: values(program, width),
            of_d: values(program, width),
            of_targets: scan.bias.targets(program.d_v(), width),
            links: weights::values(scan),
            of_scales: vec![0.0; program.maps.len()],
            solved: (scan.exact()).map(|_| SolvedGradients::new(scan.chunk, program.d_v())),
            coefficients: CoefficientGradients::new(width),
            of_mask: square(),
            theta: row(),
            bent: Bent::new(width),
            room: Room {
                values: [(); 2].map(|()| Buffer::new(widest, width)),
                squares: [(); 2].map(|()| square()),
                queries: [(); 2].map(|()| Buffer::new(widest, width)),
                rows: [(); 4].map(|()| row()),
                map: largest,
            },
        }
    }

    /// All gradients of one memory.
    pub(crate) fn scan<S: Simd>(
        &mut self,
        simd: S,
        inputs: &Inputs<'_>,
        kept: &[State],
        of: &OutputGradients<'_>,
        chunk: &mut Chunk<'_>,
        mut out: Gradients<&mut [f32]>,
    ) {
        let scan = chunk.scan;
        let program = &scan.program;
        self.anchors.iter_mut().for_each(Buffer::clear);
        self.state.clear();
        self.state.load(program, &of.weights, &of.slots);
        chunk.start(inputs);

        let chunks = inputs.step.len() / scan.chunk;
        assert_eq!(
            kept.len(),
            chunks.div_ceil(scan.keep_every),
            "states of the tape"
        );
        for (stretch, start) in kept.iter().enumerate().rev() {
            let first = stretch * scan.keep_every;
            let last = chunks.min(first + scan.keep_every) - 1;
            self.states[0].copy_from(start);
            for n in first..last {
                let (before, after) = self.states.split_at_mut(n - first + 1);
                let state = &before[n - first];
                chunk.write(simd, n, inputs, state, Keep::Slope);
                chunk.end(simd, state, &mut after[0]);
            }
            for n in (first..=last).rev() {
                let states = std::mem::take(&mut self.states);
                let state = &states[n - first];
                chunk.write(simd, n, inputs, state, Keep::Curvature);
                chunk.read(simd, n, inputs, state, Keep::Slope);
                if let (Some(cap), Some(uncapped)) = (scan.caps().state, &mut self.uncapped) {
                    chunk.uncapped_end(simd, state, uncapped);
                    state_cap::backward(simd, cap, &mut self.state.weights, &uncapped.weights);
                }
                self.chunk(simd, n, inputs, of, chunk, state, &mut out);
                self.states = states;
            }
        }
        store(&self.state.weights, program, out.weights);
        store(&self.state.slots, program, out.slots);
        store(&self.anchors, program, out.anchors);
    }

    /// One chunk, which began in `state`.
    fn chunk<S: Simd>(
        &mut self,
        simd: S,
        n: usize,
        inputs: &Inputs<'_>,
        of: &OutputGradients<'_>,
        chunk: &Chunk<'_>,
        state: &State,
        out: &mut Gradients<&mut [f32]>,
    ) {
        let scan = chunk.scan;
        let program = &scan.program;
        let [d_k, d_v] = [program.d_k(), program.d_v()];
        for buffers in [&mut self.of_queries, &mut self.of_keys, &mut self.of_d] {
            buffers.iter_mut().for_each(Buffer::clear);
        }
        self.coefficients.clear();
        self.of_mask.clear();
        self.theta.clear();
        self.of_scales.fill(0.0);

        self.end(simd, chunk, state);
        let dy = of_tokens(of.y, n, scan, d_v);
        let room = &mut self.room.values[0];
        rows::load_columns(simd, &mut self.of_queries[program.output()], room, dy, d_v);
        self.read(simd, inputs, chunk, state);

        let tokens = n * scan.chunk..(n + 1) * scan.chunk;
        if scan.read() != Read::Stale {
            self.mask(simd, chunk);
        }
        if let Some((_, slope)) = scan.exact() {
            self.solved(simd, chunk, state, slope);
        }
        if let Some(cap) = &chunk.gradient_cap {
            let [of_square, by, ..] = &mut self.room.rows;
            cap.backward(
                simd,
                program,
                &mut self.theta,
                scan.chunk,
                [&chunk.keys.values, &chunk.d],
                [&mut self.of_keys, &mut self.of_d],
                [of_square, by],
            );
        }
        chunk.steps.backward(
            simd,
            &self.theta,
            &mut out.step[tokens.clone()],
            &chunk.coefficients,
            &mut self.coefficients,
            &mut self.bent,
        );
        if chunk.steps.is_capped() {
            for x in &program.features {
                self.bent
                    .pull(simd, &mut self.of_keys[*x], &chunk.keys.values[*x]);
            }
        }
        chunk
            .queries
            .pull_gains(simd, &self.of_queries, &mut out.gains);
        if scan.exact().is_none() {
            self.at_start(simd, inputs, chunk, state, &mut out.gains);
        }
        let of_log_momentum = if scan.momentum {
            &mut out.log_momentum[tokens.clone()]
        } else {
            &mut []
        };
        for (to, from) in out.bias_gates.iter_mut().zip(&self.of_targets.gates) {
            to[tokens.clone()].copy_from_slice(&from[..scan.chunk]);
        }
        let of_log_decay = &mut out.log_decay[tokens];
        let of = &mut self.coefficients;
        (chunk.coefficients).backward(simd, of, of_log_decay, of_log_momentum);

        for (to, from, d) in [
            (&mut out.q, &self.of_queries[0], d_k),
            (&mut out.k, &self.of_keys[0], d_k),
            (&mut out.v, &self.of_targets.v, d_v),
        ] {
            let len = scan.chunk * d;
            let to = &mut to[n * len..(n + 1) * len];
            rows::store_columns(simd, to, &mut self.room.values[0], from, d);
        }
    }

    /// From the state after the chunk to that before it, factors, steps and coefficients.
    fn end<S: Simd>(&mut self, simd: S, chunk: &Chunk<'_>, state: &State) {
        let (scan, width) = (chunk.scan, chunk.width);
        let end = chunk.coefficients.end();
        let last = scan.chunk - 1;
        let Room { values, rows, .. } = &mut self.room;
        let [by_writes, by_persists, dots, persist_dots] = rows;
        minus_product(by_writes, &chunk.steps.theta, end.writes);
        minus_product(by_persists, &chunk.steps.theta, end.persists);
        dots.clear();
        persist_dots.clear();
        for (l, map) in scan.program.maps.iter().enumerate() {
            let (x, d) = (&*chunk.keys.values[map.x], &*chunk.d[map.out]);
            let (of_x, of_d) = (&mut self.of_keys[map.x], &mut self.of_d[map.out]);
            let [written, persisted] = values.each_mut().map(|room| &mut room[..x.len()]);
            let [size_in, size_out] = [x, d].map(|columns| [columns.len() / width, width]);

            let of_weights = &mut *self.state.weights[l];
            let mut sink = AddScaled {
                out: of_x,
                scale: by_writes,
                with: x,
                dots,
            };
            let term = map.backward(of_weights, d);
            product(simd, size_in, &[term], &mut sink);
            rows::scale_columns(simd, written, x, by_writes);
            let through_weights = map.forward(of_weights, written);
            rows::add_dot(
                simd,
                &mut self.coefficients.carry[last],
                of_weights,
                &state.weights[l],
            );
            if !scan.momentum {
                product(simd, size_out, &[through_weights], &mut Add(of_d));
                rows::scale(simd, of_weights, end.carry);
                continue;
            }

            let of_slots = &mut *self.state.slots[l];
            let mut sink = AddScaled {
                out: of_x,
                scale: by_persists,
                with: x,
                dots: persist_dots,
            };
            let term = map.backward(of_slots, d);
            product(simd, size_in, &[term], &mut sink);
            rows::scale_columns(simd, persisted, x, by_persists);
            let terms = [through_weights, map.forward(of_slots, persisted)];
            product(simd, size_out, &terms, &mut Add(of_d));
            let slots = &state.slots[l];
            rows::add_dot(simd, &mut self.coefficients.share[last], of_weights, slots);
            rows::add_dot(simd, &mut self.coefficients.persisted, of_slots, slots);
            rows::combine(simd, of_slots, end.persisted, of_weights, end.share);
            rows::scale(simd, of_weights, end.carry);
        }
        let of_writes = &mut self.coefficients.writes[last * width..(last + 1) * width];
        for t in 0..scan.chunk {
            let theta = chunk.steps.theta[t];
            of_writes[t] -= dots[t] * theta;
            self.coefficients.persists[t] -= persist_dots[t] * theta;
            self.theta[t] -= dots[t] * end.writes[t] + persist_dots[t] * end.persists[t];
        }
    }

    /// From the outputs to queries, states, factors, the mask and coefficients.
    fn read<S: Simd>(&mut self, simd: S, inputs: &Inputs<'_>, chunk: &Chunk<'_>, state: &State) {
        let (scan, width) = (chunk.scan, chunk.width);
        let Self {
            state: of_state,
            anchors: of_anchors,
            of_queries,
            of_keys,
            of_d,
            coefficients: of,
            of_mask,
            of_scales,
            room,
            ..
        } = self;
        let read = scan.read();
        chunk
            .queries
            .pull(simd, &inputs.gains, of_queries, true, |at| {
                let (l, map) = (at.map, scan.program.maps[at.map]);
                let (given, of_out) = (&*chunk.queries.values[at.x], at.gradient);
                if read == Read::Stale {
                    let term = map.backward(&chunk.weights.of(state)[l], of_out);
                    let size = [at.into.len() / width, width];
                    product(simd, size, &[term], &mut Add(at.into));
                    return;
                }
                let [query, of_query] = (room.queries.each_mut()).map(|x| &mut x[..given.len()]);
                let (z, of_z) = if read == Read::Frozen {
                    rows::scaled(simd, query, given, chunk.weights.scale(l));
                    of_query.fill(0.0);
                    (&*query, &mut *of_query)
                } else {
                    (given, &mut *at.into)
                };
                let (x, d) = (&*chunk.keys.values[map.x], &*chunk.d[map.out]);
                let [size_in, size_out] = [x, d].map(|columns| [columns.len() / width, width]);

                let coefficients = [&*chunk.coefficients.carry, &*chunk.coefficients.share];
                let start = Start::new(scan, l, state, &chunk.anchors, coefficients);
                let of_start = StartGradients {
                    carry: &mut of.carry,
                    share: &mut of.share,
                    weights: &mut of_state.weights[l],
                    slots: of_state.slots.get_mut(l),
                    anchor: of_anchors.get_mut(l),
                };
                start.backward(simd, of_out, z, of_z, of_start, &mut room.values);

                let [of_overlap, turned] = &mut room.squares;
                let mut sink = Unmask {
                    sums: &chunk.overlaps[l],
                    by: &chunk.mask,
                    masked: of_overlap,
                    by_gradient: of_mask,
                };
                let term = transposed((d, width), of_out);
                product_above(simd, width, &[term], &mut sink);
                let term = times((x, width), of_overlap).within(Band::Upper);
                product(simd, size_in, &[term], &mut Add(of_z));
                rows::transpose(simd, turned, of_overlap, width);
                let term = times((z, width), turned).within(Band::Lower);
                product(simd, size_in, &[term], &mut Add(&mut of_keys[map.x]));
                rows::transpose(simd, turned, &chunk.couplings[l], width);
                let term = times((of_out, width), turned).within(Band::Lower);
                product(simd, size_out, &[term], &mut Add(&mut of_d[map.out]));
                if read == Read::Frozen {
                    rows::add_dot(simd, &mut of_scales[l], of_query, given);
                    rows::add_multiple(simd, at.into, of_query, chunk.weights.scale(l));
                }
            });
    }

    /// From the mask to steps and coefficients.
    fn mask<S: Simd>(&mut self, simd: S, chunk: &Chunk<'_>) {
        let [of_writes, turned] = &mut self.room.squares;
        let [row, sums, ..] = &mut self.room.rows;
        minus(row, &chunk.steps.theta);
        rows::scale_rows(simd, of_writes, &self.of_mask, row);
        rows::transpose(simd, turned, of_writes, chunk.width);
        rows::add(simd, &mut self.coefficients.writes, turned);
        sums.clear();
        rows::add_row_dots(simd, sums, &self.of_mask, &chunk.coefficients.turned_writes);
        for (theta, sum) in self.theta.iter_mut().zip(&**sums) {
            *theta -= sum;
        }
    }

    /// From gradients that were solved for to keys, values, states, steps and coefficients.
    fn solved<S: Simd>(&mut self, simd: S, chunk: &Chunk<'_>, state: &State, slope: f32) {
        let scan = chunk.scan;
        let (Some(solved), Some(of)) = (&chunk.solved, &mut self.solved) else {
            panic!("only the exact form solves for gradients");
        };
        of.clear();
        let [of_k, of_recalled] = self
            .of_keys
            .get_disjoint_mut([0, 1])
            .expect("a map has both");
        let (k, of_d) = (&chunk.keys.values[0], &mut self.of_d[1]);
        solved.backward(simd, of_d, &chunk.d[1], k, of, of_k);
        let of_targets = &mut self.of_targets;
        (scan.bias).backward(
            simd,
            of_recalled,
            of_targets,
            of_d,
            &chunk.targets,
            scan.chunk,
        );
        let start = Start::new(
            scan,
            0,
            state,
            &chunk.anchors,
            [&solved.carry, &solved.share],
        );
        let of_start = StartGradients {
            carry: &mut of.carry,
            share: &mut of.share,
            weights: &mut self.state.weights[0],
            slots: self.state.slots.first_mut(),
            anchor: self.anchors.first_mut(),
        };
        start.backward(simd, of_recalled, k, of_k, of_start, &mut self.room.values);
        let (theta, coefficients) = (&mut self.theta, &mut self.coefficients);
        solved.prepare_backward(simd, of, theta, slope, &chunk.coefficients, coefficients);
    }

    /// From gradients at the chunk's start to keys, values and the weights there.
    fn at_start<S: Simd>(
        &mut self,
        simd: S,
        inputs: &Inputs<'_>,
        chunk: &Chunk<'_>,
        state: &State,
        of_gains: &mut [&mut [f32]],
    ) {
        let (scan, width) = (chunk.scan, chunk.width);
        let program = &scan.program;
        let weights = chunk.weights.of(state);
        let Self {
            state: of_state,
            anchors: of_anchors,
            of_keys,
            of_d,
            of_targets,
            of_queries,
            of_scales,
            links,
            room,
            ..
        } = self;
        let gains = &inputs.gains;
        chunk.keys.push(
            simd,
            gains,
            &chunk.d,
            of_d,
            of_keys,
            of_gains,
            |l, t, out| {
                let term = program.maps[l].forward(&weights[l], t);
                let size = [out.len() / width, width];
                product(simd, size, &[term], &mut Add(out));
            },
        );
        let output = program.output();
        let (of_y, t) = (&mut of_keys[output], &of_d[output]);
        (scan.bias).backward(simd, of_y, of_targets, t, &chunk.targets, scan.chunk);
        chunk.keys.pull(simd, gains, of_keys, true, |at| {
            let (l, map) = (at.map, program.maps[at.map]);
            let term = map.backward(&weights[l], at.gradient);
            let size = [at.into.len() / width, width];
            product(simd, size, &[term], &mut Add(at.into));

            // Of W in xᵀ W, in d Wᵀ where the walk went on through it, and in stale reads.
            let [left, right] = map.sides(&chunk.keys.values[at.x], at.gradient);
            let [turned, turned_back] = room.values.each_mut().map(|room| &mut room[..right.len()]);
            rows::transpose(simd, turned, right, width);
            let mut terms = [times((left, width), turned); 3];
            let mut count = 1;
            if program.learned[at.x] {
                let [left, right] = map.sides(&of_d[at.x], &chunk.d[at.out]);
                rows::transpose(simd, turned_back, right, width);
                terms[count] = times((left, width), turned_back);
                count += 1;
            }
            if scan.read() == Read::Stale {
                let turned = &mut room.queries[0][..right.len()];
                let [left, right] = map.sides(&chunk.queries.values[at.x], &of_queries[at.out]);
                rows::transpose(simd, turned, right, width);
                terms[count] = times((left, width), turned);
                count += 1;
            }
            let terms = &terms[..count];
            let into = &mut *of_state.weights[l];
            if !scan.anchored && scan.link == Link::Identity {
                product(simd, map.size(), terms, &mut Add(into));
                return;
            }
            let gradient = &mut room.map[..into.len()];
            product(simd, map.size(), terms, &mut Set(gradient));
            (chunk.weights).backward(simd, l, state, gradient, of_scales[l], links);
            rows::add(simd, into, gradient);
            if scan.anchored {
                rows::add(simd, &mut of_anchors[l], gradient);
            }
        });
        chunk.keys.pull_gains(simd, of_keys, of_gains);
    }
}
