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
    /// No `SiLU` on queries, keys and values.
    pub(crate) plain: bool,
}

/// The weights of the memory of each head.
type Heads = Vec<Vec<f64>>;

/// What begins with a token.
#[derive(Clone, Copy, PartialEq)]
enum Begin {
    /// A chunk: gradients are taken at the memory as it stands.
    Chunk,
    /// A shard, and its first chunk: the memory starts again.
    Shard,
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
        let states = self.states(params, name, x);
        let q = self.queries(params, name, x);
        self.read(params, name, &q, x, |t| &states[t + 1])
    }

    /// The queries of `x`.
    fn queries(self, params: &Params, name: &str, x: &Rows) -> Rows {
        let [q, ..] = query_key_value(params, name, x);
        if self.plain { q } else { each(&q, silu) }
    }

    /// What queries read, query `t` from the memories `of(t)`, as the output for the inputs `x`.
    fn read<'a>(
        self,
        params: &Params,
        name: &str,
        q: &Rows,
        x: &Rows,
        of: impl Fn(usize) -> &'a Heads,
    ) -> Rows {
        let get = |what: &str| params.get(&format!("{name}.{what}"));
        let per_head = |h: usize| {
            let q = unit(&head(q, h, self.heads));
            let y = (0..q.len()).map(|t| times(&q[t], &of(t)[h]));
            rms_norm(&y.collect(), get("norm.gamma"))
        };
        let y = join(&(0..self.heads).map(per_head).collect::<Vec<_>>());
        output(params, name, &y, x)
    }

    /// The memories before the tokens `x` and after each of them.
    fn states(self, params: &Params, name: &str, x: &Rows) -> Vec<Heads> {
        self.states_at(params, [name, name], x, |_| None)
    }

    /// The same for keys and values of the layer `shared`, and gates and initial weights of `own`;
    /// `begins(t)` says what begins with token `t`.
    fn states_at(
        self,
        params: &Params,
        [shared, own]: [&str; 2],
        x: &Rows,
        begins: impl Fn(usize) -> Option<Begin>,
    ) -> Vec<Heads> {
        let initial = |h: usize| {
            let start = params.find(&format!("{own}.initial.0"));
            let d = params.get(&format!("{shared}.norm.gamma")).len();
            start.map_or(vec![0.0; d * d], |all| {
                all[h * d * d..(h + 1) * d * d].to_vec()
            })
        };
        let starts: Heads = (0..self.heads).map(initial).collect();
        let mut states = vec![starts.clone()];
        if x.is_empty() {
            return states;
        }
        let get = |what: &str| params.get(&format!("{own}.{what}"));
        let mut gates = linear(x, get("gates.weight"));
        for row in &mut gates {
            for (z, bias) in row.iter_mut().zip(get("gates.bias")) {
                *z += bias;
            }
        }
        let [_, k, v] =
            query_key_value(params, shared, x).map(|x| if self.plain { x } else { each(&x, silu) });
        let (mut now, mut slots) = (starts.clone(), vec![vec![0.0; starts[0].len()]; self.heads]);
        let mut anchor = None;
        for (t, gates) in gates.iter().enumerate() {
            if let Some(begin) = begins(t) {
                if begin == Begin::Shard {
                    now.clone_from(&starts);
                    slots.iter_mut().flatten().for_each(|slot| *slot = 0.0);
                }
                anchor = Some(now.clone());
            }
            for h in 0..self.heads {
                let [k, v] = [&k, &v].map(|x| head(&vec![x[t].clone()], h, self.heads));
                let token = self.token(params, own, h, gates, (&unit(&k)[0], &v[0]));
                let anchor = anchor.as_ref().map(|anchor: &Heads| &anchor[h][..]);
                self.write(&starts[h], anchor, &mut now[h], &mut slots[h], &token);
            }
            states.push(now.clone());
        }
        states
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

    /// `S ← η S − θ kᵀ e`, `W ← W_0 + a (W − W_0) + S`; `e` is of the anchor, if there is one.
    fn write(
        self,
        start: &[f64],
        anchor: Option<&[f64]>,
        w: &mut [f64],
        s: &mut [f64],
        token: &Token,
    ) {
        let d = token.k.len();
        let decayed: Vec<f64> = (start.iter().zip(&*w))
            .map(|(start, w)| start + token.decay * (w - start))
            .collect();
        let met = anchor.unwrap_or(if self.before { &decayed } else { &*w });
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

/// What was read, normalised, through the gate of the inputs `x` and the last projection of a memory
/// layer.
fn output(params: &Params, name: &str, y: &Rows, x: &Rows) -> Rows {
    let get = |what: &str| params.get(&format!("{name}.{what}"));
    let open = each(&linear(x, get("output_gate.weight")), silu);
    linear(&pairs(y, &open, |y, o| y * o), get("output.weight"))
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
    /// `SiLU` on queries, keys and values.
    pub(crate) activated: bool,
    /// Tokens that are seen.
    pub(crate) window: usize,
}

/// Attention over all tokens.
pub(crate) const ATTENTION: Attention = Attention {
    heads: 2,
    base: 10_000.0,
    activated: false,
    window: usize::MAX,
};

impl Attention {
    pub(crate) fn forward(self, params: &Params, name: &str, x: &Rows) -> Rows {
        let [q, k, v] = query_key_value(params, name, x)
            .map(|x| if self.activated { each(&x, silu) } else { x });
        let per_head = |h: usize| {
            let [q, k, v] = [&q, &k, &v].map(|x| head(x, h, self.heads));
            let (turned, k) = (self.rotate(&q), self.rotate(&k));
            let learned = self.learned(params, name, h);
            let read = |t: usize| {
                let first = (t + 1).saturating_sub(self.window);
                let seen = (first..=t).map(|j| (dot(&turned[t], &k[j]), &v[j]));
                let learned = learned.iter().map(|(k, v)| (dot(&q[t], k), v));
                softmax_sum(&learned.chain(seen).collect::<Vec<_>>())
            };
            (0..x.len()).map(read).collect()
        };
        let y = join(&(0..self.heads).map(per_head).collect::<Vec<Rows>>());
        linear(&y, params.get(&format!("{name}.output.weight")))
    }

    /// Keys and values of the learned tokens in a head.
    fn learned(self, params: &Params, name: &str, h: usize) -> Vec<(Vec<f64>, Vec<f64>)> {
        let Some(tokens) = params.find(&format!("{name}.persistent")) else {
            return Vec::new();
        };
        let width = params.get(&format!("{name}.q.weight")).len().isqrt();
        let tokens: Rows = tokens.chunks(width).map(<[f64]>::to_vec).collect();
        let [k, v] = Self::keys_and_values(params, name, &tokens);
        let of = |x: &Rows| head(x, h, self.heads);
        of(&k).into_iter().zip(of(&v)).collect()
    }

    /// Without convolutions.
    fn keys_and_values(params: &Params, name: &str, x: &Rows) -> [Rows; 2] {
        ["k", "v"].map(|which| linear(x, params.get(&format!("{name}.{which}.weight"))))
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

fn dot(q: &[f64], k: &[f64]) -> f64 {
    q.iter().zip(k).map(|(q, k)| q * k).sum()
}

/// `Σ_j softmax_j(s_j/√d) v_j`.
fn softmax_sum(scored: &[(f64, &Vec<f64>)]) -> Vec<f64> {
    let d = scored[0].1.len();
    let powers: Vec<f64> = (scored.iter())
        .map(|(score, _)| (score / (d as f64).sqrt()).exp())
        .collect();
    let total: f64 = powers.iter().sum();
    let each = |c: usize| {
        let terms = powers.iter().zip(scored);
        terms.map(|(power, (_, v))| power / total * v[c]).sum()
    };
    (0..d).map(each).collect()
}

/// Memory as a gate.
pub(crate) fn mag(
    (memory, attention): (Memory, Attention),
    params: &Params,
    name: &str,
    x: &Rows,
) -> Rows {
    let m = memory.forward(params, &format!("{name}.parts.memory"), x);
    let y = attention.forward(params, &format!("{name}.parts.attention"), x);
    gate(params, name, &norm(params, name, 0, &y), &m)
}

/// Memory as a layer.
pub(crate) fn mal(
    (memory, attention): (Memory, Attention),
    params: &Params,
    name: &str,
    x: &Rows,
) -> Rows {
    let m = memory.forward(params, &format!("{name}.parts.memory"), x);
    let between = norm(params, name, 0, &pairs(x, &m, |x, m| x + m));
    let y = attention.forward(params, &format!("{name}.parts.attention"), &between);
    pairs(&m, &y, |m, y| m + y)
}

/// The chunks of a layer with a global memory and local ones.
#[derive(Clone, Copy)]
pub(crate) struct Tnt<'a> {
    pub(crate) chunk: usize,
    pub(crate) locals: &'a [usize],
    /// Whether the global memory, and local ones, are read as their chunks began.
    pub(crate) stale: [bool; 2],
    /// Tokens of a shard, 0 for all.
    pub(crate) shard: usize,
    pub(crate) project: bool,
}

/// A global memory and local ones.
pub(crate) fn tnt(memory: Memory, how: Tnt<'_>, params: &Params, name: &str, x: &Rows) -> Rows {
    let shared = format!("{name}.global");
    let in_shard = |t: usize| if how.shard == 0 { t } else { t % how.shard };
    // What each token reads of a memory with such chunks, its states before all tokens and after each.
    let read_at = |states: &[Heads], chunk: usize, at: usize, t: usize, is_stale: bool| {
        // A chunk that begins a shard has the initial weights, which no state behind a token is.
        match (is_stale, at % chunk) {
            (false, _) => states[t + 1].clone(),
            (true, open) if open == at => states[0].clone(),
            (true, open) => states[t - open].clone(),
        }
    };
    let begins = |chunk: usize, at: usize| match at {
        0 => Some(Begin::Shard),
        at => at.is_multiple_of(chunk).then_some(Begin::Chunk),
    };
    let global = memory.states_at(params, [&shared, &shared], x, |t| begins(how.chunk, t));
    let locals: Vec<Vec<Heads>> = (how.locals.iter().enumerate())
        .map(|(n, chunk)| {
            let own = format!("{name}.locals.{n}");
            memory.states_at(params, [&shared, &own], x, |t| begins(*chunk, in_shard(t)))
        })
        .collect();
    let [q, k, _] = query_key_value(params, &shared, x).map(|x| each(&x, silu));
    let per_head = |h: usize| {
        let [q, k] = [&q, &k].map(|x| unit(&head(x, h, memory.heads)));
        // Its length is that of a key which was divided by its length already.
        let k = unit(&k);
        let read = |t: usize| {
            let state = read_at(&global, how.chunk, t, t, how.stale[0]);
            let mut y = times(&q[t], &state[h]);
            let first = t - in_shard(t);
            let mut of_keys = q[t].clone();
            if how.project {
                of_keys.fill(0.0);
                for key in &k[first..=t] {
                    let share = dot(&q[t], key);
                    for (sum, key) in of_keys.iter_mut().zip(key) {
                        *sum += share * key;
                    }
                }
            }
            for (states, chunk) in locals.iter().zip(how.locals) {
                let state = read_at(states, *chunk, in_shard(t), t, how.stale[1]);
                for (y, more) in y.iter_mut().zip(times(&of_keys, &state[h])) {
                    *y += more;
                }
            }
            y
        };
        let y = (0..x.len()).map(read).collect();
        rms_norm(&y, params.get(&format!("{shared}.norm.gamma")))
    };
    let y = join(&(0..memory.heads).map(per_head).collect::<Vec<_>>());
    output(params, &shared, &y, x)
}

/// Memory as a context, segment by segment; with `kv` what is read is a key and a value itself.
pub(crate) fn mac(
    (memory, attention): (Memory, Attention),
    (segment, kv): (usize, bool),
    params: &Params,
    name: &str,
    x: &Rows,
) -> Rows {
    let [of_memory, of_attention] =
        ["memory", "attention"].map(|part| format!("{name}.parts.{part}"));
    let heads = attention.heads;
    let queries = memory.queries(params, &of_memory, x);
    let [q, k, v] = query_key_value(params, &of_attention, x);
    let mut y: Rows = Vec::new();
    for from in (0..x.len()).step_by(segment) {
        let to = (from + segment).min(x.len());
        let part = |rows: &Rows| rows[from..to].to_vec();
        let states = memory.states(params, &of_memory, &y);
        let before = states.last().expect("the memory before all tokens");
        let queries = part(&queries);
        let read = if kv {
            let read = |h: usize| {
                let q = unit(&head(&queries, h, heads));
                let y = q.iter().map(|q| times(q, &before[h])).collect();
                rms_norm(&y, params.get(&format!("{of_memory}.norm.gamma")))
            };
            let read = join(&(0..heads).map(read).collect::<Vec<_>>());
            [read.clone(), read]
        } else {
            let h = memory.read(params, &of_memory, &queries, &part(x), |_| before);
            Attention::keys_and_values(params, &of_attention, &h)
        };
        let per_head = |h: usize| {
            let [q, k, v] = [&q, &k, &v].map(|rows| head(&part(rows), h, heads));
            let [read_k, read_v] = read.each_ref().map(|rows| head(rows, h, heads));
            let [turned, k, read_k] = [&q, &k, &read_k].map(|rows| attention.rotate(rows));
            let learned = attention.learned(params, &of_attention, h);
            let read = |t: usize| {
                let learned = learned.iter().map(|(k, v)| (dot(&q[t], k), v));
                let given = (0..=t).map(|j| (dot(&turned[t], &read_k[j]), &read_v[j]));
                let own = (0..=t).map(|j| (dot(&turned[t], &k[j]), &v[j]));
                softmax_sum(&learned.chain(given).chain(own).collect::<Vec<_>>())
            };
            (0..q.len()).map(read).collect()
        };
        let read = join(&(0..heads).map(per_head).collect::<Vec<Rows>>());
        let read = linear(&read, params.get(&format!("{of_attention}.output.weight")));
        y.extend(norm(params, name, 0, &read));
    }
    let m = memory.forward(params, &of_memory, &y);
    gate(params, name, &y, &m)
}

fn norm(params: &Params, name: &str, at: usize, x: &Rows) -> Rows {
    rms_norm(x, params.get(&format!("{name}.parts.norms.{at}.gamma")))
}

/// `y ⊙ σ(RMSNorm(m))`.
fn gate(params: &Params, name: &str, y: &Rows, m: &Rows) -> Rows {
    pairs(y, &norm(params, name, 1, m), |y, m| y * sigmoid(m))
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
