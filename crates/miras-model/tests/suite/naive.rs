//! The layers once more, as loops over numbers: what `layers.rs` compares with.
//!
//! Written from the formulas in the documentation, one batch row at a time.

use std::collections::BTreeMap;

/// Tokens of one batch row, each with its features.
pub(crate) type Rows = Vec<Vec<f64>>;

/// A model's parameters by name, for example `blocks.0.mixer.q.weight`.
pub(crate) struct Params(pub(crate) BTreeMap<String, Vec<f64>>);

impl Params {
    pub(crate) fn get(&self, name: &str) -> &[f64] {
        self.find(name)
            .unwrap_or_else(|| panic!("no parameter {name}"))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&[f64]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub(crate) fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

fn each(x: &Rows, f: impl Fn(f64) -> f64) -> Rows {
    x.iter()
        .map(|row| row.iter().map(|x| f(*x)).collect())
        .collect()
}

fn pairs(a: &Rows, b: &Rows, f: impl Fn(f64, f64) -> f64) -> Rows {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect())
        .collect()
}

/// `y_o = Σ_i x_i w[i, o]`.
fn linear(x: &Rows, weight: &[f64]) -> Rows {
    let d_out = weight.len() / x[0].len();
    let output = |row: &Vec<f64>, o: usize| -> f64 {
        let terms = row.iter().enumerate();
        terms.map(|(i, x)| x * weight[i * d_out + o]).sum()
    };
    x.iter()
        .map(|row| (0..d_out).map(|o| output(row, o)).collect())
        .collect()
}

/// `y_tc = Σ_j taps[j, c] x_(t−j)c`, 0 before the first token.
fn conv(x: &Rows, taps: &[f64]) -> Rows {
    let d = x[0].len();
    let at = |t: usize, c: usize| -> f64 {
        (0..taps.len() / d)
            .filter(|j| *j <= t)
            .map(|j| taps[j * d + c] * x[t - j][c])
            .sum()
    };
    (0..x.len())
        .map(|t| (0..d).map(|c| at(t, c)).collect())
        .collect()
}

/// `x / √(mean x² + 1e-5) · γ`.
fn rms_norm(x: &Rows, gamma: &[f64]) -> Rows {
    let norm = |row: &Vec<f64>| {
        let square = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
        let rms = (square + 1e-5).sqrt();
        row.iter().zip(gamma).map(|(x, g)| x / rms * g).collect()
    };
    x.iter().map(norm).collect()
}

/// Features of head `h` of `heads`.
fn head(x: &Rows, h: usize, heads: usize) -> Rows {
    let d = x[0].len() / heads;
    x.iter()
        .map(|row| row[h * d..(h + 1) * d].to_vec())
        .collect()
}

/// Heads side by side.
fn join(heads: &[Rows]) -> Rows {
    (0..heads[0].len())
        .map(|t| heads.iter().flat_map(|rows| rows[t].clone()).collect())
        .collect()
}

/// `x / √(|x|² + 1e-6)`.
fn unit(x: &Rows) -> Rows {
    let unit = |row: &Vec<f64>| {
        let norm = (row.iter().map(|x| x * x).sum::<f64>() + 1e-6).sqrt();
        row.iter().map(|x| x / norm).collect()
    };
    x.iter().map(unit).collect()
}

/// Queries, keys, values: projected, then convolved where there are convolutions.
fn query_key_value(params: &Params, name: &str, x: &Rows) -> [Rows; 3] {
    let mut at = 0;
    ["q", "k", "v"].map(|which| {
        let projected = linear(x, params.get(&format!("{name}.{which}.weight")));
        let taps = params.find(&format!("{name}.convs.{at}.taps"));
        at += 1;
        taps.map_or(projected.clone(), |taps| conv(&projected, taps))
    })
}

/// A matrix memory, as much of the design space as the tests use.
#[derive(Clone, Copy)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a choice on an axis of its own"
)]
pub(crate) struct Memory {
    pub(crate) heads: usize,
    /// Huber loss by norm, its threshold a gate; else l2.
    pub(crate) huber: bool,
    /// `exp(−exp(r) softplus(z))` rather than `σ(z)`.
    pub(crate) rate: bool,
    /// The gradient is taken at the decayed memory.
    pub(crate) before: bool,
    /// Fixed, else `σ(z)`.
    pub(crate) step: Option<f64>,
    pub(crate) momentum: bool,
}

/// What one token asks of one memory.
struct Token {
    k: Vec<f64>,
    v: Vec<f64>,
    threshold: Option<f64>,
    decay: f64,
    momentum: f64,
    step: f64,
}

impl Memory {
    /// The layer `name` over one batch row.
    pub(crate) fn forward(self, params: &Params, name: &str, x: &Rows) -> Rows {
        let get = |what: &str| params.get(&format!("{name}.{what}"));
        let mut gates = linear(x, get("gates.weight"));
        for row in &mut gates {
            for (z, bias) in row.iter_mut().zip(get("gates.bias")) {
                *z += bias;
            }
        }
        let [q, k, v] = query_key_value(params, name, x).map(|x| each(&x, silu));
        let per_head = |h: usize| {
            let [q, k, v] = [&q, &k, &v].map(|x| head(x, h, self.heads));
            let (q, k) = (unit(&q), unit(&k));
            let d = q[0].len();
            let initial = params.find(&format!("{name}.initial.0"));
            let start = initial.map_or(vec![0.0; d * d], |all| {
                all[h * d * d..(h + 1) * d * d].to_vec()
            });
            let mut w = start.clone();
            let mut s = vec![0.0; d * d];
            let read = |t: usize| {
                let token = self.token(params, name, h, &gates[t], (&k[t], &v[t]));
                self.write(&start, &mut w, &mut s, &token);
                times(&q[t], &w)
            };
            rms_norm(&(0..x.len()).map(read).collect(), get("norm.gamma"))
        };
        let y = join(&(0..self.heads).map(per_head).collect::<Vec<_>>());
        let open = each(&linear(x, get("output_gate.weight")), silu);
        linear(&pairs(&y, &open, |y, o| y * o), get("output.weight"))
    }

    /// Gates lie side by side in the order bias, retention, step, momentum, each
    /// with a column a head; fixed ones have none.
    fn token(
        self,
        params: &Params,
        name: &str,
        h: usize,
        gates: &[f64],
        (k, v): (&[f64], &[f64]),
    ) -> Token {
        let mut at = 0;
        let mut next = || {
            at += self.heads;
            gates[at - self.heads + h]
        };
        let threshold = self.huber.then(|| softplus(next()));
        let decay = if self.rate {
            let rate = params.get(&format!("{name}.rates.0"))[h];
            (-rate.exp() * softplus(next())).exp()
        } else {
            sigmoid(next())
        };
        let step = self.step.unwrap_or_else(|| sigmoid(next()));
        let momentum = if self.momentum { sigmoid(next()) } else { 0.0 };
        assert_eq!(at, gates.len(), "every column is used");
        Token {
            k: k.to_vec(),
            v: v.to_vec(),
            threshold,
            decay,
            momentum,
            step,
        }
    }

    /// `S ← η S − θ kᵀ e`, `W ← W_0 + a (W − W_0) + S`.
    fn write(self, start: &[f64], w: &mut [f64], s: &mut [f64], token: &Token) {
        let d = token.k.len();
        let decayed: Vec<f64> = (start.iter().zip(&*w))
            .map(|(start, w)| start + token.decay * (w - start))
            .collect();
        let met = if self.before { &decayed } else { &*w };
        let mut e: Vec<f64> = (times(&token.k, met).iter().zip(&token.v))
            .map(|(y, v)| y - v)
            .collect();
        if let Some(threshold) = token.threshold {
            let norm = e.iter().map(|e| e * e).sum::<f64>().sqrt();
            for e in &mut e {
                *e *= (threshold / norm).min(1.0);
            }
        }
        for i in 0..d {
            for (j, e) in e.iter().enumerate() {
                let at = i * d + j;
                s[at] = token.momentum * s[at] - token.step * token.k[i] * e;
                w[at] = decayed[at] + s[at];
            }
        }
    }
}

/// `x W` for a square `W`.
fn times(x: &[f64], w: &[f64]) -> Vec<f64> {
    let d = x.len();
    (0..d)
        .map(|j| (0..d).map(|i| x[i] * w[i * d + j]).sum())
        .collect()
}

/// Causal attention over one batch row.
#[derive(Clone, Copy)]
pub(crate) struct Attention {
    pub(crate) heads: usize,
    pub(crate) base: f64,
}

impl Attention {
    pub(crate) fn forward(self, params: &Params, name: &str, x: &Rows) -> Rows {
        let [q, k, v] = query_key_value(params, name, x);
        let per_head = |h: usize| {
            let [q, k, v] = [&q, &k, &v].map(|x| head(x, h, self.heads));
            let (q, k) = (self.rotate(&q), self.rotate(&k));
            (0..x.len()).map(|t| attend(&q[t], &k, &v, t)).collect()
        };
        let y = join(&(0..self.heads).map(per_head).collect::<Vec<Rows>>());
        linear(&y, params.get(&format!("{name}.output.weight")))
    }

    /// `(x_i, x_(i+d/2))` turned by `p · base^(−2i/d)`.
    fn rotate(self, x: &Rows) -> Rows {
        let half = x[0].len() / 2;
        let turn = |(p, row): (usize, &Vec<f64>)| {
            let mut turned = row.clone();
            for i in 0..half {
                let angle = p as f64 / self.base.powf(i as f64 / half as f64);
                let (sin, cos) = angle.sin_cos();
                turned[i] = row[i] * cos - row[i + half] * sin;
                turned[i + half] = row[i] * sin + row[i + half] * cos;
            }
            turned
        };
        x.iter().enumerate().map(turn).collect()
    }
}

/// `Σ_(j≤t) softmax_j(⟨q, k_j⟩/√d) v_j`.
fn attend(q: &[f64], k: &Rows, v: &Rows, t: usize) -> Vec<f64> {
    let d = q.len();
    let dot = |k: &Vec<f64>| q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>();
    let weights: Vec<f64> = (0..=t)
        .map(|j| (dot(&k[j]) / (d as f64).sqrt()).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    (0..d)
        .map(|c| (0..=t).map(|j| weights[j] / total * v[j][c]).sum())
        .collect()
}

/// Either mixer.
#[derive(Clone, Copy)]
pub(crate) enum Mixer {
    Memory(Memory),
    Attention(Attention),
}

impl Mixer {
    pub(crate) fn forward(self, params: &Params, name: &str, x: &Rows) -> Rows {
        match self {
            Mixer::Memory(memory) => memory.forward(params, name, x),
            Mixer::Attention(attention) => attention.forward(params, name, x),
        }
    }
}

/// The block `name` over one batch row.
pub(crate) fn block(mixer: Mixer, params: &Params, name: &str, x: &Rows) -> Rows {
    let get = |what: &str| params.get(&format!("{name}.{what}"));
    let normed = rms_norm(x, get("mixer_norm.gamma"));
    let mixed = mixer.forward(params, &format!("{name}.mixer"), &normed);
    let x = pairs(x, &mixed, |x, y| x + y);
    let normed = rms_norm(&x, get("ffn_norm.gamma"));
    let gate = each(&linear(&normed, get("ffn.gate.weight")), silu);
    let up = linear(&normed, get("ffn.up.weight"));
    let down = linear(&pairs(&gate, &up, |g, u| g * u), get("ffn.down.weight"));
    pairs(&x, &down, |x, y| x + y)
}

/// Logits of a model over one batch row.
pub(crate) fn logits(
    mixer: Mixer,
    params: &Params,
    layers: usize,
    d: usize,
    text: &[usize],
) -> Rows {
    let embedding = params.get("embedding");
    let mut x: Rows = text
        .iter()
        .map(|token| embedding[token * d..(token + 1) * d].to_vec())
        .collect();
    for layer in 0..layers {
        x = block(mixer, params, &format!("blocks.{layer}"), &x);
    }
    let x = rms_norm(&x, params.get("norm.gamma"));
    if let Some(head) = params.find("head.weight") {
        return linear(&x, head);
    }
    let logit = |row: &Vec<f64>, word: &[f64]| {
        let dot: f64 = row.iter().zip(word).map(|(x, e)| x * e).sum();
        dot / (d as f64).sqrt()
    };
    x.iter()
        .map(|row| embedding.chunks(d).map(|word| logit(row, word)).collect())
        .collect()
}
