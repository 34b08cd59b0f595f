//! A program in two: up to what enters its last map, and from there on.

use super::{Node, Program, ProgramError, Shape, Value};

impl Program {
    /// The features that enter the last map, as a program from keys to them; and the rest of the
    /// program, from these features to values, whose one map is the last. An error where the rest
    /// needs more than those features, or there is no map before the last.
    pub fn split_before_last_map(&self) -> Result<[Self; 2], ProgramError> {
        let refuse = |why: &str| Err(ProgramError::new(why));
        let Some(last) = self.maps.len().checked_sub(1).filter(|last| *last > 0) else {
            return refuse("it has one map, and so none that could be left unwritten before it");
        };
        let is_last = |node: &Node| matches!(*node, Node::Linear { map, .. } if map == last);
        let Some(at) = self.nodes.iter().position(is_last) else {
            return refuse("it is written by hand, so that nothing says what enters its last map");
        };
        let features = self.nodes[at].operands()[0];
        if self.shape(features).rows > 1 {
            return refuse("several rows of a token enter its last map");
        }
        let is_behind = |node: &Node| node.operands().iter().all(|value| value.0 > at);
        if !self.nodes[at + 1..].iter().all(is_behind) {
            return refuse("its output is made of more than what its last map gives (a residual)");
        }
        let is_another = |node: &Node| matches!(node, Node::Linear { .. });
        if self.nodes[at + 1..].iter().any(is_another) {
            return refuse("its last map is not the last thing that is done");
        }

        let gains = |nodes: &[Node]| {
            let norms = nodes.iter();
            norms
                .filter(|node| matches!(node, Node::LayerNorm { .. }))
                .count()
        };
        let before = gains(&self.nodes[..features.0]);
        let first = Self {
            maps: self.maps[..last].to_vec(),
            gains: self.gains[..before].to_vec(),
            nodes: self.nodes[..features.0].to_vec(),
            shapes: self.shapes[..=features.0].to_vec(),
            learned: self.learned[..=features.0].to_vec(),
        };
        let rest = self.nodes[at..].iter().map(|node| match node {
            Node::Linear { .. } => Node::Linear {
                map: 0,
                x: Value(0),
            },
            other => other.moved(at, before),
        });
        let width = self.shape(features).width;
        let second = Self {
            maps: self.maps[last..].to_vec(),
            gains: self.gains[before..].to_vec(),
            nodes: rest.collect(),
            shapes: std::iter::once(Shape::row(width))
                .chain(self.shapes[at + 1..].iter().copied())
                .collect(),
            learned: std::iter::once(false)
                .chain(self.learned[at + 1..].iter().copied())
                .collect(),
        };
        Ok([first, second])
    }
}

impl Node {
    /// The same operation where there are `values` values and `gains` gains less before it.
    fn moved(&self, values: usize, gains: usize) -> Self {
        let to = |x: Value| Value(x.0 - values);
        match *self {
            Self::Linear { map, x } => Self::Linear { map, x: to(x) },
            Self::Ones { x } => Self::Ones { x: to(x) },
            Self::Activation { kind, x } => Self::Activation { kind, x: to(x) },
            Self::Product { a, b } => Self::Product { a: to(a), b: to(b) },
            Self::Sum { a, b } => Self::Sum { a: to(a), b: to(b) },
            Self::LayerNorm { gain, x } => Self::LayerNorm {
                gain: gain - gains,
                x: to(x),
            },
            Self::Unfold { x, windows } => Self::Unfold { x: to(x), windows },
            Self::Fold { x } => Self::Fold { x: to(x) },
            Self::ByHand => Self::ByHand,
        }
    }
}
