//! A memory as data: operations over linear maps, and what follows from them.

mod build;
mod run;
mod split;
mod text;
mod windows;

pub use build::{Builder, ProgramError};
pub use windows::Windows;

use crate::Activation;

/// A memory from keys of `d_k` features to values of `d_v`: operations in order, each over the
/// input or over what earlier ones gave.
///
/// Forward pass, gradient factors, facts and costs are all read off it; [`std::fmt::Display`]
/// writes it down.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    maps: Vec<MapSpec>,
    gains: Vec<GainSpec>,
    nodes: Vec<Node>,
    /// Of the input and of each node's value.
    shapes: Vec<Shape>,
    /// Of each of them, whether it depends on the weights of a map.
    learned: Vec<bool>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Each row through a map, `x W`.
    Linear {
        /// Which of [`Program::maps`].
        map: usize,
        /// What goes through it.
        x: Value,
    },
    /// 1 for each row: what a map without an input goes through, which gives its weights.
    Ones {
        /// What has the rows.
        x: Value,
    },
    /// `f(x)` of each number.
    Activation {
        /// f.
        kind: Activation,
        /// Its argument.
        x: Value,
    },
    /// `a ⊙ b`.
    Product {
        /// One factor.
        a: Value,
        /// The other.
        b: Value,
    },
    /// `a + b`.
    Sum {
        /// One term.
        a: Value,
        /// The other.
        b: Value,
    },
    /// Each row without its mean and at a standard deviation of 1, times a gain.
    LayerNorm {
        /// Which of [`Program::gains`].
        gain: usize,
        /// What is normalised.
        x: Value,
    },
    /// Windows over the features of a token, a row each: [`Builder::unfold`].
    Unfold {
        /// Where the features are from, all rows side by side.
        x: Value,
        /// Which features make a window.
        windows: Windows,
    },
    /// The rows of a token side by side, as one row.
    Fold {
        /// What has the rows.
        x: Value,
    },
    /// All of a memory that writes [`forward`](crate::MemoryArchitecture::forward) and
    /// [`factors`](crate::MemoryArchitecture::factors) by hand.
    ByHand,
}

/// The input of a program, or what one of its operations gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(usize);

impl Value {
    /// Its place: 0 for the input, else one more than that of its operation.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The size of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Features of a row.
    pub width: usize,
    /// Rows per token: more than 1 where the token was cut into windows.
    pub rows: usize,
}

/// One linear map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSpec {
    /// Its name in checkpoints and diagnostics.
    pub name: String,
    /// Features in.
    pub d_in: usize,
    /// Features out.
    pub d_out: usize,
    /// Rows per token that go through it, and so rows of gradient
    /// (R of `docs/architecture.md`): token `t` has the rows from `t·R` on.
    pub rows: usize,
}

/// One gain.
#[derive(Debug, Clone, PartialEq)]
pub struct GainSpec {
    /// Its name in checkpoints.
    pub name: String,
    /// Features.
    pub d: usize,
    /// Where it starts.
    pub initial: f64,
}

impl Program {
    /// The program of a memory that is written by hand: what it learns, and no more. The last
    /// map is taken for the one that makes the output.
    pub fn by_hand(d_k: usize, d_v: usize, maps: Vec<MapSpec>, gains: Vec<GainSpec>) -> Self {
        Self {
            maps,
            gains,
            nodes: vec![Node::ByHand],
            shapes: vec![Shape::row(d_k), Shape::row(d_v)],
            learned: vec![false, true],
        }
    }

    /// The linear maps, whose weights are the fast weights.
    pub fn maps(&self) -> &[MapSpec] {
        &self.maps
    }

    /// The vectors that do not learn in the inner loop.
    pub fn gains(&self) -> &[GainSpec] {
        &self.gains
    }

    /// The operations in order, each with the value it gives; the last one gives the output.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (Value, &Node)> + ExactSizeIterator {
        let nodes = self.nodes.iter().enumerate();
        nodes.map(|(at, node)| (Value(at + 1), node))
    }

    /// What it starts with.
    pub fn input(&self) -> Value {
        INPUT
    }

    /// What the last operation gives.
    pub fn output(&self) -> Value {
        Value(self.nodes.len())
    }

    /// The size of a value.
    pub fn shape(&self, value: Value) -> Shape {
        self.shapes[value.0]
    }

    /// Features of keys and queries.
    pub fn d_k(&self) -> usize {
        self.shape(INPUT).width
    }

    /// Features of values.
    pub fn d_v(&self) -> usize {
        self.shape(self.output()).width
    }

    /// Whether a value depends on the weights of a map, so that gradients flow back to it.
    pub fn is_learned(&self, value: Value) -> bool {
        self.learned[value.0]
    }

    /// Whether the output is one linear map of the input and nothing else: then the exact chunk
    /// forms exist.
    pub fn is_linear(&self) -> bool {
        matches!(self.nodes[..], [Node::Linear { .. }])
    }

    /// Whether the output is linear in the weights of all maps together, so that its slope in them
    /// depends on no weight.
    pub fn is_linear_in_weights(&self) -> bool {
        self.nodes.iter().all(|node| {
            let learned = |x: &Value| self.is_learned(*x);
            match node {
                Node::Sum { .. } | Node::Unfold { .. } | Node::Fold { .. } | Node::Ones { .. } => {
                    true
                }
                Node::Product { a, b } => !(learned(a) && learned(b)),
                Node::Linear { x, .. } | Node::Activation { x, .. } | Node::LayerNorm { x, .. } => {
                    !learned(x)
                }
                Node::ByHand => false,
            }
        })
    }

    /// Whether the output stays bounded whatever the weights, as behind a norm.
    pub fn is_bounded(&self) -> bool {
        let mut bounded = vec![true];
        for node in &self.nodes {
            bounded.push(match node {
                Node::LayerNorm { .. } | Node::Ones { .. } => true,
                Node::Linear { .. } | Node::ByHand => false,
                other => other.operands().iter().all(|value| bounded[value.0]),
            });
        }
        bounded[self.output().0]
    }

    /// Whether gradients flow through a map back to what is before it.
    pub fn flows_back(&self, map: usize) -> bool {
        self.nodes.iter().any(|node| match *node {
            Node::Linear { map: this, x } => this == map && self.is_learned(x),
            // Taken for a chain.
            Node::ByHand => map > 0,
            _ => false,
        })
    }

    /// The maps that make the output: behind them are norms, sums and the like, and no further
    /// map. What goes into them are the features under which a token is written.
    pub fn output_maps(&self) -> Vec<usize> {
        let mut found = Vec::new();
        let mut is_behind = vec![false; self.shapes.len()];
        is_behind[self.output().0] = true;
        for (value, node) in self.nodes().rev() {
            match node {
                _ if !is_behind[value.0] => {}
                Node::Ones { .. } => {}
                Node::Linear { map, .. } => found.push(*map),
                Node::ByHand => found.extend(self.maps.len().checked_sub(1)),
                other => {
                    for operand in other.operands() {
                        is_behind[operand.0] = true;
                    }
                }
            }
        }
        found.reverse();
        found
    }

    /// Whether something of the input enters one of those maps.
    pub fn has_features(&self) -> bool {
        let outputs = self.output_maps();
        self.nodes.iter().any(|node| match *node {
            Node::Linear { map, x } => {
                let made_by = |at: usize| matches!(self.nodes[at - 1], Node::Ones { .. });
                outputs.contains(&map) && !(x != INPUT && made_by(x.0))
            }
            Node::ByHand => true,
            _ => false,
        })
    }
}

/// The value that a program starts with.
const INPUT: Value = Value(0);

impl Node {
    /// What it is computed from.
    pub fn operands(&self) -> Vec<Value> {
        match *self {
            Self::Product { a, b } | Self::Sum { a, b } => vec![a, b],
            Self::Linear { x, .. }
            | Self::Ones { x }
            | Self::Activation { x, .. }
            | Self::LayerNorm { x, .. }
            | Self::Unfold { x, .. }
            | Self::Fold { x } => vec![x],
            Self::ByHand => vec![INPUT],
        }
    }
}

impl Shape {
    fn row(width: usize) -> Self {
        Self { width, rows: 1 }
    }

    /// Its numbers per token.
    pub fn numbers(self) -> usize {
        self.width * self.rows
    }
}

impl MapSpec {
    /// Its weights.
    pub fn weights(&self) -> usize {
        self.d_in * self.d_out
    }
}

#[cfg(test)]
#[path = "program/tests.rs"]
mod tests;
