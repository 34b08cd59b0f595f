//! The recurrence, token by token and number by number in float64.

use miras_kernels::{Activation, Caps, Form, Node, Order, Read, Scan};

/// Inputs of `g` memories, in the layouts of `miras_kernels::Inputs`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    pub(crate) q: Vec<f64>,
    pub(crate) k: Vec<f64>,
    pub(crate) v: Vec<f64>,
    pub(crate) log_decay: Vec<f64>,
    pub(crate) step: Vec<f64>,
    pub(crate) log_momentum: Vec<f64>,
    pub(crate) bias_gates: Vec<Vec<f64>>,
    pub(crate) weights: Vec<Vec<f64>>,
    pub(crate) slots: Vec<Vec<f64>>,
    pub(crate) anchors: Vec<Vec<f64>>,
    pub(crate) gains: Vec<Vec<f64>>,
}

/// What comes out, and how many tokens and states were capped.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) y: Vec<f64>,
    pub(crate) weights: Vec<Vec<f64>>,
    pub(crate) slots: Vec<Vec<f64>>,
    /// By the load, and by the gradient.
    pub(crate) capped: [usize; 2],
    pub(crate) capped_states: usize,
}

/// `x W` with `W [d_in, d_out]`.
fn through(x: &[f64], weights: &[f64]) -> Vec<f64> {
    let d_out = weights.len() / x.len();
    let column = |o: usize| {
        let products = x
            .iter()
            .enumerate()
            .map(|(i, x)| x * weights[i * d_out + o]);
        products.sum()
    };
    (0..d_out).map(column).collect()
}

/// `d Wᵀ`.
fn back(d: &[f64], weights: &[f64]) -> Vec<f64> {
    let rows = weights.chunks_exact(d.len());
    rows.map(|row| dot(row, d)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn error_function(x: f64) -> f64 {
    // Abramowitz and Stegun 7.1.5 near 0, the continued fraction 7.1.14 away from it.
    let z = x.abs();
    let value = if z < 2.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..60 {
            term *= -z * z / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        let mut fraction = 0.0;
        for n in (1..80).rev() {
            fraction = f64::from(n) / 2.0 / (z + fraction);
        }
        1.0 - (-z * z).exp() / std::f64::consts::PI.sqrt() / (z + fraction)
    };
    value * x.signum()
}

/// Value and slope.
fn activation(kind: Activation, x: f64) -> [f64; 2] {
    match kind {
        Activation::Gelu => {
            let cdf = 0.5 * (1.0 + error_function(x / 2f64.sqrt()));
            let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
            [x * cdf, cdf + x * density]
        }
        Activation::Silu => {
            let s = 1.0 / (1.0 + (-x).exp());
            [x * s, s * (1.0 + x * (1.0 - s))]
        }
        Activation::ReluSquared => [x.max(0.0).powi(2), 2.0 * x.max(0.0)],
    }
}

/// A normalised row, and `1 / √(var + ε)`.
fn normalised(x: &[f64]) -> (Vec<f64>, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let scale = 1.0 / (variance + 1e-5).sqrt();
    (x.iter().map(|x| (x - mean) * scale).collect(), scale)
}

fn both(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
}

/// All values of a program for one token.
fn values(nodes: &[Node], weights: &[Vec<f64>], gains: &[&[f64]], x: &[f64]) -> Vec<Vec<f64>> {
    let mut values = vec![x.to_vec()];
    for node in nodes {
        let value = match *node {
            Node::Linear { map, x } => through(&values[x], &weights[map]),
            Node::Activation { kind, x } => {
                values[x].iter().map(|x| activation(kind, *x)[0]).collect()
            }
            Node::Product { a, b } => both(&values[a], &values[b], |a, b| a * b),
            Node::Sum { a, b } => both(&values[a], &values[b], |a, b| a + b),
            Node::LayerNorm { gain, x } => {
                both(&normalised(&values[x]).0, gains[gain], |x, gain| x * gain)
            }
        };
        values.push(value);
    }
    values
}

/// `(x, d)` of every map, from the gradient at the output.
fn factors(
    nodes: &[Node],
    weights: &[Vec<f64>],
    gains: &[&[f64]],
    values: &[Vec<f64>],
    output: Vec<f64>,
) -> Vec<(Vec<f64>, Vec<f64>)> {
    let mut gradients: Vec<Vec<f64>> = values.iter().map(|x| vec![0.0; x.len()]).collect();
    gradients[nodes.len()] = output;
    let mut factors = vec![(Vec::new(), Vec::new()); weights.len()];
    for (at, node) in nodes.iter().enumerate().rev() {
        let d = gradients[at + 1].clone();
        let mut add = |to: usize, more: Vec<f64>| {
            gradients[to] = both(&gradients[to], &more, |a, b| a + b);
        };
        match *node {
            Node::Linear { map, x } => {
                add(x, back(&d, &weights[map]));
                factors[map] = (values[x].clone(), d);
            }
            Node::Activation { kind, x } => {
                add(x, both(&values[x], &d, |x, d| activation(kind, x)[1] * d));
            }
            Node::Product { a, b } => {
                add(a, both(&values[b], &d, |b, d| b * d));
                add(b, both(&values[a], &d, |a, d| a * d));
            }
            Node::Sum { a, b } => {
                add(a, d.clone());
                add(b, d);
            }
            Node::LayerNorm { gain, x } => {
                let (normal, scale) = normalised(&values[x]);
                let u = both(&d, gains[gain], |d, gain| d * gain);
                let n = u.len() as f64;
                let mean = u.iter().sum::<f64>() / n;
                let along = dot(&u, &normal) / n;
                add(x, both(&u, &normal, |u, o| (u - mean - o * along) * scale));
            }
        }
    }
    factors
}

/// A token of the chunk that was written.
struct Written {
    features: Vec<f64>,
    share: f64,
    left: f64,
}

/// The load of the last token.
fn load(written: &[Written]) -> f64 {
    let own = &written[written.len() - 1].features;
    (written.iter())
        .map(|token| dot(&token.features, own).abs() * token.share * token.left)
        .sum()
}

/// The gradient of a bias from `y`, `v` and the gates of a token.
pub(crate) type Gradient<'a> = &'a dyn Fn(&[f64], &[f64], &[f64]) -> Vec<f64>;

/// The link from the state of a map to its weights.
#[derive(Clone, Copy)]
pub(crate) enum Link<'a> {
    Identity,
    /// By a number of the state.
    Scale(&'a dyn Fn(&[f64]) -> f64),
    /// Of the state and the length of its rows.
    General(&'a dyn Fn(&[f64], usize) -> Vec<f64>),
}

impl Link<'_> {
    fn scale(self, state: &[f64]) -> f64 {
        match self {
            Link::Scale(scale) => scale(state),
            _ => panic!("the link is no scale"),
        }
    }

    fn weights(self, state: &[f64], d_out: usize) -> Vec<f64> {
        match self {
            Link::Identity => state.to_vec(),
            Link::Scale(_) => times(state, self.scale(state)),
            Link::General(f) => f(state, d_out),
        }
    }
}

fn times(x: &[f64], by: f64) -> Vec<f64> {
    x.iter().map(|x| by * x).collect()
}

/// One memory, and the weights of its states.
struct Memory<'a> {
    scan: &'a Scan,
    link: Link<'a>,
    anchors: Vec<Vec<f64>>,
    state: Vec<Vec<f64>>,
    slots: Vec<Vec<f64>>,
}

impl Memory<'_> {
    /// `[A_init +] A`.
    fn linked(&self, state: &[Vec<f64>]) -> Vec<Vec<f64>> {
        if self.scan.anchored {
            let maps = state.iter().zip(&self.anchors);
            maps.map(|(a, b)| both(a, b, |a, b| a + b)).collect()
        } else {
            state.to_vec()
        }
    }

    fn weights_of(&self, state: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let maps = self.linked(state).into_iter().zip(self.scan.program.maps());
        maps.map(|(map, [_, d_out])| self.link.weights(&map, d_out))
            .collect()
    }

    fn write(&mut self, factors: &[(Vec<f64>, Vec<f64>)], decay: f64, momentum: f64, step: f64) {
        for (l, (x, d)) in factors.iter().enumerate() {
            for (i, x) in x.iter().enumerate() {
                for (o, d) in d.iter().enumerate() {
                    let at = i * factors[l].1.len() + o;
                    let (state, slot) = (&mut self.state[l][at], &mut self.slots[l][at]);
                    *slot = momentum * *slot - step * x * d;
                    *state = decay * *state + *slot;
                }
            }
        }
    }
}

/// What the caps of a memory do.
struct Capped<'a> {
    caps: Caps,
    written: Vec<Written>,
    outcome: &'a mut Outcome,
}

impl Capped<'_> {
    /// The step of a token with these features and factors.
    fn step(
        &mut self,
        step: f64,
        decay: f64,
        momentum: f64,
        features: Vec<f64>,
        factors: &[(Vec<f64>, Vec<f64>)],
    ) -> f64 {
        let mut capped = step;
        if let Some(cap) = self.caps.load {
            for token in &mut self.written {
                token.left *= decay;
            }
            self.written.push(Written {
                features,
                share: step / (1.0 - momentum).max(1e-3),
                left: 1.0,
            });
            let excess = (load(&self.written) / f64::from(cap)).max(1.0);
            self.outcome.capped[0] += usize::from(excess > 1.0);
            capped /= excess * excess;
        }
        if let Some(cap) = self.caps.gradient {
            let square: f64 = factors.iter().map(|(x, d)| dot(x, x) * dot(d, d)).sum();
            let norm = (square + 1e-12).sqrt();
            self.outcome.capped[1] += usize::from(norm > f64::from(cap));
            capped *= (f64::from(cap) / norm).min(1.0);
        }
        capped
    }

    fn end(&mut self, state: &mut [Vec<f64>]) {
        self.written.clear();
        let Some(cap) = self.caps.state else { return };
        for map in state {
            let norm = (dot(map, map) + 1e-12).sqrt();
            self.outcome.capped_states += usize::from(norm > f64::from(cap));
            *map = times(map, (f64::from(cap) / norm).min(1.0));
        }
    }
}

/// What a memory does, as the recurrence states it.
pub(crate) fn run(
    scan: &Scan,
    nodes: &[Node],
    memories: usize,
    numbers: &Numbers,
    gradient: Gradient<'_>,
    link: Link<'_>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let tokens = numbers.step.len() / memories;
    let [d_k, d_v] = [scan.program.d_k(), scan.program.d_v()];
    let (read, caps) = match scan.form {
        Form::ChunkStart { read, caps } => (read, caps),
        Form::Exact { .. } => (Read::Exact, Caps::default()),
    };
    for g in 0..memories {
        let part = |all: &Vec<f64>| {
            let len = all.len() / memories;
            all[g * len..(g + 1) * len].to_vec()
        };
        let all = |maps: &[Vec<f64>]| -> Vec<Vec<f64>> { maps.iter().map(part).collect() };
        let state = all(&numbers.weights);
        let none: Vec<Vec<f64>> = state.iter().map(|map| vec![0.0; map.len()]).collect();
        let mut memory = Memory {
            scan,
            link,
            anchors: all(&numbers.anchors),
            slots: if scan.momentum {
                all(&numbers.slots)
            } else {
                none
            },
            state,
        };
        let gains = all(&numbers.gains);
        let gains: Vec<&[f64]> = gains.iter().map(|gain| &gain[..]).collect();
        let (mut start, mut scales, mut y) = (Vec::new(), Vec::new(), Vec::new());
        let mut capped = Capped {
            caps,
            written: Vec::new(),
            outcome: &mut outcome,
        };
        for t in 0..tokens {
            let at = g * tokens + t;
            let decay = numbers.log_decay[at].exp();
            let momentum = numbers.log_momentum.get(at).map_or(0.0, |log| log.exp());
            match scan.form {
                Form::ChunkStart { .. } if t % scan.chunk == 0 => {
                    start = memory.weights_of(&memory.state);
                    if read == Read::Frozen {
                        let linked = memory.linked(&memory.state);
                        scales = linked.iter().map(|map| link.scale(map)).collect();
                    }
                }
                Form::ChunkStart { .. } => {}
                Form::Exact { order } => {
                    let by = match order {
                        Order::After => 1.0,
                        Order::Before => decay,
                    };
                    let decayed: Vec<_> = memory.state.iter().map(|map| times(map, by)).collect();
                    start = memory.weights_of(&decayed);
                }
            }
            let k = &numbers.k[at * d_k..(at + 1) * d_k];
            let v = &numbers.v[at * d_v..(at + 1) * d_v];
            let at_start = values(nodes, &start, &gains, k);
            let gates: Vec<f64> = numbers.bias_gates.iter().map(|gate| gate[at]).collect();
            let d = gradient(&at_start[nodes.len()], v, &gates);
            let factors = factors(nodes, &start, &gains, &at_start, d);
            let features = features(nodes, &at_start);
            let step = capped.step(numbers.step[at], decay, momentum, features, &factors);
            memory.write(&factors, decay, momentum, step);

            let q = &numbers.q[at * d_k..(at + 1) * d_k];
            let weights = match read {
                Read::Exact => memory.weights_of(&memory.state),
                Read::Stale => start.clone(),
                Read::Frozen => (memory.linked(&memory.state).iter().zip(&scales))
                    .map(|(map, scale)| times(map, *scale))
                    .collect(),
            };
            y.append(&mut values(nodes, &weights, &gains, q)[nodes.len()]);
            if (t + 1) % scan.chunk == 0 {
                capped.end(&mut memory.state);
            }
        }
        outcome.y.append(&mut y);
        join(&mut outcome.weights, memory.state);
        if scan.momentum {
            join(&mut outcome.slots, memory.slots);
        }
    }
    outcome
}

/// The maps of another memory behind those of the ones before it.
fn join(all: &mut Vec<Vec<f64>>, maps: Vec<Vec<f64>>) {
    all.resize(maps.len(), Vec::new());
    for (all, map) in all.iter_mut().zip(maps) {
        all.extend(map);
    }
}

/// What enters the maps that make the output, side by side.
fn features(nodes: &[Node], values: &[Vec<f64>]) -> Vec<f64> {
    fn collect(at: usize, nodes: &[Node], values: &[Vec<f64>], found: &mut Vec<f64>) {
        let Some(node) = at.checked_sub(1).map(|at| nodes[at]) else {
            return;
        };
        match node {
            Node::Linear { x, .. } => found.extend(&values[x]),
            Node::Activation { x, .. } | Node::LayerNorm { x, .. } => {
                collect(x, nodes, values, found);
            }
            Node::Product { a, b } | Node::Sum { a, b } => {
                collect(a, nodes, values, found);
                collect(b, nodes, values, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(nodes.len(), nodes, values, &mut found);
    found
}
