//! The chunk-start scan under the affine bias.

use miras_kernels::{Activation, Bias, Caps, Form, Link, Read, Scan};

use crate::{
    case::{Case, Parts, memory, named},
    reference::Outcome,
};

struct Settings {
    parts: Parts,
    kind: Activation,
    slope: f32,
    chunk: usize,
    tokens: usize,
    keep_every: usize,
    anchored: bool,
    momentum: bool,
    read: Read,
    caps: Caps,
    step: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parts: Parts::mlp(2),
            kind: Activation::Gelu,
            slope: 1.0,
            chunk: 16,
            tokens: 48,
            keep_every: 4,
            anchored: false,
            momentum: true,
            read: Read::Exact,
            caps: Caps::default(),
            step: 0.1,
        }
    }
}

impl Settings {
    fn case(&self) -> Case {
        let (program, nodes) = memory(self.parts, self.kind);
        let scan = Scan {
            program,
            bias: Bias::Affine { slope: self.slope },
            chunk: self.chunk,
            keep_every: self.keep_every,
            link: Link::Identity,
            anchored: self.anchored,
            momentum: self.momentum,
            form: Form::ChunkStart {
                read: self.read,
                caps: self.caps,
            },
        };
        Case::new(scan, nodes, self.parts, self.tokens, self.step)
    }

    fn check(&self, name: &str) -> Outcome {
        let slope = f64::from(self.slope);
        let gradient =
            |y: &[f64], v: &[f64], _: &[f64]| y.iter().zip(v).map(|(y, v)| slope * y - v).collect();
        self.case().check(name, &gradient)
    }
}

/// The load cap alone.
fn load(cap: f32) -> Caps {
    Caps {
        load: Some(cap),
        ..Caps::default()
    }
}

#[test]
fn any_depth_is_the_recurrence() {
    for parts in [Parts::mlp(1), Parts::mlp(2), Parts::mlp(3), Parts::mlp(4)] {
        let deep = parts.depth;
        Settings {
            parts,
            ..Settings::default()
        }
        .check(&format!("depth {deep}"));
    }
}

#[test]
fn wide_memories_are_the_recurrence() {
    let norm = Parts {
        d: 72,
        norm: true,
        ..Parts::mlp(2)
    };
    for parts in [
        Parts {
            d: 132,
            ..Parts::mlp(1)
        },
        norm,
    ] {
        Settings {
            parts,
            chunk: 8,
            tokens: 16,
            caps: load(0.5),
            ..Settings::default()
        }
        .check(&format!("{} features", parts.d));
    }
}

#[test]
fn every_operation_is_the_recurrence() {
    for (norm, residual, gated) in [
        (true, false, false),
        (false, true, false),
        (true, true, false),
        (false, false, true),
        (true, true, true),
    ] {
        let parts = Parts {
            norm,
            residual,
            gated,
            ..Parts::mlp(2)
        };
        for kind in [Activation::Gelu, Activation::Silu, Activation::ReluSquared] {
            Settings {
                parts,
                kind,
                ..Settings::default()
            }
            .check(&format!("{parts:?} {kind:?}"));
        }
    }
}

#[test]
fn without_momentum_and_with_an_anchor_it_is_the_recurrence() {
    for momentum in [false, true] {
        for anchored in [false, true] {
            for deep in [1, 2] {
                Settings {
                    parts: Parts::mlp(deep),
                    momentum,
                    anchored,
                    ..Settings::default()
                }
                .check(&format!("depth {deep}, {momentum}, {anchored}"));
            }
        }
    }
}

#[test]
fn the_dot_product_is_the_recurrence() {
    Settings {
        slope: 0.0,
        ..Settings::default()
    }
    .check("dot");
}

#[test]
fn capped_steps_are_those_of_the_recurrence() {
    for (deep, momentum, cap) in [
        (1, true, 0.6),
        (1, false, 0.6),
        (2, false, 0.15),
        (2, true, 0.15),
    ] {
        let parts = Parts::mlp(deep);
        let capped = Settings {
            parts,
            momentum,
            caps: load(cap),
            step: 0.5,
            ..Settings::default()
        }
        .check(&format!("cap, depth {deep}, {momentum}"))
        .capped[0];
        assert!((20..96).contains(&capped), "{capped} of 96 tokens capped");
    }
}

#[test]
fn capped_gradients_and_states_are_those_of_the_recurrence() {
    for (deep, momentum, anchored, load) in [
        (1, true, false, None),
        (2, false, true, None),
        (2, true, false, Some(0.15)),
        (3, true, true, Some(0.15)),
    ] {
        let outcome = Settings {
            parts: Parts::mlp(deep),
            momentum,
            anchored,
            caps: Caps {
                load,
                gradient: Some(2.0),
                state: Some(3.0),
            },
            keep_every: 2,
            step: 0.5,
            ..Settings::default()
        }
        .check(&format!("all caps, depth {deep}, {momentum}"));
        let [by_load, by_gradient] = outcome.capped;
        let states = outcome.capped_states;
        assert!(
            (10..96).contains(&by_gradient),
            "{by_gradient} of 96 tokens"
        );
        assert!(
            (1..6 * deep).contains(&states),
            "{states} of {} states",
            6 * deep
        );
        assert_eq!(by_load > 0, load.is_some());
    }
}

#[test]
fn stale_reads_are_the_recurrence() {
    for (deep, anchored) in [(1, false), (2, true), (3, false)] {
        Settings {
            parts: Parts::mlp(deep),
            anchored,
            read: Read::Stale,
            ..Settings::default()
        }
        .check(&format!("stale, depth {deep}, {anchored}"));
    }
}

#[test]
fn any_length_of_chunks_and_stretches_is_the_recurrence() {
    for (chunk, tokens, keep_every) in [
        (16, 48, 1),
        (16, 48, 3),
        (12, 60, 2),
        (1, 3, 1),
        (37, 74, 4),
        (64, 64, 1),
        (80, 80, 1),
    ] {
        Settings {
            chunk,
            tokens,
            keep_every,
            caps: load(0.5),
            ..Settings::default()
        }
        .check(&format!("chunk {chunk}, {tokens} tokens, {keep_every}"));
    }
}

#[test]
fn threads_and_stretches_do_not_change_a_bit() {
    let bits = |settings: &Settings, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let case = settings.case();
        pool.build().unwrap().install(|| {
            let output = case.forward();
            let gradients = case.backward();
            let mut all: Vec<u32> = output.y.iter().map(|x| x.to_bits()).collect();
            for (_, gradient) in named(&gradients) {
                all.extend(gradient.iter().map(|x| x.to_bits()));
            }
            all
        })
    };
    let settings = |keep_every| Settings {
        keep_every,
        caps: Caps {
            load: Some(0.5),
            gradient: Some(2.0),
            state: Some(3.0),
        },
        ..Settings::default()
    };
    let one = bits(&settings(1), 1);
    assert!(one == bits(&settings(1), 2));
    assert!(one == bits(&settings(1), 5));
    assert!(one == bits(&settings(3), 2));
}
