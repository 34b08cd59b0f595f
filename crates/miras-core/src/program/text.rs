//! A program as text.

use std::fmt;

use super::{INPUT, Node, Program, Shape, Value, Windows};

/// `x` for the input, `h1` for what the first operation gives.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == INPUT {
            return f.write_str("x");
        }
        write!(f, "h{}", self.0)
    }
}

/// A line for the input and one for every operation, each with the features it gives, as
/// `h1 [8]` or, of several rows a token, `h1 [4 x 8]`; the last one is the output.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |value| match self.shape(value) {
            Shape { width, rows: 1 } => format!("[{width}]"),
            Shape { width, rows } => format!("[{rows} x {width}]"),
        };
        write!(f, "{INPUT} {}", size(INPUT))?;
        for (value, node) in self.nodes() {
            write!(f, "\n{value} {} = ", size(value))?;
            match node {
                Node::Linear { map, x } => write!(f, "{x} {}", self.maps[*map].name),
                Node::Ones { .. } => write!(f, "1"),
                Node::Activation { kind, x } => write!(f, "{}({x})", kind.name()),
                Node::Product { a, b } => write!(f, "{a} ⊙ {b}"),
                Node::Sum { a, b } => write!(f, "{a} + {b}"),
                Node::LayerNorm { gain, x } => {
                    write!(f, "layer_norm({x}) ⊙ {}", self.gains[*gain].name)
                }
                Node::Unfold {
                    x,
                    windows:
                        Windows {
                            width,
                            stride,
                            ahead,
                        },
                } => write!(f, "unfold({x}, {width}, {stride}, {ahead})"),
                Node::Fold { x } => write!(f, "fold({x})"),
                Node::ByHand => {
                    let maps: Vec<_> = self.maps.iter().map(|map| &*map.name).collect();
                    write!(f, "by hand, over {}", maps.join(", "))
                }
            }?;
        }
        Ok(())
    }
}
