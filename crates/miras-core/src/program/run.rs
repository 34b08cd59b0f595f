//! Running a program: forward through any maps, and back to the gradient of every map.

use burn::tensor::{Tensor, s};

use super::{Node, Program, Value, windows::with_rows};
use crate::{Factor, Maps, layer_norm::Normalised};

impl Program {
    /// `y = M(x)`.
    ///
    /// # Shapes
    /// `x: [n, g, c, d_k]`, result: `[n, g, c, d_v]`.
    ///
    /// # Panics
    /// If the memory is written by hand.
    pub fn forward(&self, maps: &dyn Maps, x: Tensor<4>) -> Tensor<4> {
        let mut values = Values::of(self, x);
        for node in &self.nodes {
            let (value, _) = self.step(node, maps, &mut values, false);
            values.held.push(Some(value));
        }
        values.take(self.output())
    }

    /// The gradient of a loss with respect to every map, as factors; the arguments are those of
    /// [`MemoryArchitecture::factors`](crate::MemoryArchitecture::factors).
    ///
    /// # Panics
    /// If the memory is written by hand.
    pub fn factors(
        &self,
        maps: &dyn Maps,
        keys: Tensor<4>,
        output_gradient: &mut dyn FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Vec<Factor> {
        let mut values = Values::of(self, keys);
        let mut tape = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let (value, kept) = self.step(node, maps, &mut values, true);
            values.held.push(Some(value));
            tape.push(kept);
        }

        let mut gradients = Gradients {
            program: self,
            of: vec![None; self.shapes.len()],
        };
        let output = output_gradient(values.take(self.output()));
        gradients.of[self.output().0] = Some(output);
        let mut factors = vec![None; self.maps.len()];
        for ((value, node), kept) in self.nodes().zip(tape).rev() {
            let Some(d) = gradients.of[value.0].take() else {
                continue;
            };
            match (node, kept) {
                (Node::Linear { map, x }, Kept::Input(input)) => {
                    gradients.add(*x, || maps.apply_transposed(*map, d.clone()));
                    factors[*map] = Some(Factor { x: input, d });
                }
                (Node::Activation { x, .. }, Kept::Slope(slope)) => {
                    gradients.add(*x, || d * slope);
                }
                (Node::Product { a, b }, Kept::Operands(left, right)) => {
                    gradients.add(*a, || d.clone() * right);
                    gradients.add(*b, || d * left);
                }
                (Node::Sum { a, b }, _) => {
                    gradients.add(*a, || d.clone());
                    gradients.add(*b, || d);
                }
                (Node::LayerNorm { gain, x }, Kept::Norm(norm)) => {
                    gradients.add(*x, || norm.backward(d * maps.gain(*gain)));
                }
                (Node::Unfold { x, windows }, _) => {
                    let (rows, r) = (self.shape(value).rows, self.shape(*x).rows);
                    gradients.add(*x, || windows.gather(&d, rows, r));
                }
                (Node::Fold { x }, _) => {
                    gradients.add(*x, || with_rows(d, 1, self.shape(*x).rows));
                }
                // Nothing is kept where no gradient goes further.
                _ => {}
            }
        }
        (factors.into_iter())
            .map(|factor| factor.expect("every map leads to the output"))
            .collect()
    }

    /// The value of an operation and, if asked for, what its backward pass needs.
    fn step(
        &self,
        node: &Node,
        maps: &dyn Maps,
        values: &mut Values,
        keep: bool,
    ) -> (Tensor<4>, Kept) {
        let kept = |what: &dyn Fn() -> Kept| if keep { what() } else { Kept::Nothing };
        match *node {
            Node::Linear { map, x } => {
                let x = values.take(x);
                let kept = kept(&|| Kept::Input(x.clone()));
                (maps.apply(map, x), kept)
            }
            Node::Ones { x } => {
                let ones = values.take(x).slice(s![.., .., .., ..1]).ones_like();
                (ones, Kept::Nothing)
            }
            Node::Activation { kind, x } if keep && self.is_learned(x) => {
                let (value, slope) = kind.value_and_slope(values.take(x));
                (value, Kept::Slope(slope))
            }
            Node::Activation { kind, x } => (kind.value(values.take(x)), Kept::Nothing),
            Node::Product { a, b } => {
                let (a, b) = (values.take(a), values.take(b));
                let kept = kept(&|| Kept::Operands(a.clone(), b.clone()));
                (a * b, kept)
            }
            Node::Sum { a, b } => (values.take(a) + values.take(b), Kept::Nothing),
            Node::LayerNorm { gain, x } => {
                let norm = Normalised::new(values.take(x));
                let value = norm.value.clone() * maps.gain(gain);
                (
                    value,
                    if keep {
                        Kept::Norm(norm)
                    } else {
                        Kept::Nothing
                    },
                )
            }
            Node::Unfold { x, windows } => {
                let r = self.shape(x).rows;
                (windows.unfold(values.take(x), r), Kept::Nothing)
            }
            Node::Fold { x } => {
                let rows = self.shape(x).rows;
                (with_rows(values.take(x), rows, 1), Kept::Nothing)
            }
            Node::ByHand => panic!(
                "a program by hand has no operations to run: its memory writes `forward` and `factors` itself"
            ),
        }
    }
}

/// The values that operations still need.
struct Values {
    held: Vec<Option<Tensor<4>>>,
    /// How often each will be asked for.
    uses: Vec<usize>,
}

impl Values {
    fn of(program: &Program, x: Tensor<4>) -> Self {
        let mut uses = vec![0; program.shapes.len()];
        uses[program.output().0] = 1;
        for operand in program.nodes.iter().flat_map(Node::operands) {
            uses[operand.0] += 1;
        }
        Self {
            held: vec![Some(x)],
            uses,
        }
    }

    /// A value, let go of at its last use, so that its memory can be used again.
    fn take(&mut self, value: Value) -> Tensor<4> {
        let uses = &mut self.uses[value.0];
        *uses -= 1;
        let held = &mut self.held[value.0];
        let value = if *uses == 0 {
            held.take()
        } else {
            held.clone()
        };
        value.expect("operations are in order")
    }
}

/// What the backward pass of an operation needs beside the gradient of its value.
enum Kept {
    Nothing,
    Input(Tensor<4>),
    Slope(Tensor<4>),
    Operands(Tensor<4>, Tensor<4>),
    Norm(Normalised),
}

/// The gradients at the values, as far as they are summed up.
struct Gradients<'a> {
    program: &'a Program,
    of: Vec<Option<Tensor<4>>>,
}

impl Gradients<'_> {
    /// Adds to the gradient at `value`, unless nothing learns before it.
    fn add(&mut self, value: Value, gradient: impl FnOnce() -> Tensor<4>) {
        if self.program.is_learned(value) {
            let sum = &mut self.of[value.0];
            *sum = Some(match sum.take() {
                Some(earlier) => earlier + gradient(),
                None => gradient(),
            });
        }
    }
}
