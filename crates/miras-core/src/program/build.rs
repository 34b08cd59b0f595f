//! Writing a program, and what it refuses.

use std::fmt;

use super::{GainSpec, INPUT, MapSpec, Node, Program, Shape, Value, Windows};
use crate::Activation;

/// Writes a program, one operation after the other.
///
/// Operations cannot fail; the first mistake is what [`Program::build`] gives back.
#[derive(Debug)]
pub struct Builder {
    program: Program,
    mistake: Option<String>,
}

/// Why a memory has no program for keys and values of these widths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramError(String);

impl ProgramError {
    /// With this reason, a clause.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProgramError {}

impl Program {
    /// The program that `write` writes over the input it is given; the value it gives back is
    /// the output.
    ///
    /// ```
    /// use miras_core::{Activation, Program};
    ///
    /// let mlp = Program::build(4, 2, |p, x| {
    ///     let hidden = p.linear("w1", x, 8);
    ///     let hidden = p.activation(Activation::Gelu, hidden);
    ///     p.linear("w2", hidden, 2)
    /// })?;
    /// assert_eq!(mlp.maps()[1].d_in, 8);
    /// assert!(!mlp.is_linear() && mlp.flows_back(1));
    /// # Ok::<(), miras_core::ProgramError>(())
    /// ```
    pub fn build(
        d_k: usize,
        d_v: usize,
        write: impl FnOnce(&mut Builder, Value) -> Value,
    ) -> Result<Self, ProgramError> {
        let mut builder = Builder {
            program: Self {
                maps: Vec::new(),
                gains: Vec::new(),
                nodes: Vec::new(),
                shapes: vec![Shape::row(d_k)],
                learned: vec![false],
            },
            mistake: None,
        };
        let output = write(&mut builder, INPUT);
        builder.finish(output, d_v)
    }
}

impl Builder {
    /// `x W`, each row through a map of its own name to `width` features.
    pub fn linear(&mut self, name: &str, x: Value, width: usize) -> Value {
        let Shape { width: d_in, rows } = self.program.shape(x);
        let maps = &mut self.program.maps;
        let is_taken = maps.iter().any(|map| map.name == name);
        let map = maps.len();
        maps.push(MapSpec {
            name: name.into(),
            d_in,
            d_out: width,
            rows,
        });
        if is_taken {
            self.refuse(format!("two maps are named `{name}`"));
        }
        self.push(Node::Linear { map, x }, Shape { width, rows })
    }

    /// `x ⊙ w`, with a weight for each feature: a diagonal map. In the program it is the product of
    /// x and a map of 1.
    pub fn diagonal(&mut self, name: &str, x: Value) -> Value {
        let Shape { width, rows } = self.program.shape(x);
        let ones = self.push(Node::Ones { x }, Shape { width: 1, rows });
        let weights = self.linear(name, ones, width);
        self.product(x, weights)
    }

    /// `f(x)`, number by number.
    pub fn activation(&mut self, kind: Activation, x: Value) -> Value {
        self.push(Node::Activation { kind, x }, self.program.shape(x))
    }

    /// `a ⊙ b`.
    pub fn product(&mut self, a: Value, b: Value) -> Value {
        self.check_alike("product", a, b);
        self.push(Node::Product { a, b }, self.program.shape(a))
    }

    /// `a + b`.
    pub fn sum(&mut self, a: Value, b: Value) -> Value {
        self.check_alike("sum", a, b);
        self.push(Node::Sum { a, b }, self.program.shape(a))
    }

    /// Each row without its mean and at a standard deviation of 1, times a gain that the outer
    /// loop learns.
    pub fn layer_norm(&mut self, name: &str, x: Value, initial_gain: f64) -> Value {
        let shape = self.program.shape(x);
        let gains = &mut self.program.gains;
        let is_taken = gains.iter().any(|gain| gain.name == name);
        let gain = gains.len();
        gains.push(GainSpec {
            name: name.into(),
            d: shape.width,
            initial: initial_gain,
        });
        if is_taken {
            self.refuse(format!("two gains are named `{name}`"));
        }
        self.push(Node::LayerNorm { gain, x }, shape)
    }

    /// Windows over the features of each token, a row for every `stride` features.
    ///
    /// The features (of all rows, side by side) are blocks of `stride`. A window is `width`
    /// features: its own block, `ahead` blocks after it and the rest before it, with zeros where
    /// there are none. With `ahead = 0` it is causal in the features.
    pub fn unfold(&mut self, x: Value, width: usize, stride: usize, ahead: usize) -> Value {
        let numbers = self.program.shape(x).numbers();
        if stride == 0 || !numbers.is_multiple_of(stride) {
            let of = self.describe(x);
            self.refuse(format!("{of} cannot be cut into blocks of {stride}"));
        } else if width == 0 || !width.is_multiple_of(stride) || ahead >= width / stride {
            self.refuse(format!(
                "a window of {width} features is no number of blocks of {stride} of which {ahead} come after its own"
            ));
        }
        let rows = numbers.checked_div(stride).unwrap_or(0);
        let windows = Windows {
            width,
            stride,
            ahead,
        };
        self.push(Node::Unfold { x, windows }, Shape { width, rows })
    }

    /// The rows of each token side by side, as one.
    pub fn fold(&mut self, x: Value) -> Value {
        let width = self.program.shape(x).numbers();
        self.push(Node::Fold { x }, Shape::row(width))
    }

    /// The size of a value.
    pub fn shape(&self, value: Value) -> Shape {
        self.program.shape(value)
    }

    fn push(&mut self, node: Node, shape: Shape) -> Value {
        let program = &mut self.program;
        let learned = match node {
            Node::Linear { .. } => true,
            Node::Ones { .. } => false,
            _ => node.operands().iter().any(|x| program.is_learned(*x)),
        };
        program.nodes.push(node);
        program.shapes.push(shape);
        program.learned.push(learned);
        program.output()
    }

    /// Keeps the first mistake; the ones after it may follow from it.
    fn refuse(&mut self, mistake: String) {
        self.mistake.get_or_insert(mistake);
    }

    fn check_alike(&mut self, what: &str, a: Value, b: Value) {
        if self.shape(a) != self.shape(b) {
            let (a, b) = (self.describe(a), self.describe(b));
            self.refuse(format!("there is no {what} of {a} and {b}"));
        }
    }

    /// As "x of 16 features", "h2 of 4 rows of 8 features".
    fn describe(&self, value: Value) -> String {
        let Shape { width, rows } = self.shape(value);
        match rows {
            1 => format!("{value} of {width} features"),
            _ => format!("{value} of {rows} rows of {width} features"),
        }
    }

    fn finish(mut self, output: Value, d_v: usize) -> Result<Program, ProgramError> {
        let program = &self.program;
        let mut is_used = vec![false; program.shapes.len()];
        let values = program.nodes.iter().flat_map(Node::operands);
        for value in values.chain([output]) {
            is_used[value.0] = true;
        }
        let unused = (program.nodes().map(|(value, _)| value)).find(|value| !is_used[value.0]);
        if let Some(map) = program.maps.iter().find(|map| map.weights() == 0) {
            let (name, d_in, d_out) = (&map.name, map.d_in, map.d_out);
            self.refuse(format!(
                "the map `{name}` from {d_in} to {d_out} features has no weights"
            ));
        } else if let Some(value) = unused {
            let what = self.describe(value);
            self.refuse(format!("{what} is computed and not used"));
        } else if program.maps.is_empty() {
            self.refuse("there is no map, so nothing can be learned".into());
        } else if self.shape(output) != Shape::row(d_v) {
            let what = self.describe(output);
            self.refuse(format!("the output is {what}, and values have {d_v}"));
        }
        match self.mistake {
            Some(mistake) => Err(ProgramError(mistake)),
            None => Ok(self.program),
        }
    }
}
