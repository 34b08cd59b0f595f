#!/usr/bin/env python3
"""Reference recurrences of test-time memory models, and the golden files made from them.

Everything here is a literal per-token loop in float64: every weight matrix of
every token is formed, no chunk algebra, no automatic differentiation.  The
golden files hold inputs, outputs, final state and the derivative of
L = sum(y * cotangent) with respect to every input.

Conventions
  rows      activations are rows, a weight is [d_in, d_out], a layer is x @ W
  step      theta_t, the inner step size (beta_t of Gated DeltaNet)
  retention a_t, the factor that KEEPS the past (1 - alpha_t of Titans)
  momentum  eta_t, the decay of the momentum

Titans, arXiv 2501.00663, Eqs. 12-15, with the loss of App. C (1/2 |.|^2):
  S_t = eta_t S_{t-1} - theta_t g_t
  W_t = a_t W_{t-1} + S_t
  y_t = M(W_t; q_t)
where g_t is the gradient of token t's inner loss at the anchor: W_{t-1}
("exact"), or the weights at the start of the chunk of C tokens that t is in
("chunk_start", section 3.2, Eqs. 16-18).

MIRAS, arXiv 2504.13173, section 5.3: a_t keeps and theta_t steps as above, no
momentum, W_t = a_t W_{t-1} - theta_t g_t, with the biases of its section 5.1.

Other algorithms, links and matrices have their equations where they are defined.

Usage
  reference.py             self-checks, then write the golden files
  reference.py --check     self-checks, then compare with the files on disk
  reference.py --out DIR   use DIR instead of the default folder
"""

import argparse
import json
import math
import random
import sys
from pathlib import Path

import numpy as np

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "crates/miras-contract/tests/goldens"
LN_EPS = 1e-5

# Central differences: largest step (the second where the first is too coarse), and how far
# two extrapolations may differ.
FD_STEPS = (1e-3, 2.5e-4)
FD_AGREE = 1e-8

# --check: inputs and outputs are plain arithmetic; gradients carry the rounding
# error of the difference quotients (about 1e-11 here), which another build of
# numpy may change.
CHECK_TOL = 1e-12
CHECK_TOL_GRADIENT = 1e-10

# How far data must stay from a kink (Huber threshold, load = kappa, |x.x'| = 0).
KINK_MARGIN = 2e-2


# ---------------------------------------------------------------- activations


def erf(x):
    return np.array([math.erf(v) for v in x])


def gelu(x):
    return 0.5 * x * (1.0 + erf(x / math.sqrt(2.0)))


def gelu_slope(x):
    cdf = 0.5 * (1.0 + erf(x / math.sqrt(2.0)))
    density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return cdf + x * density


def silu(x):
    return x / (1.0 + np.exp(-x))


def silu_slope(x):
    s = 1.0 / (1.0 + np.exp(-x))
    return s + x * s * (1.0 - s)


ACTIVATIONS = {"gelu": (gelu, gelu_slope), "silu": (silu, silu_slope)}


# ------------------------------------------------------------------ the memory


def layer_norm(h):
    """Normalised row and 1/std, population variance."""
    centred = h - np.mean(h)
    inverse_std = 1.0 / math.sqrt(np.mean(centred * centred) + LN_EPS)
    return centred * inverse_std, inverse_std


def layer_inputs(memory, weights, x):
    """Inputs of every layer and outputs of every layer, for one row x."""
    inputs, outputs = [], []
    z = x
    for layer, w in enumerate(weights):
        if layer > 0:
            activation, _ = ACTIVATIONS[memory["activation"]]
            z = activation(outputs[-1])
        inputs.append(z)
        outputs.append(z @ w)
    return inputs, outputs


def read(memory, weights, gain, x):
    """M(W; x): [x +] [LN] (... act(x W_1) ...) W_L [* gain]."""
    _, outputs = layer_inputs(memory, weights, x)
    y = outputs[-1]
    if memory["norm"] == "layer":
        y = layer_norm(y)[0] * gain
    if memory["residual"]:
        y = x + y
    return y


def softmax(x):
    x = np.exp(x - np.max(x))
    return x / np.sum(x)


def smooth_norm(e):
    """|e|, with a derivative at 0."""
    return math.sqrt(float(e @ e) + 1e-6)


def inner_loss(bias, y, v):
    e = y - v
    if bias["kind"] == "dot":
        return -float(y @ v)
    if bias["kind"] == "l2":
        return 0.5 * float(e @ e)
    if bias["kind"] == "lp":
        return sum((float(x) ** 2 + bias["epsilon"]) ** (bias["p"] / 2) for x in e)
    if bias["kind"] == "l1":
        return sum(math.log(math.cosh(bias["sharpness"] * x)) for x in e) / bias["sharpness"]
    if bias["kind"] == "epsilon_insensitive":
        nu, epsilon = bias["sharpness"], bias["epsilon"]
        both = [math.log(math.cosh(nu * (x + side))) for x in e for side in (-epsilon, epsilon)]
        return sum(both) / (2.0 * nu)
    if bias["kind"] == "robust":
        return 0.5 * float(e @ e) + bias["radius"] * smooth_norm(e)
    if bias["kind"] == "kl":
        p, q = softmax(v), softmax(y)
        return float(p @ (np.log(p) - np.log(q)))
    if bias["kind"] == "huber" and bias["variant"] != "mix":
        delta = bias["delta"]
        sizes = [math.sqrt(float(e @ e))] if bias["variant"] == "norm" else np.abs(e)
        return sum(0.5 * s * s if s <= delta else delta * (s - 0.5 * delta) for s in sizes)
    raise ValueError(bias["kind"])


def output_gradient(bias, y, v):
    """d inner_loss / d y, or what stands for it where there is no loss.

    MIRAS, arXiv 2504.13173: Huber Eqs. 14 (coordinate) and 15 (norm); mix (YAAD) Eq. 26 with
    the smooth sign of Remark 5; lp Eq. 11 (MONETA) as the gradient of sum (e^2 + epsilon)^(p/2);
    l1 Eq. 12; robust Eq. 17, the worst of the values v + u with |u| <= radius. The loss of support
    vector regression (epsilon_insensitive) has the same smooth sign; kl is of the softmax of v from
    that of y.
    """
    e = y - v
    if bias["kind"] == "dot":
        return -v
    if bias["kind"] == "l2":
        return e
    if bias["kind"] == "huber":
        delta = bias["delta"]
        if bias["variant"] == "coordinate":
            return np.clip(e, -delta, delta)
        size = math.sqrt(float(e @ e))
        if bias["variant"] == "mix":
            return e if size <= delta else delta * np.tanh(bias["sharpness"] * e)
        return e if size <= delta else e * (delta / size)
    if bias["kind"] == "lp":
        return bias["p"] * e * (e * e + bias["epsilon"]) ** (bias["p"] / 2 - 1)
    if bias["kind"] == "l1":
        return np.tanh(bias["sharpness"] * e)
    if bias["kind"] == "epsilon_insensitive":
        nu, epsilon = bias["sharpness"], bias["epsilon"]
        return 0.5 * (np.tanh(nu * (e - epsilon)) + np.tanh(nu * (e + epsilon)))
    if bias["kind"] == "robust":
        return e + bias["radius"] * e / smooth_norm(e)
    if bias["kind"] == "kl":
        return softmax(y) - softmax(v)
    raise ValueError(bias["kind"])


def inner_gradient(memory, bias, weights, gain, k, v):
    """d inner_loss(M(W; k), v) / d W_l for every layer, by the chain rule."""
    inputs, outputs = layer_inputs(memory, weights, k)
    delta = output_gradient(bias, read(memory, weights, gain, k), v)
    if memory["norm"] == "layer":
        unit, inverse_std = layer_norm(outputs[-1])
        d_unit = delta * gain
        delta = inverse_std * (d_unit - np.mean(d_unit) - unit * np.mean(d_unit * unit))
    gradients = [None] * len(weights)
    for layer in reversed(range(len(weights))):
        gradients[layer] = np.outer(inputs[layer], delta)
        if layer > 0:
            _, slope = ACTIVATIONS[memory["activation"]]
            delta = (weights[layer] @ delta) * slope(outputs[layer - 1])
    return gradients


# ------------------------------------------------------------- the recurrences


def chunk_length(spec):
    """Tokens that share one anchor."""
    algorithm = spec["algorithm"]
    return algorithm["chunk"] if algorithm["form"] == "chunk_start" else 1


def chunk_loads(spec, data, anchor, start, t):
    """load_i for the tokens start..t of a chunk, i <= t.

    load_i = sum_{j <= i} (beta_i / beta_j) theta_j / (1 - eta_j) |x_i . x_j|
    x: input of the memory's last layer at the anchor; beta: running product
    of a inside the chunk; theta before any capping.
    """
    x = {j: layer_inputs(spec["memory"], anchor, data["k"][j])[0][-1] for j in range(start, t + 1)}
    loads = []
    for i in range(start, t + 1):
        load = 0.0
        for j in range(start, i + 1):
            kept = 1.0
            for s in range(j + 1, i + 1):
                kept *= data["retention"][s]
            share = data["step"][j] / (1.0 - data["momentum"][j])
            load += kept * share * abs(float(x[i] @ x[j]))
        loads.append(load)
    return loads


LOAD_CAP_POWER = 2.0


def titans(spec, data):
    """Titans LMM: y, final weights, final momentum state."""
    memory, bias = spec["memory"], spec["bias"]
    gain = data.get("gain")
    chunk = chunk_length(spec)
    kappa = spec["algorithm"]["load_cap"]
    initial = data["weights"]
    layers = range(len(initial))
    weights = [w.copy() for w in initial]
    change = [np.zeros_like(w) for w in initial]
    if "momentum_state" in data:
        state = [s.copy() for s in data["momentum_state"]]
    else:
        state = [np.zeros_like(w) for w in initial]
    ys = []
    for t in range(len(data["q"])):
        if t % chunk == 0:
            start, anchor = t, [w.copy() for w in weights]
        theta = data["step"][t]
        if kappa is not None:
            load = chunk_loads(spec, data, anchor, start, t)[-1]
            theta = theta * max(1.0, load / kappa) ** -LOAD_CAP_POWER
        g = inner_gradient(memory, bias, anchor, gain, data["k"][t], data["v"][t])
        for l in layers:
            state[l] = data["momentum"][t] * state[l] - theta * g[l]
            if spec["retention"]["anchored"]:
                change[l] = data["retention"][t] * change[l] + state[l]
                weights[l] = initial[l] + change[l]
            else:
                weights[l] = data["retention"][t] * weights[l] + state[l]
        ys.append(read(memory, weights, gain, data["q"][t]))
    return np.array(ys), weights, state


def descent(spec, data):
    """MIRAS, section 5.3: W_t = a_t W_{t-1} - theta_t g_t, which is Titans without momentum."""
    ys, weights, _ = titans(spec, {**data, "momentum": np.zeros(len(data["q"]))})
    return ys, weights, None


def softmax_rows(z):
    z = np.exp(z - np.max(z, axis=1, keepdims=True))
    return z / np.sum(z, axis=1, keepdims=True)


def entry_norm(w, q):
    return float(np.sum(np.abs(w) ** q)) ** (1.0 / q)


def scale_of(retention, state):
    """s(A) of a link W = s(A) A: MONETA's, MIRAS Eq. 24, and the nearest point of a ball."""
    if retention["kind"] == "ball":
        return min(1.0, retention["radius"] / entry_norm(state, 2.0))
    return max(entry_norm(state, retention["q"]), retention["floor"]) ** (2.0 - retention["q"])


def link(retention, state):
    """The weights of a state."""
    if retention["kind"] in ("lq", "ball"):
        return scale_of(retention, state) * state
    if retention["kind"] == "sigmoid":
        # MIRAS, section 5.2, variant 5, entries between 0 (signed: -c) and c.
        c = 2.0 / math.sqrt(state.shape[1])
        positive = 1.0 / (1.0 + np.exp(-state))
        return c * (2.0 * positive - 1.0) if retention["signed"] else c * positive
    if retention["kind"] == "f_divergence":
        # The u > 0 with f'(u) = u - 1/u = A, from u^2 - A u - 1 = 0.
        return (state + np.sqrt(state * state + 4.0)) / 2.0 / math.sqrt(state.shape[1])
    if retention["kind"] == "kl":
        return math.sqrt(state.shape[1]) * softmax_rows(state)
    if retention["kind"] == "elastic_net":
        return np.sign(state) * np.maximum(np.abs(state) - retention["threshold"], 0.0)
    raise ValueError(retention["kind"])


def first_state(retention, learned):
    """The state of the initial weights."""
    if retention["kind"] == "lq":
        q = retention["q"]
        return learned * entry_norm(learned, q) ** ((q - 2.0) / (3.0 - q))
    if retention["kind"] == "ball":
        return learned.copy()
    if retention["kind"] in ("kl", "sigmoid", "f_divergence"):
        # Logits: what is learned is uniform in +-sqrt(6 / (d_in + d_out)) at first.
        return learned * math.sqrt(sum(learned.shape) / 2.0)
    if retention["kind"] == "elastic_net":
        return learned + retention["threshold"] * np.sign(learned)
    raise ValueError(retention["kind"])


def linked(spec, data, states=False):
    """A_t = a_t A_{t-1} - theta_t g_t with W = Lambda(A) (MIRAS Eqs. 23, 24, 27 as logits);
    anchored: A_t = A_init + a_t (A_{t-1} - A_init) - theta_t g_t.

    Tokens of a chunk read Lambda(A_t) ("exact"), A_t times the scale of the chunk's start
    ("frozen") or Lambda(A) of the chunk's start ("stale").
    """
    memory, bias, retention = spec["memory"], spec["bias"], spec["retention"]
    gain, chunk = data.get("gain"), chunk_length(spec)
    state = [first_state(retention, w) for w in data["weights"]]
    home = state if retention["anchored"] else [np.zeros_like(a) for a in state]
    ys = []
    for t in range(len(data["q"])):
        if t % chunk == 0:
            anchor = [link(retention, a) for a in state]
            start = state
        g = inner_gradient(memory, bias, anchor, gain, data["k"][t], data["v"][t])
        state = [h + data["retention"][t] * (a - h) - data["step"][t] * g[l]
                 for l, (a, h) in enumerate(zip(state, home))]
        if spec["algorithm"]["read"] == "exact":
            seen = [link(retention, a) for a in state]
        elif spec["algorithm"]["read"] == "frozen":
            seen = [scale_of(retention, first) * a for first, a in zip(start, state)]
        else:
            seen = anchor
        ys.append(read(memory, seen, gain, data["q"][t]))
    if states:
        return state
    return np.array(ys), [link(retention, a) for a in state], None


def memora_as_printed(spec, data):
    """W_t = c softmax(a_t log(W_{t-1} / c) - theta_t g_t), MIRAS Eq. 27, every token its own anchor;
    anchored: (1 - a_t) log(W_init / c) is added."""
    memory, bias, gain = spec["memory"], spec["bias"], data.get("gain")
    weights = [link(spec["retention"], first_state(spec["retention"], w)) for w in data["weights"]]
    initial = list(weights) if spec["retention"]["anchored"] else None
    ys = []
    for t in range(len(data["q"])):
        g = inner_gradient(memory, bias, weights, gain, data["k"][t], data["v"][t])
        for l, w in enumerate(weights):
            c = math.sqrt(w.shape[1])
            logits = data["retention"][t] * np.log(w / c) - data["step"][t] * g[l]
            if initial is not None:
                logits += (1.0 - data["retention"][t]) * np.log(initial[l] / c)
            weights[l] = c * softmax_rows(logits)
        ys.append(read(memory, weights, gain, data["q"][t]))
    return np.array(ys)


def gated_deltanet(spec, data):
    """W~ = a_t W_{t-1};  W_t = W~ - k_t^T beta_t (k_t W~ - v_t);  y_t = q_t W_t."""
    w = data["weights"][0].copy()
    ys = []
    for q, k, v, beta, a in zip(data["q"], data["k"], data["v"], data["step"], data["retention"]):
        w = a * w
        w = w - np.outer(k, beta * (k @ w - v))
        ys.append(q @ w)
    return np.array(ys), [w], None


def linear_attention(spec, data):
    """W_t = [a_t] W_{t-1} + k_t^T v_t theta_t;  y_t = q_t W_t; a_t a number, or one for each key channel."""
    w = data["weights"][0].copy()
    ys = []
    for t in range(len(data["q"])):
        if spec["retention"]["kind"] != "none":
            w = np.reshape(data["retention"][t], (-1, 1)) * w
        w = w + np.outer(data["k"][t], data["v"][t]) * data["step"][t]
        ys.append(data["q"][t] @ w)
    return np.array(ys), [w], None


def rwkv7(spec, data):
    """W_t = diag(a_t) W_{t-1} - (theta_t e_t)^T (e_t W_{t-1}) + (theta_t k_t)^T v_t;  y_t = q_t W_t."""
    w = data["weights"][0].copy()
    ys = []
    for q, e, k, v, theta, a in zip(*(data[key] for key in ("q", "erase", "k", "v", "step", "retention"))):
        w = a[:, None] * w - np.outer(theta * e, e @ w) + np.outer(theta * k, v)
        ys.append(q @ w)
    return np.array(ys), [w], None


def nesterov(spec, data):
    """S_t = eta_t S_{t-1} - theta_t g_t, A_t = a_t A_{t-1} + eta_t S_t - theta_t g_t, where A = W + eta S is the
    point that Nesterov's gradient is taken at."""
    weights = [w.copy() for w in data["weights"]]
    state = [np.zeros_like(w) for w in weights]
    ys = []
    for t in range(len(data["q"])):
        if t % chunk_length(spec) == 0:
            anchor = [w.copy() for w in weights]
        write = [data["step"][t] * g for g in gradient_of(spec, data, anchor, t)]
        eta = data["momentum"][t]
        state = [eta * s - g for s, g in zip(state, write)]
        weights = [data["retention"][t] * w + eta * s - g for w, s, g in zip(weights, state, write)]
        ys.append(read(spec["memory"], weights, data.get("gain"), data["q"][t]))
    return np.array(ys), weights, state


def omega(spec, data):
    """S_t = eta_t S_{t-1} - 1/w sum_{t-w < i <= t} theta_i g_i, W_t = a_t W_{t-1} + S_t, every g_i at the weights
    that t's chunk began with (ATLAS, arXiv 2505.23735, section 3)."""
    window, layers = spec["algorithm"]["window"], range(len(data["weights"]))
    weights = [w.copy() for w in data["weights"]]
    state = [np.zeros_like(w) for w in weights]
    ys = []
    for t in range(len(data["q"])):
        if t % chunk_length(spec) == 0:
            anchor = [w.copy() for w in weights]
        state = [data["momentum"][t] * s for s in state]
        for i in range(max(0, t - window + 1), t + 1):
            g = gradient_of(spec, data, anchor, i)
            state = [state[l] - data["step"][i] / window * g[l] for l in layers]
        weights = [data["retention"][t] * weights[l] + state[l] for l in layers]
        ys.append(read(spec["memory"], weights, data.get("gain"), data["q"][t]))
    return np.array(ys), weights, state


def gradient_of(spec, data, weights, t):
    return inner_gradient(spec["memory"], spec["bias"], weights, data.get("gain"), data["k"][t], data["v"][t])


def orthogonalised(s, epsilon):
    """Five steps of Newton and Schulz with the coefficients of Muon (Jordan et al. 2024)."""
    if s.shape[0] > s.shape[1]:
        return orthogonalised(s.T, epsilon).T
    x = s / math.sqrt(float(np.sum(s * s)) + epsilon * epsilon)
    for _ in range(5):
        u = x @ x.T
        x = 3.4445 * x + (-4.7750 * u + 2.0315 * (u @ u)) @ x
    return x


def chunk_end(spec, data):
    """The tokens of a chunk read the weights it began with, and its end makes one step, or several.

    With a = prod a_i and theta the mean of theta_i over the chunk, and
    G(W) = sum_i (prod_{s > i} a_s) theta_i g_i(W):
    multi_step  W <- a W - G(W), then W <- W - G(W) for each step more
    muon        S <- eta S - G / theta, W <- a W + theta NS(S), eta the mean (ATLAS, arXiv 2505.23735, section 5)
    adam        Algorithm 1 of arXiv 1412.6980 for the gradient G / theta, epsilon inside the root, W <- a W - theta ...
    rmsprop     the same without an average of gradients
    With `renormalise` each column of W then gets its initial length (LaCT, arXiv 2505.23884, section 3).
    """
    algo, chunk = spec["algorithm"], spec["algorithm"]["chunk"]
    weights = [w.copy() for w in data["weights"]]
    slots = [[np.zeros_like(w) for _ in range(SLOTS[algo["kind"]])] for w in weights]
    ys = []
    for start in range(0, len(data["q"]), chunk):
        tokens = range(start, min(start + chunk, len(data["q"])))
        ys += [read(spec["memory"], weights, data.get("gain"), data["q"][t]) for t in tokens]
        if len(tokens) < chunk:
            break
        kept, theta = np.prod(data["retention"][tokens]), np.mean(data["step"][tokens])

        def total(weights):
            left = [np.prod(data["retention"][t + 1 : tokens.stop]) * data["step"][t] for t in tokens]
            parts = [gradient_of(spec, data, weights, t) for t in tokens]
            return [sum(share * g[l] for share, g in zip(left, parts)) for l in range(len(weights))]

        whole = total(weights)
        if algo["kind"] == "multi_step":
            weights = [kept * w - g for w, g in zip(weights, whole)]
            for _ in range(algo["steps"] - 1):
                weights = [w - g for w, g in zip(weights, total(weights))]
            continue
        for l, g in enumerate(whole):
            along, slots[l] = direction(algo, slots[l], g / theta, data, tokens)
            weights[l] = kept * weights[l] - theta * along
            if algo.get("renormalise"):
                lengths = [np.sqrt((w * w).sum(0)) for w in (data["weights"][l], weights[l])]
                weights[l] = weights[l] * lengths[0] / (lengths[1] + 1e-5)
    return np.array(ys), weights, slots if slots[0] else None


SLOTS = {"multi_step": 0, "muon": 1, "adam": 3, "rmsprop": 2}


def direction(algo, slots, g, data, tokens):
    """Where a step goes, and what it leaves in the slots."""
    if algo["kind"] == "muon":
        s = np.mean(data["momentum"][tokens]) * slots[0] - g
        return -orthogonalised(s, algo["epsilon"]), [s]
    beta1, beta2 = algo.get("beta1", 0.0), algo.get("beta2", algo.get("beta"))
    mean, square, count = slots if algo["kind"] == "adam" else [0.0 * g, *slots]
    count = count + 1.0
    mean = beta1 * mean + (1.0 - beta1) * g
    square = beta2 * square + (1.0 - beta2) * g * g
    root = np.sqrt(square / (1.0 - beta2**count) + algo["epsilon"] ** 2)
    along = mean / (1.0 - beta1**count) / root
    return along, [mean, square, count] if algo["kind"] == "adam" else [square, count]


# ----------------------------------------------------------------- random data


class Draw:
    """Reproducible numbers; only random.random(), whose sequence is guaranteed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def uniform(self, low, high, *shape):
        n = math.prod(shape)
        flat = [round(low + (high - low) * self.rng.random(), 4) for _ in range(n)]
        return np.array(flat).reshape(shape)

    def unit_rows(self, rows, width):
        x = self.uniform(-1.0, 1.0, rows, width)
        return np.array([r / math.sqrt(float(r @ r)) for r in x])


def draw_inputs(seed, tokens, dims, step, momentum=None, retention=(0.8, 0.99), carried=False, gain=False,
                spread=1.0):
    """Inputs for layers of widths dims = [d, ..., d], and the cotangent."""
    draw = Draw(seed)
    width = dims[0]
    data = {
        "q": draw.unit_rows(tokens, width),
        "k": draw.unit_rows(tokens, width),
        "v": draw.uniform(-1.5, 1.5, tokens, dims[-1]),
        "step": draw.uniform(*step, tokens),
        "retention": np.ones(tokens) if retention is None else draw.uniform(*retention, tokens),
    }
    if momentum is not None:
        data["momentum"] = draw.uniform(*momentum, tokens)
    data["weights"] = []
    for rows, columns in zip(dims, dims[1:]):
        bound = spread * math.sqrt(3.0 / rows)
        data["weights"].append(draw.uniform(-bound, bound, rows, columns))
    if carried:
        data["momentum_state"] = [draw.uniform(-0.2, 0.2, *w.shape) for w in data["weights"]]
    if gain:
        data["gain"] = draw.uniform(0.5, 1.5, dims[-1])
    return data, draw.uniform(-1.0, 1.0, tokens, dims[-1])


def repeat_token(data, source, targets):
    """Give the tokens `targets` the key of `source` (their values stay)."""
    for t in targets:
        data["k"][t] = data["k"][source]


# ----------------------------------------------------------------------- cases


def mlp(depth, activation="gelu", residual=False, norm="none"):
    return {
        "kind": "mlp",
        "depth": depth,
        "expansion": 2,
        "activation": activation,
        "residual": residual,
        "norm": norm,
    }


MATRIX = {
    "kind": "matrix",
    "depth": 1,
    "expansion": 1,
    "activation": "identity",
    "residual": False,
    "norm": "none",
}
L2 = {"kind": "l2"}
DOT = {"kind": "dot"}


def decay(order="after", anchored=False):
    return {"kind": "l2", "order": order, "anchored": anchored}


NO_RETENTION = {"kind": "none", "order": "after", "anchored": False}


def algorithm(kind, form, chunk, load_cap=None, read="exact"):
    return {"kind": kind, "form": form, "chunk": chunk, "load_cap": load_cap, "read": read}


TITANS = "Titans (arXiv 2501.00663) Eqs. 12-15, inner loss with 1/2 as in App. C"
TITANS_CHUNK = TITANS + "; gradients at the chunk start, section 3.2, Eqs. 16-18"
MIRAS = "MIRAS (arXiv 2504.13173)"


def cases():
    """[(spec, recurrence, data, cotangent)]"""
    found = []

    def add(name, source, memory, bias, retention, algo, recurrence, drawn):
        spec = {
            "name": name,
            "source": source,
            "memory": memory,
            "bias": bias,
            "retention": retention,
            "algorithm": algo,
        }
        found.append((spec, recurrence, *drawn))

    mlp2 = [4, 8, 4]
    eta = (0.2, 0.8)

    # One data set, two chunk lengths; 13 tokens, so the last chunk of 4 is partial.
    drawn = draw_inputs(11, 13, mlp2, (0.05, 0.3), eta)
    add("titans_mlp2_chunk1", TITANS_CHUNK, mlp(2), L2, decay(),
        algorithm("momentum", "chunk_start", 1), titans, drawn)
    add("titans_mlp2_chunk4", TITANS_CHUNK, mlp(2), L2, decay(),
        algorithm("momentum", "chunk_start", 4), titans, drawn)
    add("titans_mlp2_carried_chunk4", TITANS_CHUNK + "; S_0 carried in", mlp(2), L2, decay(),
        algorithm("momentum", "chunk_start", 4), titans,
        draw_inputs(12, 11, mlp2, (0.05, 0.3), eta, carried=True))

    add("titans_mlp3_norm_residual_chunk4",
        TITANS_CHUNK + "; memory k + LN(MLP(k)) * gain; retention anchored at W_init: "
        "W_t = W_init + A_t, A_t = a_t A_{t-1} + S_t (anchoring is not in the papers)",
        mlp(3, "silu", True, "layer"), L2, decay(anchored=True),
        algorithm("momentum", "chunk_start", 4), titans,
        draw_inputs(238, 12, [4, 8, 8, 4], (0.05, 0.2), eta, gain=True, spread=1.8))

    # The seeds of the cases with kinks keep the data away from them; check_branches looks.
    drawn = draw_inputs(111, 12, mlp2, (0.1, 0.9), eta)
    repeat_token(drawn[0], 4, [5, 7])
    add("titans_mlp2_loadcap_chunk4",
        TITANS_CHUNK + "; causal load cap (not in the papers): theta_i * max(1, load_i / kappa)^-2, "
        "load_i = sum_{j <= i in chunk} (beta_i / beta_j) theta_j / (1 - eta_j) |x_i . x_j|",
        mlp(2), L2, decay(), algorithm("momentum", "chunk_start", 4, 0.5), titans, drawn)

    add("titans_linear_momentum", TITANS + "; memory of one matrix", MATRIX, L2, decay(),
        algorithm("momentum", "exact", 4), titans,
        draw_inputs(15, 13, [5, 5], (0.1, 0.9), eta))

    drawn = draw_inputs(16, 11, mlp2, (0.05, 0.4), eta)
    add("titans_mlp2_huber_norm_chunk4", TITANS_CHUNK + "; bias of " + MIRAS + " Eq. 15",
        mlp(2), {"kind": "huber", "variant": "norm", "delta": 1.5}, decay(),
        algorithm("momentum", "chunk_start", 4), titans, drawn)
    add("titans_mlp2_huber_coordinate_chunk4", TITANS_CHUNK + "; bias of " + MIRAS + " Eq. 14",
        mlp(2), {"kind": "huber", "variant": "coordinate", "delta": 0.75}, decay(),
        algorithm("momentum", "chunk_start", 4), titans, drawn)

    # The memory of MIRAS, x + LN(MLP(x)), its hidden layer narrower; decay as its Eqs. 24 and 26.
    mix = {"kind": "huber", "variant": "mix", "delta": 1.5, "sharpness": 10.0}
    add("yaad_mlp2_norm_residual_chunk4",
        MIRAS + " Eq. 26 (YAAD) with the smooth sign of Remark 5; fixed threshold; gradients at the chunk start",
        mlp(2, "gelu", True, "layer"), mix, decay(), algorithm("gd", "chunk_start", 4), descent,
        draw_inputs(50, 12, mlp2, (0.02, 0.2), retention=(0.9, 0.99), gain=True, spread=1.8))
    cubic = {"kind": "lp", "form": "smooth", "p": 3.0, "epsilon": 1e-6}
    add("moneta_mlp2_norm_residual_identity_link_chunk4",
        MIRAS + " Eqs. 24 and 25 (MONETA, p = 3) with q = 2, where W_t = A_t; gradient of sum (e^2 + epsilon)^(3/2); "
        "gradients at the chunk start",
        mlp(2, "gelu", True, "layer"), cubic, decay(), algorithm("gd", "chunk_start", 4), descent,
        draw_inputs(39, 12, mlp2, (0.01, 0.05), retention=(0.9, 0.99), gain=True, spread=1.8))

    # Links that are not the identity, one for each read rule; as printed, and anchored.
    for anchored, name, words in [(False, "", ""), (True, "_anchored", "; retention anchored at the initial weights")]:
        add("moneta_mlp2_norm_residual_lq4_frozen_chunk4" + name,
            MIRAS + " Eqs. 24 and 25 (MONETA, p = 3, q = 4); A_0 = W ||W||_4^-2; scale frozen at the chunk start" + words,
            mlp(2, "gelu", True, "layer"), cubic, {"kind": "lq", "q": 4.0, "floor": 0.1, "anchored": anchored},
            algorithm("gd", "chunk_start", 4, read="frozen"), linked,
            draw_inputs(64, 12, mlp2, (0.005, 0.03), retention=(0.9, 0.99), gain=True, spread=1.8))
        add("memora_mlp2_norm_residual_stale_chunk4" + name,
            MIRAS + " Eq. 27 (MEMORA) as logits, rows summing to sqrt(d_out); weights of the chunk start are read" + words,
            mlp(2, "gelu", True, "layer"), L2, {"kind": "kl", "anchored": anchored},
            algorithm("gd", "chunk_start", 4, read="stale"), linked,
            draw_inputs(31, 12, mlp2, (0.1, 0.9), retention=(0.9, 0.99), gain=True))
        add("elastic_net_mlp2_exact_read_chunk4" + name,
            MIRAS + " Eq. 23 with decay; every token reads its own weights" + words,
            mlp(2), L2, {"kind": "elastic_net", "threshold": 0.1, "anchored": anchored},
            algorithm("gd", "chunk_start", 4, read="exact"), linked,
            draw_inputs(42, 12, mlp2, (0.05, 0.3), retention=(0.9, 0.99)))

    # Tokens 2..4 share a key (inside and across chunks of 4), token 9 repeats it later.
    drawn = draw_inputs(17, 12, [5, 5], (0.2, 0.98), retention=(0.7, 0.99))
    repeat_token(drawn[0], 2, [3, 4, 9])
    add("gated_deltanet",
        "Gated DeltaNet (arXiv 2412.06464), the gated delta rule; step is beta_t, read without 1/sqrt(d)",
        MATRIX, L2, decay(order="before"), algorithm("gd", "exact", 4), gated_deltanet, drawn)

    add("linear_attention",
        "Linear attention as in " + MIRAS + " Table 1 (no feature map, no normaliser), write scaled by step",
        MATRIX, DOT, NO_RETENTION, algorithm("gd", "exact", 4), linear_attention,
        draw_inputs(18, 11, [5, 5], (0.2, 1.0), retention=None))
    add("mamba2",
        "Mamba-2 (arXiv 2405.21060) as in " + MIRAS + " Table 1: scalar decay a_t, write scaled by step",
        MATRIX, DOT, decay(), algorithm("gd", "exact", 4), linear_attention,
        draw_inputs(19, 13, [5, 5], (0.2, 1.0)))
    drawn = draw_inputs(21, 13, [5, 5], (0.2, 1.0))
    drawn[0]["retention"] = Draw(121).uniform(0.7, 0.99, 13, 5)
    add("gla", "GLA (arXiv 2312.06635) Eq. 3: a decay of each key channel, write scaled by step",
        MATRIX, DOT, {**decay(), "channels": "key"}, algorithm("gd", "exact", 4), linear_attention, drawn)
    drawn = draw_inputs(22, 13, [5, 5], (0.2, 1.0))
    draw = Draw(122)
    drawn[0]["erase"] = draw.unit_rows(13, 5)
    drawn[0]["step"], drawn[0]["retention"] = draw.uniform(0.2, 1.0, 13, 5), draw.uniform(0.7, 0.99, 13, 5)
    add("rwkv7", "RWKV-7 (arXiv 2503.14456): decays and rates of key channels, an erase key beside the written one",
        MATRIX, {"kind": "erase"}, {**decay(), "channels": "key"}, {**algorithm("gd", "exact", 4), "channels": "key"},
        rwkv7, drawn)

    # Algorithms beyond momentum; 13 tokens, so the last chunk of 4 is partial and leaves no state.
    add("nesterov_mlp2_chunk4", "Nesterov's momentum as in arXiv 1212.0901, section 3.5; gradients at the chunk start",
        mlp(2), L2, decay(), algorithm("nesterov", "chunk_start", 4), nesterov,
        draw_inputs(23, 13, mlp2, (0.05, 0.3), eta))
    add("omega_mlp2_chunk4", "ATLAS (arXiv 2505.23735) section 3: a window of 3 tokens, over the edges of chunks",
        mlp(2), L2, decay(), {**algorithm("omega", "chunk_start", 4), "window": 3, "momentum": 0.5}, omega,
        draw_inputs(20, 13, mlp2, (0.05, 0.3), eta))
    at_end = chunk_end.__doc__.splitlines()[0]
    for at, (kind, keys) in enumerate([
        ("multi_step", {"steps": 3}),
        ("muon", {"epsilon": 0.5}),
        ("adam", {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.3}),
        ("rmsprop", {"beta": 0.9, "epsilon": 0.3}),
    ]):
        add(f"{kind}_mlp2_chunk4", f"{kind}: {at_end}",
            mlp(2), L2, decay(), {**algorithm(kind, "chunk_start", 4, read="stale"), **keys}, chunk_end,
            draw_inputs(24 + at, 13, mlp2, (0.05, 0.3), eta if kind == "muon" else None))

    add("muon_renormalised_mlp2_chunk4", f"muon with columns of their initial lengths: {at_end}",
        mlp(2), L2, decay(),
        {**algorithm("muon", "chunk_start", 4, read="stale"), "epsilon": 0.5, "renormalise": True}, chunk_end,
        draw_inputs(44, 13, mlp2, (0.05, 0.3), eta))

    # The other biases, and the other links with every read rule that they have.
    for at, (bias, source) in enumerate([
        ({"kind": "l1", "sharpness": 2.0}, MIRAS + " Eq. 12, smooth sign"),
        ({"kind": "epsilon_insensitive", "epsilon": 0.3, "sharpness": 4.0}, "support vector regression, smooth sign"),
        ({"kind": "robust", "radius": 0.4}, MIRAS + " Eq. 17"),
        ({"kind": "kl"}, "KL divergence of the softmax of the value from that of what is recalled"),
    ]):
        add(f"{bias['kind']}_mlp2_chunk4", source + "; gradients at the chunk start",
            mlp(2), bias, decay(), algorithm("gd", "chunk_start", 4), descent,
            draw_inputs(28 + at, 12, mlp2, (0.05, 0.3), retention=(0.9, 0.99)))
    for at, (kind, reading, keys, source) in enumerate([
        ("sigmoid", "exact", {"signed": True}, MIRAS + " section 5.2, variant 5, signed"),
        ("sigmoid", "stale", {"signed": False}, MIRAS + " section 5.2, variant 5"),
        ("f_divergence", "exact", {}, MIRAS + " Eq. 18 with f'(u) = u - 1/u, as the regulariser of Eq. 7"),
    ]):
        for anchored in (False, True):
            add(f"{kind}_mlp2_{reading}_chunk4" + ("_anchored" if anchored else ""), source,
                mlp(2), L2, {"kind": kind, "anchored": anchored, **keys},
                algorithm("gd", "chunk_start", 4, read=reading), linked,
                draw_inputs(40 + at, 12, mlp2, (0.05, 0.3), retention=(0.9, 0.99)))
    # Radii that states of both maps are within and without.
    for anchored, radius in [(False, 1.75), (True, 2.3)]:
        add("ball_mlp2_frozen_chunk4" + ("_anchored" if anchored else ""),
            "the point of a ball that is nearest to the state; scale frozen at the chunk start",
            mlp(2), L2, {"kind": "ball", "anchored": anchored, "radius": radius},
            algorithm("gd", "chunk_start", 4, read="frozen"), linked,
            draw_inputs(43, 12, mlp2, (0.05, 0.3), retention=(0.9, 0.99)))
    return found


# ---------------------------------------------------------- numerical gradients


def numerical_gradients(spec, recurrence, data, cotangent):
    """dL/d(input) for every input, L = sum(y * cotangent).

    Central differences with steps h, h/2, h/4; two Richardson extrapolations
    (error h^4) must agree, their combination (error h^6) is returned.
    """

    def loss():
        return float(np.sum(recurrence(spec, data)[0] * cotangent))

    def derivative(array, index):
        centre = array[index]

        def slope(h):
            array[index] = centre + h
            up, above = array[index], loss()
            array[index] = centre - h
            down, below = array[index], loss()
            array[index] = centre
            return (above - below) / (up - down)

        for step in FD_STEPS:
            d1, d2, d4 = slope(step), slope(step / 2), slope(step / 4)
            coarse, fine = (4.0 * d2 - d1) / 3.0, (4.0 * d4 - d2) / 3.0
            agree = abs(coarse - fine) <= FD_AGREE * max(1.0, abs(fine))
            if agree:
                break
        if not agree:
            raise AssertionError(f"{spec['name']}: difference quotients disagree by {abs(coarse - fine):.1e}")
        worst[0] = max(worst[0], abs(coarse - fine))
        return (16.0 * fine - coarse) / 15.0

    def gradient(array):
        out = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            out[index] = derivative(array, index)
        return out

    worst = [0.0]
    gradients = {
        key: [gradient(w) for w in value] if isinstance(value, list) else gradient(value)
        for key, value in data.items()
    }
    return gradients, worst[0]


# ------------------------------------------------------------------ self-checks


class Checks:
    def __init__(self):
        self.failed = []

    def check(self, what, error, tolerance=1e-12):
        passed = bool(error <= tolerance)
        print(f"{'ok  ' if passed else 'FAIL'} {what}: {error:.1e}")
        if not passed:
            self.failed.append(what)

    def require(self, what, passed):
        print(f"{'ok  ' if passed else 'FAIL'} {what}")
        if not passed:
            self.failed.append(what)


def distance(a, b):
    """Largest absolute difference of two arrays or lists of arrays."""
    if isinstance(a, list):
        return max(distance(x, y) for x, y in zip(a, b, strict=True))
    return float(np.max(np.abs(a - b)))


def with_parts(spec, **parts):
    changed = dict(spec)
    for key, value in parts.items():
        changed[key] = {**spec[key], **value}
    return changed


def check_inner_gradients(checks):
    """The chain rule by hand against differences of the inner loss."""
    biases = [
        L2,
        DOT,
        {"kind": "huber", "variant": "norm", "delta": 0.9},
        {"kind": "huber", "variant": "norm", "delta": 9.0},
        {"kind": "huber", "variant": "coordinate", "delta": 0.6},
        {"kind": "lp", "form": "smooth", "p": 3.0, "epsilon": 1e-6},
        {"kind": "lp", "form": "smooth", "p": 1.5, "epsilon": 1e-1},
        {"kind": "l1", "sharpness": 2.0},
        {"kind": "epsilon_insensitive", "epsilon": 0.3, "sharpness": 4.0},
        {"kind": "robust", "radius": 0.4},
        {"kind": "kl"},
    ]
    memories = [(MATRIX, [4, 4])]
    for activation in ("gelu", "silu"):
        memories += [
            (mlp(2, activation), [4, 8, 4]),
            (mlp(2, activation, True, "layer"), [4, 8, 4]),
            (mlp(3, activation, True, "layer"), [4, 8, 8, 4]),
            (mlp(3, activation, False, "none"), [4, 8, 8, 4]),
        ]
    worst, h = 0.0, 1e-4
    for memory, dims in memories:
        for bias in biases:
            data, _ = draw_inputs(100, 1, dims, (0.1, 0.2), gain=True)
            weights, gain, k, v = data["weights"], data["gain"], data["k"][0], data["v"][0]
            by_hand = inner_gradient(memory, bias, weights, gain, k, v)
            for w, g in zip(weights, by_hand):
                for index in np.ndindex(w.shape):
                    centre, values = w[index], []
                    for shift in (2 * h, h, -h, -2 * h):
                        w[index] = centre + shift
                        values.append(inner_loss(bias, read(memory, weights, gain, k), v))
                    w[index] = centre
                    far, near = values[0] - values[3], values[1] - values[2]
                    worst = max(worst, abs((8 * near - far) / (12 * h) - g[index]))
    checks.check("inner gradients by hand = differences of the inner loss", worst, 1e-9)


def check_identities(checks, by_name):
    """Models that must coincide for reasons outside the code."""
    # Gated DeltaNet and Titans without momentum: beta = theta / a, v' = a v.
    spec, _, data, _ = by_name["gated_deltanet"]
    data = {**data, "step": data["step"] * data["retention"]}
    still = {**data, "momentum": np.zeros(len(data["q"]))}
    y, w, _ = titans(with_parts(spec, retention={"order": "after"}), still)
    mapped = {
        **data,
        "step": data["step"] / data["retention"],
        "v": data["retention"][:, None] * data["v"],
    }
    y_gdn, w_gdn, _ = gated_deltanet(spec, mapped)
    checks.check("gated_deltanet = titans without momentum under beta = theta / a, v' = a v",
                 max(distance(y, y_gdn), distance(w, w_gdn)))
    checks.require("... and not without the map", distance(y, gated_deltanet(spec, data)[0]) > 1e-3)

    # A full step on a unit key overwrites what the key reads.
    full = {**data, "step": np.ones(len(data["q"])), "q": data["k"]}
    checks.check("gated_deltanet with beta = 1 reads back v", distance(gated_deltanet(spec, full)[0], data["v"]))

    # The dot bias does not see the weights: Titans without momentum, any anchor.
    for name in ("linear_attention", "mamba2"):
        spec, recurrence, data, _ = by_name[name]
        still = {**data, "momentum": np.zeros(len(data["q"]))}
        y, w, _ = recurrence(spec, data)
        chunked = with_parts(spec, algorithm={"form": "chunk_start", "chunk": 5})
        y_titans, w_titans, _ = titans(chunked, still)
        checks.check(f"{name} = titans with dot bias, no momentum", max(distance(y, y_titans), distance(w, w_titans)))
    spec, _, data, _ = by_name["linear_attention"]
    scores = np.tril(data["q"] @ data["k"].T) * data["step"][None, :]
    attention = data["q"] @ data["weights"][0] + scores @ data["v"]
    checks.check("linear_attention = causal scores times values", distance(linear_attention(spec, data)[0], attention))

    # Chunks of one token are the exact recurrence; longer ones are not.
    spec, _, data, _ = by_name["titans_mlp2_chunk1"]
    exact = with_parts(spec, algorithm={"form": "exact", "chunk": 4})
    y, w, s = titans(spec, data)
    checks.check("chunk_start with C = 1 = exact", distance(titans(exact, data)[0], y), 0.0)
    longer, _, _, _ = by_name["titans_mlp2_chunk4"]
    checks.require("chunk_start with C = 4 differs from exact", distance(titans(longer, data)[0], y) > 1e-3)

    # The state carries over a chunk boundary.
    y, w, s = titans(longer, data)
    per_token = ("q", "k", "v", "step", "retention", "momentum")
    head = {key: x[:8] if key in per_token else x for key, x in data.items()}
    y_head, w_head, s_head = titans(longer, head)
    tail = {key: data[key][8:] for key in per_token}
    y_tail, w_tail, s_tail = titans(longer, {**tail, "weights": w_head, "momentum_state": s_head})
    checks.check("8 + 5 tokens with carried state = 13 tokens",
                 max(distance(np.concatenate([y_head, y_tail]), y), distance(w_tail, w), distance(s_tail, s)), 0.0)

    # Anchored retention is the plain one when nothing is forgotten, and only then.
    spec, _, data, _ = by_name["titans_mlp3_norm_residual_chunk4"]
    plain = with_parts(spec, retention={"anchored": False})
    keep = {**data, "retention": np.ones(len(data["q"]))}
    checks.check("anchored = plain retention at a = 1", distance(titans(spec, keep)[0], titans(plain, keep)[0]))
    checks.require("anchored differs from plain at a < 1",
                   distance(titans(spec, data)[0], titans(plain, data)[0]) > 1e-3)

    # A cap that never binds, and a Huber threshold never reached, change nothing.
    spec, _, data, _ = by_name["titans_mlp2_loadcap_chunk4"]
    loose, uncapped = (with_parts(spec, algorithm={"load_cap": c}) for c in (1e9, None))
    checks.check("load cap 1e9 = no cap", distance(titans(loose, data)[0], titans(uncapped, data)[0]), 0.0)
    checks.require("load cap 0.5 changes the outputs",
                   distance(titans(spec, data)[0], titans(uncapped, data)[0]) > 1e-3)
    for variant in ("norm", "coordinate"):
        spec, _, data, _ = by_name[f"titans_mlp2_huber_{variant}_chunk4"]
        y = titans(with_parts(spec, bias={"delta": 1e9}), data)[0]
        checks.check(f"huber {variant}, delta 1e9 = l2", distance(y, titans({**spec, "bias": L2}, data)[0]), 0.0)

    # YAAD is l2 below the threshold, and beyond it a step along signs.
    spec, _, data, _ = by_name["yaad_mlp2_norm_residual_chunk4"]
    y, y_l2 = descent(spec, data)[0], descent({**spec, "bias": L2}, data)[0]
    far = with_parts(spec, bias={"delta": 1e9})
    checks.check("huber mix, delta 1e9 = l2", distance(descent(far, data)[0], y_l2), 0.0)
    checks.require("huber mix differs from l2", distance(y, y_l2) > 1e-3)
    e = np.array([3.0, -4.0, 5.0])
    sharp = {**spec["bias"], "sharpness": 1e9}
    checks.check("huber mix beyond delta = delta sign(e)",
                 distance(output_gradient(sharp, e, 0.0 * e), sharp["delta"] * np.sign(e)))

    # lp with p = 2 is l2 with twice the step, and p = 3 is 3 sign(e) e^2.
    spec, _, data, _ = by_name["moneta_mlp2_norm_residual_identity_link_chunk4"]
    twice = {**data, "step": 2.0 * data["step"]}
    checks.check("lp, p = 2 = l2 with twice the step",
                 distance(descent(with_parts(spec, bias={"p": 2.0}), data)[0], descent({**spec, "bias": L2}, twice)[0]))
    cubic = {**spec["bias"], "epsilon": 1e-18}
    checks.check("lp, p = 3 = 3 sign(e) e^2", distance(output_gradient(cubic, e, 0.0 * e), 3.0 * np.sign(e) * e * e))

    # MEMORA in logits is MEMORA as printed; its rows stay on the simplex.
    for name in ["", "_anchored"]:
        spec, _, data, _ = by_name["memora_mlp2_norm_residual_stale_chunk4" + name]
        exact = with_parts(spec, algorithm={"form": "exact", "read": "exact"})
        y, w, _ = linked(exact, data)
        checks.check(f"memora{name} in logits = memora as printed", distance(y, memora_as_printed(spec, data)))
        checks.check(f"memora{name}'s rows sum to sqrt(d_out)",
                     max(distance(np.sum(x, axis=1), np.full(len(x), math.sqrt(x.shape[1]))) for x in w))

    # The first weights are the learned ones, and q = 2 is plain decay.
    spec, _, data, _ = by_name["moneta_mlp2_norm_residual_lq4_frozen_chunk4"]
    starts = [link(spec["retention"], first_state(spec["retention"], w)) for w in data["weights"]]
    checks.check("lq: Lambda(A_0) = W_init", distance(starts, data["weights"]))
    two = with_parts(spec, retention={"q": 2.0})
    plain_decay, _, _, _ = by_name["moneta_mlp2_norm_residual_identity_link_chunk4"]
    checks.check("lq with q = 2 = decay", distance(linked(two, data)[0], descent(plain_decay, data)[0]))
    checks.require("lq with q = 4 differs from decay", distance(linked(spec, data)[0], descent(plain_decay, data)[0]) > 1e-3)
    spec, _, data, _ = by_name["elastic_net_mlp2_exact_read_chunk4"]
    starts = [link(spec["retention"], first_state(spec["retention"], w)) for w in data["weights"]]
    checks.check("elastic net: Lambda(A_0) = W_init", distance(starts, data["weights"]))


def sigmoid_as_printed(spec, data):
    """W_t = c sigma(a_t logit(W_{t-1} / c) - theta_t g_t), MIRAS section 5.2, every token its own anchor."""
    retention = spec["retention"]
    weights = [link(retention, first_state(retention, w)) for w in data["weights"]]
    ys = []
    for t in range(len(data["q"])):
        gradients = gradient_of(spec, data, weights, t)
        for l, (w, g) in enumerate(zip(weights, gradients)):
            c = 2.0 / math.sqrt(w.shape[1])
            logits = data["retention"][t] * np.log(w / (c - w)) - data["step"][t] * g
            weights[l] = c / (1.0 + np.exp(-logits))
        ys.append(read(spec["memory"], weights, data.get("gain"), data["q"][t]))
    return np.array(ys)


def check_more_identities(checks, by_name):
    """The same for channels, erase keys, and the other algorithms, biases and links."""
    # Channels that are alike are a head, and an erase key that is the written one is the delta rule.
    spec, _, data, _ = by_name["mamba2"]
    alike = {**data, "retention": np.outer(data["retention"], np.ones(5))}
    checks.check("gla with equal channels = mamba2",
                 distance(linear_attention(spec, alike)[0], linear_attention(spec, data)[0]))
    spec, _, data, _ = by_name["rwkv7"]
    a, theta = data["retention"][:, 0], data["step"][:, 0]
    alike = {**data, "erase": data["k"], "retention": np.outer(a, np.ones(5)), "step": np.outer(theta, np.ones(5))}
    delta = with_parts({**spec, "bias": L2}, algorithm={"form": "exact"})
    still = {**data, "retention": a, "step": theta, "momentum": np.zeros(len(a))}
    y, w, _ = titans(delta, still)
    y_rwkv, w_rwkv, _ = rwkv7(spec, alike)
    checks.check("rwkv7 with e = k and equal channels = the delta rule before the decay",
                 max(distance(y, y_rwkv), distance(w, w_rwkv)))
    checks.require("... and not with an erase key of its own",
                   distance(rwkv7(spec, {**alike, "erase": data["erase"]})[0], y) > 1e-3)

    # Algorithms.
    spec, _, data, _ = by_name["nesterov_mlp2_chunk4"]
    still = {**data, "momentum": np.zeros(len(data["q"]))}
    checks.check("nesterov with eta = 0 = gradient descent", distance(nesterov(spec, still)[0], descent(spec, data)[0]))
    constant = {**data, "momentum": np.full(len(data["q"]), 0.6), "retention": np.ones(len(data["q"]))}
    blind, constant["weights"] = with_parts(spec, bias=DOT, memory=MATRIX), [np.eye(4)]
    (_, ahead, s), (_, w, s_plain) = nesterov(blind, constant), titans(blind, constant)
    checks.check("nesterov is momentum with eta S ahead", max(distance(ahead[0], w[0] + 0.6 * s[0]), distance(s, s_plain)))
    spec, _, data, _ = by_name["omega_mlp2_chunk4"]
    one = with_parts(spec, algorithm={"window": 1})
    checks.check("omega with a window of 1 = momentum", distance(omega(one, data)[0], titans(spec, data)[0]))
    checks.require("... and not with 3", distance(omega(spec, data)[0], titans(spec, data)[0]) > 1e-3)
    spec, _, data, _ = by_name["multi_step_mlp2_chunk4"]
    whole = {key: x[:12] if key in ("q", "k", "v", "step", "retention") else x for key, x in data.items()}
    one = with_parts(spec, algorithm={"steps": 1})
    checks.check("multi_step, 1 step = gradient descent", distance(chunk_end(one, whole)[1], descent(spec, whole)[1]))
    checks.require("... and not with 3", distance(chunk_end(spec, whole)[1], descent(spec, whole)[1]) > 1e-3)
    spec, _, data, _ = by_name["rmsprop_mlp2_chunk4"]
    still = with_parts(spec, algorithm={"kind": "adam", "beta1": 0.0, "beta2": 0.9})
    checks.check("adam with beta1 = 0 = rmsprop", distance(chunk_end(still, data)[0], chunk_end(spec, data)[0]))
    s = by_name["muon_mlp2_chunk4"][2]["weights"][0]
    left, _, right = np.linalg.svd(s, full_matrices=False)
    values = left.T @ orthogonalised(s, 0.0) @ right.T
    checks.check("muon keeps singular vectors", distance(values, np.diag(np.diag(values))), 1e-10)
    checks.require("... and brings singular values near 1",
                   0.65 < np.min(np.diag(values)) < np.max(np.diag(values)) < 1.25)

    # Biases.
    spec, _, data, _ = by_name["robust_mlp2_chunk4"]
    checks.check("robust, radius 0 = l2",
                 distance(descent(with_parts(spec, bias={"radius": 0.0}), data)[0], descent({**spec, "bias": L2}, data)[0]))
    spec, _, data, _ = by_name["epsilon_insensitive_mlp2_chunk4"]
    l1 = {"kind": "l1", "sharpness": spec["bias"]["sharpness"]}
    none = with_parts(spec, bias={"epsilon": 0.0})
    checks.check("epsilon_insensitive, epsilon 0 = l1",
                 distance(descent(none, data)[0], descent({**spec, "bias": l1}, data)[0]))
    checks.require("... and not with 0.3", distance(descent(spec, data)[0], descent(none, data)[0]) > 1e-3)

    # Links.
    spec, _, data, _ = by_name["sigmoid_mlp2_stale_chunk4"]
    exact = with_parts(spec, algorithm={"form": "exact", "read": "exact"})
    checks.check("sigmoid in logits = sigmoid as printed", distance(linked(exact, data)[0], sigmoid_as_printed(spec, data)))
    state = data["weights"][0]
    signed = with_parts(spec, retention={"signed": True})["retention"]
    checks.check("sigmoid, signed = the difference of both signs", distance(
        link(signed, state), link(spec["retention"], state) - link(spec["retention"], -state)))
    u = link({"kind": "f_divergence"}, state) * math.sqrt(state.shape[1])
    checks.check("f_divergence: f'(u) = u - 1/u is the state", distance(u - 1.0 / u, state))
    spec, _, data, _ = by_name["ball_mlp2_frozen_chunk4"]
    wide = with_parts(spec, retention={"radius": 1e9})
    checks.check("ball, radius 1e9 = decay", distance(linked(wide, data)[0], descent(spec, data)[0]))
    ends = linked(spec, data)[1]
    checks.require("ball: weights are within it",
                   max(entry_norm(w, 2.0) for w in ends) <= spec["retention"]["radius"] + 1e-12)


def anchors_of(spec, data):
    """[(t, chunk start, weights at the anchor)], by running the prefixes."""
    run = titans if "momentum" in data else descent
    chunk, found = chunk_length(spec), []
    per_token = ("q", "k", "v", "step", "retention", "momentum")
    for t in range(len(data["q"])):
        start = t - t % chunk
        prefix = {key: x[:start] if key in per_token else x for key, x in data.items()}
        found.append((t, start, run(spec, prefix)[1]))
    return found


def check_branches(checks, by_name):
    """The data must visit both sides of every kink, and stay away from the kink."""
    spec, _, data, _ = by_name["titans_mlp2_loadcap_chunk4"]
    kappa = spec["algorithm"]["load_cap"]
    loads, products = [], []
    for t, start, anchor in anchors_of(spec, data):
        loads.append(chunk_loads(spec, data, anchor, start, t)[-1])
        x = [layer_inputs(spec["memory"], anchor, data["k"][j])[0][-1] for j in range(start, t + 1)]
        products += [abs(float(x[-1] @ other)) for other in x[:-1]]
    print("     loads / kappa:", " ".join(f"{load / kappa:.2f}" for load in loads))
    bound = sum(load > kappa for load in loads)
    checks.require(f"load cap binds for {bound} of {len(loads)} tokens", 3 <= bound <= len(loads) - 3)
    checks.require("loads stay away from kappa", min(abs(load / kappa - 1.0) for load in loads) > KINK_MARGIN)
    checks.require("inner products stay away from 0", min(products) > KINK_MARGIN)

    def errors(spec, data):
        return [read(spec["memory"], anchor, data.get("gain"), data["k"][t]) - data["v"][t]
                for t, _, anchor in anchors_of(spec, data)]

    for name in ("titans_mlp2_huber_norm_chunk4", "titans_mlp2_huber_coordinate_chunk4",
                 "yaad_mlp2_norm_residual_chunk4"):
        spec, _, data, _ = by_name[name]
        variant, delta, sizes = spec["bias"]["variant"], spec["bias"]["delta"], []
        for e in errors(spec, data):
            sizes += list(np.abs(e)) if variant == "coordinate" else [math.sqrt(float(e @ e))]
        above = sum(size > delta for size in sizes)
        checks.require(f"huber {variant}: {above} of {len(sizes)} errors above delta", 3 <= above <= len(sizes) - 3)
        checks.require(f"huber {variant}: errors stay away from delta",
                       min(abs(size - delta) for size in sizes) > KINK_MARGIN)

    # The states of a ball lie within it and without.
    for name in ("ball_mlp2_frozen_chunk4", "ball_mlp2_frozen_chunk4_anchored"):
        spec, _, data, _ = by_name[name]
        radius, sizes = spec["retention"]["radius"], []
        for start in (0, 4, 8, 12):
            per_token = ("q", "k", "v", "step", "retention")
            prefix = {key: x[:start] if key in per_token else x for key, x in data.items()}
            state = linked(spec, prefix, states=True)
            sizes += [entry_norm(a, 2.0) / radius for a in state]
        print("     states / radius:", " ".join(f"{size:.2f}" for size in sizes))
        inside = sum(size < 1.0 for size in sizes)
        checks.require(f"{name}: {inside} of {len(sizes)} states are within", 2 <= inside <= len(sizes) - 2)
        checks.require(f"{name}: states stay away from the border", min(abs(size - 1.0) for size in sizes) > KINK_MARGIN)

    # Third powers are smooth on the scale of sqrt(epsilon) only, finer than the difference quotients.
    spec, _, data, _ = by_name["moneta_mlp2_norm_residual_identity_link_chunk4"]
    sizes = np.abs(np.array(errors(spec, data)))
    checks.require("lp: errors stay away from 0", float(np.min(sizes)) > KINK_MARGIN)


def self_checks(all_cases):
    checks = Checks()
    by_name = {case[0]["name"]: case for case in all_cases}
    check_inner_gradients(checks)
    check_identities(checks, by_name)
    check_more_identities(checks, by_name)
    check_branches(checks, by_name)
    for spec, _, data, _ in all_cases:
        lengths = np.sqrt(np.sum(data["k"] ** 2, axis=1)), np.sqrt(np.sum(data["q"] ** 2, axis=1))
        if max(distance(x, np.ones_like(x)) for x in lengths) > 1e-14:
            checks.require(f"{spec['name']}: q and k have length 1", False)
    return checks.failed


# ---------------------------------------------------------------- golden files


def plain(value):
    """Arrays to nested lists of floats."""
    if isinstance(value, dict):
        return {key: plain(x) for key, x in value.items()}
    if isinstance(value, list):
        return [plain(x) for x in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def golden(spec, recurrence, data, cotangent):
    y, weights, state = recurrence(spec, data)
    outputs = {"y": y, "weights": weights}
    if state is not None:
        outputs["slots" if isinstance(state[0], list) else "momentum_state"] = state
    gradients, disagreement = numerical_gradients(spec, recurrence, data, cotangent)
    print(f"     {spec['name']}: |y| <= {np.max(np.abs(y)):.2f}, difference quotients agree to {disagreement:.1e}")
    parts = {**spec, "inputs": data, "cotangent": cotangent, "outputs": outputs, "gradients": gradients}
    return plain(parts)


def render(value, indent=0):
    """JSON with one row of numbers per line; repr keeps every bit of a float."""
    pad = " " * (indent + 1)
    if isinstance(value, dict) and any(isinstance(x, (dict, list)) for x in value.values()):
        rows = [f"{pad}{json.dumps(key)}: {render(x, indent + 1)}" for key, x in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if isinstance(value, list) and isinstance(value[0], list):
        rows = [pad + render(x, indent + 1) for x in value]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    return json.dumps(value, allow_nan=False)


def differences(made, stored, path=""):
    """Paths where two JSON values differ by more than the tolerance."""
    numbers = (int, float)
    if isinstance(made, dict) and isinstance(stored, dict) and made.keys() == stored.keys():
        return [d for key in made for d in differences(made[key], stored[key], f"{path}/{key}")]
    if isinstance(made, list) and isinstance(stored, list) and len(made) == len(stored):
        return [d for i, (a, b) in enumerate(zip(made, stored)) for d in differences(a, b, f"{path}/{i}")]
    if type(made) is float and type(stored) in numbers:
        tolerance = CHECK_TOL_GRADIENT if path.startswith("/gradients/") else CHECK_TOL
        close = abs(made - stored) <= tolerance * max(1.0, abs(made))
        return [] if close else [f"{path}: {stored!r} on disk, {made!r} made"]
    same = type(made) is type(stored) and made == stored
    return [] if same else [f"{path}: differs"]


def compare(made, folder):
    found = []
    on_disk = {p.name for p in folder.glob("*.json")}
    found += [f"{name}: missing" for name in sorted(made.keys() - on_disk)]
    found += [f"{name}: not made by this script" for name in sorted(on_disk - made.keys())]
    for name in sorted(made.keys() & on_disk):
        stored = json.loads((folder / name).read_text())
        found += [f"{name}{d}" for d in differences(made[name], stored)]
    return found


def main():
    parser = argparse.ArgumentParser(description="Make or check the golden files of the reference recurrences.")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder of the golden files")
    parser.add_argument("--check", action="store_true", help="compare with the files on disk, write nothing")
    arguments = parser.parse_args()

    failed = self_checks(cases())
    if failed:
        print(f"{len(failed)} self-checks failed")
        return 1

    made = {f"{case[0]['name']}.json": golden(*case) for case in cases()}
    if arguments.check:
        found = compare(made, arguments.out)
        for line in found[:20]:
            print(line)
        print(f"{len(found)} differences in {len(made)} files")
        return 1 if found else 0

    arguments.out.mkdir(parents=True, exist_ok=True)
    total = 0
    for name, content in made.items():
        text = render(content) + "\n"
        (arguments.out / name).write_text(text)
        total += len(text)
    print(f"{len(made)} files, {total} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
