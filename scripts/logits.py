#!/usr/bin/env python3
"""The models of this project in plain numpy: docs/weights.md as a program.

  logits.py FOLDER TEXT            the likeliest bytes after TEXT
  logits.py FOLDER TEXT --state F  compares with the logits that `miras-train state save` put into F
  logits.py FOLDER --tokens 3,1,2  the same for a model whose tokens are not bytes
  ... --json                       prints the logits of every position

FOLDER holds config.toml and model.safetensors: what `miras-train export` writes. Needs Python 3.11
and numpy. Everything is a literal loop over tokens in float64; nothing here is fast.
"""

import argparse
import json
import math
import sys
import tomllib
from pathlib import Path

import numpy as np

# ------------------------------------------------------------------- files


def tensors(path):
    """The tensors of a safetensors file: a length, a header in JSON, numbers."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for name, info in json.loads(data[8:start]).items():
        if name != "__metadata__":
            begin, end = (start + at for at in info["data_offsets"])
            values = np.frombuffer(data[begin:end], "<f4").reshape(info["shape"])
            found[name] = values.astype(np.float64)
    return found


def load(folder):
    """Configuration and weights of an export."""
    folder = Path(folder)
    config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    return config, tensors(folder / "model.safetensors")


def inside(weights, prefix):
    """The weights whose names begin with `prefix.`, without it."""
    prefix += "."
    return {n[len(prefix):]: w for n, w in weights.items() if n.startswith(prefix)}


def unknown(what, value):
    sys.exit(f"error: {what} = {value!r} is not in this script; docs/parts has its formula")


# ------------------------------------------------------------------ layers


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0.0, x)


def silu(x):
    return x * sigmoid(x)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rms_norm(x, gamma):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * gamma


def logits(config, weights, tokens):
    """[tokens] -> [tokens, vocabulary]."""
    model = config["model"]
    x = weights["embedding"][np.asarray(tokens)]
    for layer in range(model["layers"]):
        w = inside(weights, f"blocks.{layer}")
        kinds = {"memory": memory, "attention": attention, "tnt": tnt}
        kind = config["mixer"]["kind"]
        mixer = kinds[kind] if kind in kinds else unknown("mixer.kind", kind)
        x = x + mixer(config, inside(w, "mixer"), rms_norm(x, w["mixer_norm.gamma"]))
        h = rms_norm(x, w["ffn_norm.gamma"])
        gated = silu(h @ w["ffn.gate.weight"]) * (h @ w["ffn.up.weight"])
        x = x + gated @ w["ffn.down.weight"]
    x = rms_norm(x, weights["norm.gamma"])
    if "head.weight" in weights:
        return x @ weights["head.weight"]
    return x @ weights["embedding"].T / math.sqrt(model["dim"])


def query_key_value(mixer, w, x):
    """Three times [heads, tokens, width of a head]: heads in a group have the same."""
    if mixer.get("query", "projected") == "keys":
        # No projection and no convolution of queries: a token reads with its own key.
        k, v = projected(mixer, w, x, "kv")
        return k, k, v
    return tuple(projected(mixer, w, x, "qkv"))


def projected(mixer, w, x, names):
    """Those of these names, in the order of their convolutions."""
    heads = mixer["heads"]
    of_keys, of_values = mixer.get("key_heads", heads), mixer.get("value_heads", heads)
    of_queries = heads if mixer["kind"] == "attention" else of_keys
    of = {"q": of_queries, "k": of_keys, "v": of_values}
    for at, (name, own) in enumerate((name, of[name]) for name in names):
        y = x @ w[f"{name}.weight"]
        if mixer["conv"] > 0:
            padded = np.concatenate([np.zeros((mixer["conv"] - 1, y.shape[1])), y])
            # Tap 0 is that of the token itself, tap j of the token j places earlier.
            taps = w[f"convs.{at}.taps"][::-1]
            y = sum(taps[i] * padded[i : i + len(x)] for i in range(len(taps)))
        if mixer["conv_activation"] == "silu":
            y = silu(y)
        if name != "v" and mixer.get("polynomial", 1) > 1:
            y = sum(c * y ** (p + 1) for p, c in enumerate(w["polynomial"]))
        y = y.reshape(len(x), own, -1).swapaxes(0, 1)
        if name != "v":
            y = normed(mixer["qk_norm"], y, w.get(f"{name}_norm.gamma"))
        yield np.repeat(y, heads // own, 0)


def normed(kind, y, gamma):
    """Rows of length 1, or of mean square 1 times a gain, or as they are."""
    if kind == "l2":
        return y / np.sqrt((y * y).sum(-1, keepdims=True) + 1e-6)
    return rms_norm(y, gamma) if kind == "rms" else y


def output(mixer, w, x, y):
    """From what heads read, [heads, tokens, width of a head], to [tokens, features]."""
    y = normed(mixer["output_norm"], y, w.get("norm.gamma"))
    y = y.swapaxes(0, 1).reshape(len(x), -1)
    if mixer["output_gate"] != "none":
        z = x @ w["output_gate.weight"]
        y = y * (silu(z) if mixer["output_gate"] == "silu" else sigmoid(z))
    return y @ w["output.weight"]


# --------------------------------------------------------------- attention


def attention(config, w, x):
    """Causal softmax attention with rotary positions."""
    q, k, v = query_key_value(config["mixer"], w, x)
    tokens, width = q.shape[1:]
    base = config["attention"]["rope_base"]
    angles = np.arange(tokens)[:, None] * base ** (-2.0 * np.arange(width // 2) / width)

    def rotate(x):
        a, b = x[..., : width // 2], x[..., width // 2 :]
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate([a * cos - b * sin, a * sin + b * cos], -1)

    scores = rotate(q) @ rotate(k).swapaxes(1, 2) / math.sqrt(width)
    later = np.triu(np.ones((tokens, tokens), bool), 1)
    y = softmax(np.where(later, -np.inf, scores)) @ v
    return output(config["mixer"], w, x, y)


# ---------------------------------------------------------------- memories
# Every head has its own memory; arrays are [heads, rows, columns], a token is one row.


def memory(config, w, x):
    """The layer around a memory."""
    y = recalled(config, w, *read_and_written(config, w, x), gates(config, w, x))
    return output(config["mixer"], w, x, y)


def tnt(config, w, x):
    """The layer around a global memory and local ones, which start again with every shard."""
    mixer, shared = config["mixer"], inside(w, "global")
    q, k, v = read_and_written(config, shared, x)
    y = recalled(config, shared, q, k, v, gates(config, shared, x))
    shard = mixer["shard"] or len(x)
    for n, chunk in enumerate(mixer["local_chunks"]):
        own = inside(w, f"locals.{n}")
        algorithm = {**config["algorithm"], "chunk": chunk, "read": mixer["local_read"]}
        local = {**config, "algorithm": algorithm}
        of_local = gates(local, own, x)
        for first in range(0, len(x), shard):
            at = np.s_[:, first : first + shard]
            queries = q[at]
            if mixer["project_queries"]:
                keys = normed("l2", k[at], None)
                queries = np.tril(queries @ keys.swapaxes(1, 2)) @ keys
            of_shard = [gate[at] for gate in of_local]
            y[at] += recalled(local, own, queries, k[at], v[at], of_shard)
    return output(mixer, shared, x, y)


def read_and_written(config, w, x):
    """Queries, keys and values as they come to a memory."""
    q, k, v = query_key_value(config["mixer"], w, x)
    if config["memory"].get("learn", "all") == "last":
        q, k = features(config["memory"], w, q), features(config["memory"], w, k)
    if config["bias"].get("target", "same") == "next":
        # Under the key of the token before: its value is what comes behind it.
        k = np.concatenate([np.zeros_like(k[:, :1]), k[:, :-1]], 1)
    return q, k, v


def recalled(config, w, q, k, v, of_tokens):
    """A memory's recurrence token by token, and what is read of it, [heads, tokens, width]."""
    algorithm, retention = config["algorithm"], config["retention"]
    # `sweeps` is the name in runs of earlier versions.
    picard = algorithm.get("picard", algorithm.get("sweeps"))
    if picard > 0:
        unknown("algorithm.picard", picard)
    threshold, keep, step, momentum = of_tokens
    gain = w.get("gains.0")
    learned = initial_weights(config, w, q.shape[-1], v.shape[-1])
    start = [initial_state(retention, weights) for weights in learned]
    # An anchored state is the distance from that of the initial weights, and decays to it.
    anchored = retention.get("anchored", False)
    state = [np.zeros_like(a) for a in start] if anchored else start
    held = lambda state: [a + s for a, s in zip(start, state)] if anchored else state
    slots = [np.zeros_like(a) for a in state]
    exact = algorithm["form"] == "exact"
    anchor, began = linked(retention, held(state)), held(state)
    window, loads, writes = algorithm.get("window", 1), [], []
    gated, surprise = algorithm.get("surprise_threshold", 0) > 0, 0.0
    if gated and window > 1:
        unknown("algorithm.window", window)

    def take(t):
        """What token t writes into each map with its gradient at the anchor, through the caps."""
        nonlocal loads, surprise
        at = np.s_[:, t : t + 1]
        theta = step[at]
        error = lambda y: output_gradient(config["bias"], y, v[at], threshold[at])
        factors = gradients(config["memory"], anchor, gain, k[at], error)
        if algorithm["load_cap"] > 0:
            loads = [(feature, share * keep[at]) for feature, share in loads]
            feature = factors[-1][0]
            loads.append((feature, theta / np.maximum(1.0 - momentum[at], 1e-3)))
            load = sum(abs(dot(other, feature)) * share for other, share in loads)
            theta = theta / np.maximum(load / algorithm["load_cap"], 1.0) ** 2
        norm = np.sqrt(sum(dot(x, x) * dot(d, d) for x, d in factors) + 1e-12)
        if gated:
            average = algorithm["surprise_average"]
            surprise = average * surprise + (1 - average) * norm
            above = surprise - algorithm["surprise_threshold"]
            if algorithm["surprise_hard"]:
                theta = theta * (above > 0)
            else:
                theta = theta * sigmoid(above / algorithm["surprise_softness"])
        if algorithm["grad_cap"] > 0:
            theta = theta * np.minimum(algorithm["grad_cap"] / norm, 1.0)
        writes.append([theta * x.swapaxes(1, 2) @ d for x, d in factors])

    outputs = []
    for t in range(q.shape[1]):
        at = np.s_[:, t : t + 1]
        a, eta = keep[at], momentum[at]
        if exact:
            before = [a * s for s in state] if retention.get("order") == "before" else state
            anchor = linked(retention, held(before))
        elif t % algorithm["chunk"] == 0:
            # Those before the chunk that its windows reach take their gradients anew.
            loads, writes = [], []
            for earlier in range(max(0, t - window + 1), t):
                take(earlier)
        take(t)
        means = [sum(maps) / window for maps in zip(*writes[-window:])]
        slots = [eta * s - mean for s, mean in zip(slots, means)]
        state = [a * s + m for s, m in zip(state, slots)]
        read = {
            "exact": lambda: linked(retention, held(state)),
            "frozen": lambda: [scale(retention, b) * s for b, s in zip(began, held(state))],
            "stale": lambda: anchor,
        }[algorithm["read"]]()
        outputs.append(remember(config["memory"], read, gain, q[at])[0])

        if not exact and (t + 1) % algorithm["chunk"] == 0:
            if algorithm["state_cap"] > 0:
                norms = [np.sqrt((s * s).sum((1, 2), keepdims=True) + 1e-12) for s in state]
                cap = algorithm["state_cap"]
                state = [s * np.minimum(cap / norm, 1.0) for s, norm in zip(state, norms)]
            anchor, began = linked(retention, held(state)), held(state)

    return np.concatenate(outputs, 1)


def features(memory, w, x):
    """Keys or queries through the maps that are not written, at length 1."""
    for at in range(sum(n.startswith("feature_maps.") for n in w)):
        x, _ = activation_of(memory["activation"], x @ w[f"feature_maps.{at}"])
    return normed("l2", x, None)


def dot(a, b):
    return (a * b).sum(-1, keepdims=True)


def gates(config, w, x):
    """Threshold, retention, step size and momentum of every token: [heads, tokens, 1] each."""
    bias, retention, algorithm = config["bias"], config["retention"], config["algorithm"]
    heads = config["mixer"]["heads"]
    if config["mixer"].get("gate_rank", 0) > 0:
        unknown("mixer.gate_rank", config["mixer"]["gate_rank"])
    z = x @ w["gates.weight"] + w["gates.bias"] if "gates.weight" in w else None
    columns = iter(range(0, 0 if z is None else z.shape[1], heads))
    ones = np.ones((heads, len(x), 1))

    def projected():
        first = next(columns)
        return z[:, first : first + heads].T[:, :, None]

    # In this order: those of bias, retention and algorithm. A fixed gate has no columns.
    threshold = bias.get("delta", 0.0) * ones
    if bias.get("input_dependent", False):
        threshold = softplus(projected())
    keep = ones
    if retention["kind"] != "none":
        if retention["gate"] == "sigmoid":
            keep = sigmoid(projected())
        elif retention["gate"] == "rate":
            keep = np.exp(-np.exp(w["rates.0"])[:, None, None] * softplus(projected()))
        else:
            keep = retention["decay"] * ones
    step = algorithm["step_max"] * ones
    if algorithm["step"] == "input":
        step = step * sigmoid(projected())
    momentum = sigmoid(projected()) if has_momentum(algorithm) else 0.0 * ones
    assert next(columns, None) is None, "every column is used"
    return threshold, keep, step, momentum


def has_momentum(algorithm):
    return algorithm["kind"] == "momentum" or algorithm["kind"] == "omega" and algorithm["momentum"] > 0


# A memory M(x) of maps W_1 ... W_L, and the factors (x_l, d_l) of its gradient: x_l^T d_l for W_l.


def activation_of(name, h):
    """f(h) and its derivative."""
    if name == "gelu":
        cdf = 0.5 * (1.0 + np.vectorize(math.erf)(h / math.sqrt(2.0)))
        return h * cdf, cdf + h * np.exp(-0.5 * h * h) / math.sqrt(2.0 * math.pi)
    if name == "silu":
        s = sigmoid(h)
        return h * s, s + h * s * (1.0 - s)
    if name == "relu_squared":
        positive = np.maximum(h, 0.0)
        return positive**2, 2.0 * positive
    unknown("memory.activation", name)


def remember(memory, maps, gain, x):
    """M(x), and what its backward pass needs."""
    inputs, slopes, h = [x], [], x @ maps[0]
    for w in maps[1:]:
        z, slope = activation_of(memory["activation"], h)
        inputs.append(z)
        slopes.append(slope)
        h = z @ w
    norm = None
    if memory.get("norm", False):
        centred = h - h.mean(-1, keepdims=True)
        inverse = 1.0 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        norm = centred * inverse, inverse
        h = norm[0] * gain
    return (x + h if memory.get("residual", False) else h), inputs, slopes, norm


def gradients(memory, maps, gain, k, output_gradient):
    y, inputs, slopes, norm = remember(memory, maps, gain, k)
    d = output_gradient(y)
    if norm is not None:
        value, inverse = norm
        g = d * gain
        along = (g * value).mean(-1, keepdims=True)
        d = (g - g.mean(-1, keepdims=True) - value * along) * inverse
    factors = [(inputs[-1], d)]
    for at in range(len(maps) - 1, 0, -1):
        d = (d @ maps[at].swapaxes(1, 2)) * slopes[at - 1]
        factors.insert(0, (inputs[at - 1], d))
    return factors


def initial_weights(config, w, of_keys, of_values):
    if config["memory"]["start"] == "zero":
        return [np.zeros((config["mixer"]["heads"], of_keys, of_values))]
    return [w[f"initial.{at}"] for at in range(sum(n.startswith("initial.") for n in w))]


def output_gradient(bias, y, v, delta):
    e, kind = y - v, bias["kind"]
    if kind == "l2":
        return e
    if kind == "dot":
        return -v
    if kind == "l1":
        return np.tanh(bias["sharpness"] * e)
    if kind == "huber":
        norm = np.sqrt(dot(e, e) + 1e-12)
        if bias["scope"] == "coordinate":
            return np.clip(e, -delta, delta)
        if bias["scope"] == "norm":
            return e * np.minimum(delta / norm, 1.0)
        return np.where(norm <= delta, e, delta * np.tanh(bias["sharpness"] * e))
    if kind == "lp":
        p, square = bias["p"], e * e + bias["epsilon"]
        if bias["form"] == "smooth":
            return p * e * square ** (0.5 * p - 1.0)
        return p * np.tanh(bias["sharpness"] * e) * square ** (0.5 * (p - 1.0))
    unknown("bias.kind", kind)


# The state A of a map, and the weights W = Link(A) that it stands for.


def is_identity(retention):
    kind = retention["kind"]
    return kind in ("none", "l2") or (kind == "lq" and retention["q"] == 2.0)


def initial_state(retention, learned):
    if is_identity(retention):
        return learned
    if retention["kind"] == "kl":
        return learned * math.sqrt(sum(learned.shape[1:]) / 2.0)
    if retention["kind"] == "lq" and retention["link"] == "paper":
        q = retention["q"]
        return learned * q_norm(learned, q) ** ((q - 2.0) / (3.0 - q))
    unknown("retention.kind", retention["kind"])


def linked(retention, state):
    if is_identity(retention):
        return state
    if retention["kind"] == "kl":
        return [simplex(retention, a) for a in state]
    return [scale(retention, a) * a for a in state]


def simplex(retention, logits):
    rows = softmax(logits) - softmax(-logits) if retention["signed"] else softmax(logits)
    return retention.get("scale", math.sqrt(logits.shape[-1])) * rows


def q_norm(a, q):
    square = a * a + (1e-12 if q < 2.0 else 0.0)
    return ((square ** (q / 2.0)).sum((1, 2), keepdims=True) + 1e-30) ** (1.0 / q)


def scale(retention, a):
    """|A|_q^(2 - q)."""
    q = retention["q"]
    return np.maximum(q_norm(a, q), retention["floor"]) ** (2.0 - q)


# ------------------------------------------------------------- the program


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="with config.toml and model.safetensors")
    parser.add_argument("text", nargs="?", help="for a model of bytes")
    parser.add_argument("--tokens", help="token ids with commas between them")
    parser.add_argument("--state", help="a file of `miras-train state save`, read on TEXT alone")
    parser.add_argument("--json", action="store_true", help="the logits of every position")
    args = parser.parse_args()
    if (args.text is None) == (args.tokens is None):
        parser.error("give TEXT or --tokens")
    config, weights = load(args.folder)
    tokens = [int(token) for token in args.tokens.split(",")] if args.tokens else []
    if args.text is not None:
        if config["data"].get("tokenizer", "bytes") != "bytes":
            parser.error("this model's tokens are not bytes: give --tokens")
        tokens = list(args.text.encode())
    if not tokens:
        parser.error("there is no token")
    rows = logits(config, weights, tokens)
    if args.json:
        print(json.dumps(rows.tolist()))
    elif args.state:
        kept = tensors(args.state)["next.logits"].reshape(-1)
        gap = abs(rows[-1] - kept).max() / abs(kept).max()
        print(f"largest gap: {gap:.1e} of the largest logit")
        sys.exit(0 if gap < 1e-4 else "error: these are not the logits of the program")
    else:
        p = softmax(rows[-1])
        for token in np.argsort(-p)[:5]:
            name = repr(chr(token)) if args.text is not None else token
            print(f"{name}  {p[token]:.4f}")


if __name__ == "__main__":
    main()
