//! Parts that contradict each other or themselves are refused by name.

use std::sync::Arc;

use burn::tensor::Tensor;
use miras_core::{
    AlgorithmKind, AttentionalBias, ChunkEndAlgorithm, ChunkWrite, Coefficients, GateMap, GateSpec,
    Gates, LinearAlgorithm, LogDecay, MOMENTUM, MapState, MemoryAlgorithm, Part, RETENTION,
    RetentionGate, STEP, Term,
};
use miras_registry::{Choice, Registry};

fn gate(name: &'static str) -> GateSpec {
    GateSpec::new(name, GateMap::Sigmoid { max: 1.0 }, 0.0)
}

/// A squared loss with gates of its own.
#[derive(Debug)]
struct Gated(&'static [&'static str]);

impl AttentionalBias for Gated {
    fn gates(&self) -> Vec<GateSpec> {
        self.0.iter().map(|name| gate(name)).collect()
    }

    fn gradient(&self) -> Term {
        Term::error()
    }

    fn loss(&self) -> Option<Term> {
        None
    }

    fn config(&self) -> toml::Table {
        toml::Table::new()
    }
}

/// No decay, and a gate of its own.
#[derive(Debug)]
struct Retaining;

impl RetentionGate for Retaining {
    fn gates(&self) -> Vec<GateSpec> {
        vec![gate("surprise")]
    }

    fn config(&self) -> toml::Table {
        toml::Table::new()
    }
}

/// Gradient descent that claims slots.
#[derive(Debug)]
struct Slotted {
    gates: &'static [&'static str],
    slots: usize,
    coefficients: fn(LogDecay) -> Coefficients,
    /// Slots that `step` gives back.
    kept: usize,
    at_chunk_end: bool,
}

impl Slotted {
    const PLAIN: Self = Self {
        gates: &[STEP],
        slots: 0,
        coefficients: Coefficients::decayed_sum,
        kept: 9,
        at_chunk_end: false,
    };

    fn moved(&self, mut map: MapState, weights: Tensor<4>) -> MapState {
        map.slots.truncate(self.kept);
        MapState {
            weights,
            slots: map.slots,
        }
    }
}

impl MemoryAlgorithm for Slotted {
    fn gates(&self) -> Vec<GateSpec> {
        self.gates.iter().map(|name| gate(name)).collect()
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn kind(&self) -> AlgorithmKind<'_> {
        if self.at_chunk_end {
            AlgorithmKind::ChunkEnd(self)
        } else {
            AlgorithmKind::Linear(self)
        }
    }

    fn config(&self) -> toml::Table {
        toml::Table::new()
    }
}

impl LinearAlgorithm for Slotted {
    fn step(&self, map: MapState, decay: Tensor<4>, write: Tensor<4>, _: &Gates) -> MapState {
        let weights = map.weights.clone() * decay - write;
        self.moved(map, weights)
    }

    fn coefficients(&self, decay: LogDecay, _: &Gates) -> Coefficients {
        (self.coefficients)(decay)
    }
}

impl ChunkEndAlgorithm for Slotted {
    fn step(&self, map: MapState, chunk: &ChunkWrite<'_>) -> MapState {
        let weights = map.weights.clone() * chunk.carry.clone() - chunk.write.clone();
        self.moved(map, weights)
    }
}

fn with_momentum(decay: LogDecay) -> Coefficients {
    Coefficients::momentum(decay.clone(), decay.log)
}

fn with_a_row_alone(decay: LogDecay) -> Coefficients {
    let mut coefficients = with_momentum(decay);
    coefficients.end.slots.clear();
    coefficients
}

macro_rules! bias {
    ($kind:literal, $part:expr) => {{
        static PART: Part<dyn AttentionalBias> = Part {
            kind: $kind,
            build: |_| Ok(Arc::new($part)),
            ..miras_bias::PARTS[0]
        };
        &PART
    }};
}

macro_rules! algorithm {
    ($kind:literal, $part:expr) => {{
        static PART: Part<dyn MemoryAlgorithm> = Part {
            kind: $kind,
            build: |_| Ok(Arc::new($part)),
            ..miras_algorithm::PARTS[0]
        };
        &PART
    }};
}

static RETAINING: Part<dyn RetentionGate> = Part {
    kind: "retaining",
    build: |_| Ok(Arc::new(Retaining)),
    ..miras_retention::PARTS[0]
};

fn registry() -> Registry {
    let biases: [&'static Part<dyn AttentionalBias>; 4] = [
        bias!("steps", Gated(&[STEP])),
        bias!("retains", Gated(&[RETENTION])),
        bias!("surprised", Gated(&["surprise"])),
        bias!("twice", Gated(&["mine", "mine"])),
    ];
    let algorithms: [&'static Part<dyn MemoryAlgorithm>; 8] = [
        algorithm!("plain", Slotted::PLAIN),
        algorithm!(
            "stepless",
            Slotted {
                gates: &[MOMENTUM],
                ..Slotted::PLAIN
            }
        ),
        algorithm!(
            "declares",
            Slotted {
                slots: 1,
                ..Slotted::PLAIN
            }
        ),
        algorithm!(
            "more",
            Slotted {
                coefficients: with_momentum,
                ..Slotted::PLAIN
            }
        ),
        algorithm!(
            "endless",
            Slotted {
                slots: 1,
                coefficients: with_a_row_alone,
                ..Slotted::PLAIN
            }
        ),
        algorithm!(
            "loses",
            Slotted {
                slots: 1,
                coefficients: with_momentum,
                kept: 0,
                ..Slotted::PLAIN
            }
        ),
        algorithm!(
            "at_end",
            Slotted {
                slots: 1,
                at_chunk_end: true,
                ..Slotted::PLAIN
            }
        ),
        algorithm!(
            "loses_at_end",
            Slotted {
                slots: 2,
                kept: 1,
                at_chunk_end: true,
                ..Slotted::PLAIN
            }
        ),
    ];
    let registry = Registry::builtin().with_retention(&RETAINING).unwrap();
    let registry = biases
        .into_iter()
        .fold(registry, |all, one| all.with_bias(one).unwrap());
    (algorithms.into_iter()).fold(registry, |all, one| all.with_algorithm(one).unwrap())
}

/// Kinds of bias, retention and algorithm; the key that is pointed at, and what is said.
type Case<'a> = ([&'a str; 3], &'a str, &'a [&'a str]);

#[test]
fn contradictions_are_errors_that_name_the_parts() {
    let registry = registry();
    let table: [Case<'_>; 10] = [
        (
            ["steps", "none", "gd"],
            "algorithm.kind",
            &["the gate `step` is declared twice, by bias `steps` and by algorithm `gd`"],
        ),
        (
            ["retains", "l2", "gd"],
            "retention.kind",
            &["`retention` is declared twice, by bias `retains` and by retention `l2`"],
        ),
        (
            ["surprised", "retaining", "gd"],
            "retention.kind",
            &["`surprise` is declared twice, by bias `surprised` and by retention `retaining`"],
        ),
        (
            ["twice", "none", "gd"],
            "bias.kind",
            &["`mine` is declared twice, by bias `twice` and by bias `twice`"],
        ),
        (
            ["l2", "none", "stepless"],
            "algorithm.kind",
            &["algorithm `stepless` declares no gate `step`"],
        ),
        (
            ["l2", "none", "declares"],
            "algorithm.kind",
            &[
                "algorithm `declares` has 1 slots",
                "the rows of its `coefficients` have 0",
            ],
        ),
        (
            ["l2", "none", "more"],
            "algorithm.kind",
            &[
                "algorithm `more` has 0 slots",
                "the rows of its `coefficients` have 1",
            ],
        ),
        (
            ["l2", "none", "endless"],
            "algorithm.kind",
            &[
                "algorithm `endless` has 1 slots",
                "the end of its `coefficients` has 0",
            ],
        ),
        (
            ["l2", "none", "loses"],
            "algorithm.kind",
            &["algorithm `loses` has 1 slots", "its `step` gives back 0"],
        ),
        (
            ["l2", "none", "loses_at_end"],
            "algorithm.kind",
            &[
                "algorithm `loses_at_end` has 2 slots",
                "its `step` gives back 1",
            ],
        ),
    ];
    for ([bias, retention, algorithm], key, pieces) in table {
        let text = text(bias, retention, algorithm);
        let error = Choice::from_toml(&text, &registry).unwrap_err().to_string();
        for piece in [&[key][..], pieces].concat() {
            assert!(error.contains(piece), "{piece}\n{error}");
        }
    }
    for kinds in [["l2", "none", "plain"], ["surprised", "l2", "at_end"]] {
        let [bias, retention, algorithm] = kinds;
        let choice = Choice::from_toml(&text(bias, retention, algorithm), &registry);
        assert!(choice.is_ok(), "{kinds:?} {}", choice.unwrap_err());
    }
}

fn text(bias: &str, retention: &str, algorithm: &str) -> String {
    let read = if algorithm.ends_with("at_end") {
        "stale"
    } else {
        "exact"
    };
    format!(
        "[memory]\nkind = 'matrix'\n[bias]\nkind = '{bias}'\n[retention]\nkind = '{retention}'\n\
         [algorithm]\nkind = '{algorithm}'\nform = 'chunk_start'\nread = '{read}'"
    )
}
