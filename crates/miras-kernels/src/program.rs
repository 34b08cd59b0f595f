//! A memory as operations over linear maps, of which there is one row a token.

use std::fmt;

/// A memory from keys of `d_k` features to values: operations in order over the input, value 0;
/// operation `i` makes value `i + 1`, the last one the output.
///
/// What `miras_core::Program` is for tensors, without windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub(crate) maps: Vec<Map>,
    /// Features of each gain.
    pub(crate) gains: Vec<usize>,
    pub(crate) nodes: Vec<Node>,
    /// Features of each value.
    pub(crate) widths: Vec<usize>,
    /// Whether it depends on the weights of a map.
    pub(crate) learned: Vec<bool>,
    /// The values that enter the maps that make the output: the features under which a token is
    /// written.
    pub(crate) features: Vec<usize>,
}

/// An operation; its operands are numbers of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// `x W`.
    Linear {
        /// Which map.
        map: usize,
        /// What goes through it.
        x: usize,
    },
    /// `f(x)` of each number.
    Activation {
        /// f.
        kind: Activation,
        /// Its argument.
        x: usize,
    },
    /// `a ⊙ b`.
    Product {
        /// One factor.
        a: usize,
        /// The other.
        b: usize,
    },
    /// `a + b`.
    Sum {
        /// One term.
        a: usize,
        /// The other.
        b: usize,
    },
    /// `(x − mean) / √(var + 1e-5)` over the features, times a gain.
    LayerNorm {
        /// Which gain.
        gain: usize,
        /// What is normalised.
        x: usize,
    },
}

/// A function of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x Φ(x)`, Φ the normal distribution function.
    Gelu,
    /// `x σ(x)`.
    Silu,
    /// `max(x, 0)²`.
    ReluSquared,
}

/// A linear map, and the values that enter and leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) d_in: usize,
    pub(crate) d_out: usize,
    pub(crate) x: usize,
    pub(crate) out: usize,
}

/// Why operations are no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramError(String);

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProgramError {}

impl Node {
    fn operands(self) -> impl Iterator<Item = usize> {
        let (first, second) = match self {
            Self::Linear { x, .. } | Self::Activation { x, .. } | Self::LayerNorm { x, .. } => {
                (x, None)
            }
            Self::Product { a, b } | Self::Sum { a, b } => (a, Some(b)),
        };
        std::iter::once(first).chain(second)
    }
}

impl Program {
    /// The program of `nodes` over keys of `d_k` features; `maps` are `[d_in, d_out]`. Gains are
    /// counted from 0 in the order of their nodes. Every map and gain is used once.
    pub fn new(d_k: usize, maps: &[[usize; 2]], nodes: &[Node]) -> Result<Self, ProgramError> {
        let mut program = Self {
            maps: (maps.iter().copied())
                .map(|[d_in, d_out]| Map {
                    d_in,
                    d_out,
                    x: 0,
                    out: 0,
                })
                .collect(),
            gains: Vec::new(),
            nodes: nodes.to_vec(),
            widths: vec![d_k],
            learned: vec![false],
            features: Vec::new(),
        };
        let mut uses = vec![0; maps.len()];
        for (at, node) in nodes.iter().enumerate() {
            if let Some(late) = node.operands().find(|x| *x > at) {
                return refuse(format!(
                    "operation {at} needs value {late} before it is made"
                ));
            }
            let width = |x: usize| program.widths[x];
            let made = match *node {
                Node::Linear { map, x } => {
                    let Some(&[d_in, d_out]) = maps.get(map) else {
                        return refuse(format!(
                            "operation {at} needs map {map}, which is not there"
                        ));
                    };
                    uses[map] += 1;
                    if width(x) != d_in || d_out == 0 {
                        let x = width(x);
                        return refuse(format!(
                            "map {map} from {d_in} to {d_out} is given {x} features"
                        ));
                    }
                    (program.maps[map].x, program.maps[map].out) = (x, at + 1);
                    d_out
                }
                Node::Activation { x, .. } => width(x),
                Node::LayerNorm { gain, x } => {
                    if gain != program.gains.len() {
                        return refuse(format!("operation {at} has gain {gain} out of order"));
                    }
                    program.gains.push(width(x));
                    width(x)
                }
                Node::Product { a, b } | Node::Sum { a, b } => {
                    if width(a) != width(b) {
                        return refuse(format!("the operands of operation {at} differ in width"));
                    }
                    width(a)
                }
            };
            let learned =
                matches!(node, Node::Linear { .. }) || node.operands().any(|x| program.learned[x]);
            program.widths.push(made);
            program.learned.push(learned);
        }
        if let Some(map) = uses.iter().position(|uses| *uses != 1) {
            return refuse(format!("map {map} is used {} times, not once", uses[map]));
        }
        if maps.is_empty() {
            return refuse("there is no map, so nothing can be learned".into());
        }
        program.features = program.features_of_output();
        Ok(program)
    }

    fn features_of_output(&self) -> Vec<usize> {
        let mut found = Vec::new();
        let mut is_behind = vec![false; self.widths.len()];
        is_behind[self.output()] = true;
        for (at, node) in self.nodes.iter().enumerate().rev() {
            match node {
                _ if !is_behind[at + 1] => {}
                Node::Linear { x, .. } => found.push(*x),
                other => other.operands().for_each(|x| is_behind[x] = true),
            }
        }
        found
    }

    /// Features of keys and queries.
    pub fn d_k(&self) -> usize {
        self.widths[0]
    }

    /// Features of values.
    pub fn d_v(&self) -> usize {
        self.widths[self.output()]
    }

    /// `[d_in, d_out]` of each map.
    pub fn maps(&self) -> impl Iterator<Item = [usize; 2]> {
        self.maps.iter().map(|map| [map.d_in, map.d_out])
    }

    /// Features of each gain.
    pub fn gains(&self) -> &[usize] {
        &self.gains
    }

    /// Whether it is one map and nothing else.
    pub fn is_linear(&self) -> bool {
        matches!(self.nodes[..], [Node::Linear { .. }])
    }

    /// The last value.
    pub(crate) fn output(&self) -> usize {
        self.nodes.len()
    }
}

fn refuse<T>(message: String) -> Result<T, ProgramError> {
    Err(ProgramError(message))
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
