//! Exact gradients of a matrix.

use miras_kernels::{Activation, Bias, Form, Link, Order, Scan};

use crate::case::{Case, Parts, memory};

struct Settings {
    d: usize,
    order: Order,
    slope: f32,
    chunk: usize,
    tokens: usize,
    keep_every: usize,
    anchored: bool,
    momentum: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            d: 24,
            order: Order::Before,
            slope: 1.0,
            chunk: 16,
            tokens: 48,
            keep_every: 2,
            anchored: false,
            momentum: false,
        }
    }
}

impl Settings {
    fn case(&self) -> Case {
        let parts = Parts {
            d: self.d,
            ..Parts::mlp(1)
        };
        let (program, nodes) = memory(parts, Activation::Gelu);
        let scan = Scan {
            program,
            bias: Bias::Affine { slope: self.slope },
            chunk: self.chunk,
            keep_every: self.keep_every,
            link: Link::Identity,
            anchored: self.anchored,
            momentum: self.momentum,
            form: Form::Exact { order: self.order },
        };
        Case::new(scan, nodes, parts, self.tokens, 0.9)
    }

    fn check(&self, name: &str) {
        self.checked(&self.case(), name);
    }

    fn checked(&self, case: &Case, name: &str) {
        let slope = f64::from(self.slope);
        case.check(name, &|y, v, _| {
            y.iter().zip(v).map(|(y, v)| slope * y - v).collect()
        });
    }
}

#[test]
fn both_orders_are_the_recurrence() {
    for order in [Order::Before, Order::After] {
        for (momentum, anchored) in [(false, false), (false, true), (true, false), (true, true)] {
            Settings {
                order,
                anchored,
                momentum,
                ..Settings::default()
            }
            .check(&format!(
                "{order:?}, momentum {momentum}, anchored {anchored}"
            ));
        }
    }
}

#[test]
fn any_slope_and_chunk_is_the_recurrence() {
    for (slope, chunk, tokens, keep_every) in [
        (0.0, 16, 32, 1),
        (0.5, 12, 36, 2),
        (1.0, 1, 3, 1),
        (1.0, 37, 74, 1),
        (1.0, 64, 128, 4),
    ] {
        Settings {
            slope,
            chunk,
            tokens,
            keep_every,
            ..Settings::default()
        }
        .check(&format!("slope {slope}, chunk {chunk}"));
    }
}

#[test]
fn a_wide_matrix_is_the_recurrence() {
    Settings {
        d: 132,
        ..Settings::default()
    }
    .check("132 features");
}

#[test]
fn repeated_keys_are_no_problem() {
    let settings = Settings {
        chunk: 48,
        ..Settings::default()
    };
    let mut case = settings.case();
    let width = case.scan.program.d_k();
    let first = case.numbers.k[..width].to_vec();
    for key in case.numbers.k.chunks_exact_mut(2 * width) {
        key[..width].copy_from_slice(&first);
    }
    settings.checked(&case, "repeated keys");
}
