//! A case: a scan over random numbers, compared with the reference in values and gradients.

use miras_kernels::{Activation, Gradients, Inputs, Node, Output, OutputGradients, Program, Scan};
use miras_random::Stream;

use crate::reference::{Gradient, Link, Numbers, Outcome, run};

/// A scan, its inputs, and the weights of a sum over all that comes out.
pub(crate) struct Case {
    pub(crate) scan: Scan,
    pub(crate) nodes: Vec<Node>,
    pub(crate) memories: usize,
    pub(crate) numbers: Numbers,
    pub(crate) loss: Outcome,
}

/// What a memory is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// Features of keys; hidden layers have 5/3 of them, values 5/6 or, with a residual, as many.
    pub(crate) d: usize,
    pub(crate) depth: usize,
    pub(crate) norm: bool,
    pub(crate) residual: bool,
    pub(crate) gated: bool,
}

impl Parts {
    /// So many maps and activations between them.
    pub(crate) fn mlp(depth: usize) -> Self {
        Self {
            d: 24,
            depth,
            norm: false,
            residual: false,
            gated: false,
        }
    }

    fn d_v(self) -> usize {
        if self.residual {
            self.d
        } else {
            self.d * 5 / 6
        }
    }

    /// The widths of its maps.
    fn maps(self) -> Vec<[usize; 2]> {
        let (d, hidden, d_v) = (self.d, self.d * 5 / 3, self.d_v());
        if self.gated {
            return vec![[d, hidden], [d, hidden], [hidden, d_v]];
        }
        let width = |at: usize| match at {
            0 => d,
            at if at == self.depth => d_v,
            _ => hidden,
        };
        (0..self.depth)
            .map(|map| [width(map), width(map + 1)])
            .collect()
    }
}

/// The memory of these parts.
pub(crate) fn memory(parts: Parts, kind: Activation) -> (Program, Vec<Node>) {
    let mut nodes = Vec::new();
    let mut push = |node| {
        nodes.push(node);
        nodes.len()
    };
    let mut at = 0;
    if parts.gated {
        let gate = push(Node::Linear { map: 0, x: 0 });
        let gate = push(Node::Activation { kind, x: gate });
        let up = push(Node::Linear { map: 1, x: 0 });
        let both = push(Node::Product { a: gate, b: up });
        at = push(Node::Linear { map: 2, x: both });
    } else {
        for map in 0..parts.depth {
            if map > 0 {
                at = push(Node::Activation { kind, x: at });
            }
            at = push(Node::Linear { map, x: at });
        }
    }
    if parts.norm {
        at = push(Node::LayerNorm { gain: 0, x: at });
    }
    if parts.residual {
        push(Node::Sum { a: 0, b: at });
    }
    let program = Program::new(parts.d, &parts.maps(), &nodes);
    (program.unwrap(), nodes)
}

/// Normal numbers that float32 can hold.
struct Draw(Stream);

impl Draw {
    fn normal(&mut self, n: usize, deviation: f64) -> Vec<f64> {
        (0..n)
            .map(|_| f64::from((self.0.normal() * deviation) as f32))
            .collect()
    }

    fn between(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n)
            .map(|_| f64::from((low + (high - low) * self.0.unit()) as f32))
            .collect()
    }
}

impl Case {
    /// Unit keys and queries, decays down to 0.9, momenta up to 0.8, steps up to `step`.
    pub(crate) fn new(
        scan: Scan,
        nodes: Vec<Node>,
        parts: Parts,
        tokens: usize,
        step: f64,
    ) -> Self {
        let maps = parts.maps();
        let memories = 2;
        let n = memories * tokens;
        let mut draw = Draw(Stream::new(7, "kernels", &[]));
        let [d_k, d_v] = [scan.program.d_k(), scan.program.d_v()];
        let unit = |x: Vec<f64>| {
            let mut x = x;
            for row in x.chunks_exact_mut(d_k) {
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                for x in row {
                    *x = f64::from((*x / norm) as f32);
                }
            }
            x
        };
        let mut of_maps = |is_there: bool, scale: f64| -> Vec<Vec<f64>> {
            let maps = maps.iter().take(if is_there { maps.len() } else { 0 });
            maps.map(|[d_in, d_out]| {
                draw.normal(memories * d_in * d_out, scale / (*d_in as f64).sqrt())
            })
            .collect()
        };
        let weights = of_maps(true, 1.5);
        let slots = of_maps(scan.momentum, 0.3);
        let anchors = of_maps(scan.anchored, 0.7);
        let numbers = Numbers {
            q: unit(draw.normal(n * d_k, 1.0)),
            k: unit(draw.normal(n * d_k, 1.0)),
            v: draw.normal(n * d_v, 0.5),
            log_decay: draw.between(n, -0.1, 0.0),
            step: draw.between(n, 0.1 * step, step),
            log_momentum: if scan.momentum {
                draw.between(n, -1.5, -0.2)
            } else {
                Vec::new()
            },
            bias_gates: (0..scan.bias.gates())
                .map(|_| draw.between(n, 0.3, 1.2))
                .collect(),
            gains: (scan.program.gains().iter())
                .map(|d| draw.between(memories * d, 0.1, 0.4))
                .collect(),
            weights,
            slots,
            anchors,
        };
        let mut like = |all: &[Vec<f64>]| -> Vec<Vec<f64>> {
            all.iter().map(|x| draw.normal(x.len(), 1.0)).collect()
        };
        let loss = Outcome {
            weights: like(&numbers.weights),
            slots: like(&numbers.slots),
            y: draw.normal(n * d_v, 1.0),
            ..Outcome::default()
        };
        Self {
            scan,
            nodes,
            memories,
            numbers,
            loss,
        }
    }

    /// What the operation gives.
    pub(crate) fn forward(&self) -> Output {
        let numbers = Single::of(&self.numbers);
        self.scan.forward(&numbers.inputs(), false).0
    }

    /// Its gradients of the loss.
    pub(crate) fn backward(&self) -> Gradients {
        let numbers = Single::of(&self.numbers);
        let (_, tape) = self.scan.forward(&numbers.inputs(), true);
        let y = single(&self.loss.y);
        let [weights, slots] = [&self.loss.weights, &self.loss.slots]
            .map(|all| all.iter().map(|x| single(x)).collect::<Vec<_>>());
        let of = OutputGradients {
            y: &y,
            weights: weights.iter().map(|x| &x[..]).collect(),
            slots: slots.iter().map(|x| &x[..]).collect(),
        };
        self.scan.backward(&numbers.inputs(), &tape, &of)
    }

    /// Compares outputs, states and all gradients with those of the reference under `gradient`, and
    /// gives back what the reference gave.
    pub(crate) fn check(&self, name: &str, gradient: Gradient<'_>) -> Outcome {
        self.check_linked(name, gradient, Link::Identity)
    }

    /// The same behind a link.
    pub(crate) fn check_linked(
        &self,
        name: &str,
        gradient: Gradient<'_>,
        link: Link<'_>,
    ) -> Outcome {
        let (scan, nodes) = (&self.scan, &self.nodes);
        let reference =
            |numbers: &Numbers| run(scan, nodes, self.memories, numbers, gradient, link);
        let expected = reference(&self.numbers);
        let output = self.forward();
        near(&format!("{name}: y"), &output.y, &expected.y);
        for (ours, theirs) in output.weights.iter().zip(&expected.weights) {
            near(&format!("{name}: weights"), ours, theirs);
        }
        for (ours, theirs) in output.slots.iter().zip(&expected.slots) {
            near(&format!("{name}: slots"), ours, theirs);
        }
        assert_eq!(output.slots.len(), expected.slots.len(), "{name}");

        let gradients = self.backward();
        let loss = |numbers: &Numbers| {
            let outcome = reference(numbers);
            let maps = (outcome.weights.iter().zip(&self.loss.weights))
                .chain(outcome.slots.iter().zip(&self.loss.slots));
            maps.map(|(a, b)| dot(a, b)).sum::<f64>() + dot(&outcome.y, &self.loss.y)
        };
        let mut draw = Draw(Stream::new(8, name, &[]));
        for (at, (what, gradient)) in named(&gradients).into_iter().enumerate() {
            let size = gradient
                .iter()
                .map(|x| f64::from(*x).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(size > 0.0, "{name}: no gradient of {what}");
            for _ in 0..2 {
                let direction = draw.normal(gradient.len(), 1.0);
                let moved = |by: f64| {
                    let mut numbers = self.numbers.clone();
                    let all = arrays(&mut numbers);
                    let (found, x) = all.into_iter().nth(at).unwrap();
                    assert_eq!((found, x.len()), (what, direction.len()));
                    x.iter_mut().zip(&direction).for_each(|(x, d)| *x += by * d);
                    loss(&numbers)
                };
                let step = 1e-7;
                let theirs = (moved(step) - moved(-step)) / (2.0 * step);
                let ours: f64 = (gradient.iter().zip(&direction))
                    .map(|(a, b)| f64::from(*a) * b)
                    .sum();
                let error = (ours - theirs).abs() / size;
                assert!(
                    error < GRADIENT_ERROR,
                    "{name}: gradient of {what} off by {error:e}"
                );
            }
        }
        expected
    }
}

const VALUE_ERROR: f64 = 5e-6;
const GRADIENT_ERROR: f64 = 2e-5;

fn near(what: &str, ours: &[f32], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let (mut error, mut size) = (0.0, 0.0);
    for (ours, theirs) in ours.iter().zip(theirs) {
        error += (f64::from(*ours) - theirs).powi(2);
        size += theirs.powi(2);
    }
    let error = (error / size).sqrt();
    assert!(error < VALUE_ERROR, "{what} off by {error:e}");
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn single(x: &[f64]) -> Vec<f32> {
    x.iter().map(|x| *x as f32).collect()
}

/// All inputs by name, in one order with [`named`].
fn arrays(numbers: &mut Numbers) -> Vec<(&'static str, &mut Vec<f64>)> {
    let mut all = vec![
        ("q", &mut numbers.q),
        ("k", &mut numbers.k),
        ("v", &mut numbers.v),
        ("log_decay", &mut numbers.log_decay),
        ("step", &mut numbers.step),
    ];
    if !numbers.log_momentum.is_empty() {
        all.push(("log_momentum", &mut numbers.log_momentum));
    }
    for (name, arrays) in [
        ("bias_gates", &mut numbers.bias_gates),
        ("weights", &mut numbers.weights),
        ("slots", &mut numbers.slots),
        ("anchors", &mut numbers.anchors),
        ("gains", &mut numbers.gains),
    ] {
        all.extend(arrays.iter_mut().map(|x| (name, x)));
    }
    all
}

/// All gradients by name.
pub(crate) fn named(gradients: &Gradients) -> Vec<(&'static str, &Vec<f32>)> {
    let mut all = vec![
        ("q", &gradients.q),
        ("k", &gradients.k),
        ("v", &gradients.v),
        ("log_decay", &gradients.log_decay),
        ("step", &gradients.step),
    ];
    if !gradients.log_momentum.is_empty() {
        all.push(("log_momentum", &gradients.log_momentum));
    }
    for (name, arrays) in [
        ("bias_gates", &gradients.bias_gates),
        ("weights", &gradients.weights),
        ("slots", &gradients.slots),
        ("anchors", &gradients.anchors),
        ("gains", &gradients.gains),
    ] {
        all.extend(arrays.iter().map(|x| (name, x)));
    }
    all
}

/// The numbers in float32.
struct Single {
    one: [Vec<f32>; 6],
    maps: [Vec<Vec<f32>>; 5],
}

impl Single {
    fn of(numbers: &Numbers) -> Self {
        let Numbers {
            q,
            k,
            v,
            log_decay,
            step,
            log_momentum,
            bias_gates,
            weights,
            slots,
            anchors,
            gains,
        } = numbers;
        Self {
            one: [q, k, v, log_decay, step, log_momentum].map(|x| single(x)),
            maps: [bias_gates, weights, slots, anchors, gains]
                .map(|all| all.iter().map(|x| single(x)).collect()),
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        let [q, k, v, log_decay, step, log_momentum] = self.one.each_ref().map(|x| &x[..]);
        let [bias_gates, weights, slots, anchors, gains] =
            (self.maps.each_ref()).map(|all| all.iter().map(|x| &x[..]).collect());
        Inputs {
            q,
            k,
            v,
            log_decay,
            step,
            log_momentum,
            bias_gates,
            weights,
            slots,
            anchors,
            gains,
        }
    }
}
