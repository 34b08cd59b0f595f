//! The memories of a layer during a pass.

use burn::tensor::Tensor;
use miras_core::STEP;
use miras_engine::{Initial, Probe, Rule, State, Tokens, dual, read, write};

use crate::{Ablation, Pass};

/// The memories of a layer, one per batch row and head, at some point of a sequence.
///
/// A mixer in which each token is written and read calls [`read_write`](Self::read_write); other
/// wirings compose [`read`](Self::read) and [`write`](Self::write). Ablations and truncation act on
/// all three.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// # use miras_model::{MixerConfig, MixerKeys, Pass};
/// # use miras_registry::{Choice, Registry};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let memory = Choice::from_toml("[memory]\nkind = 'matrix'", &Registry::builtin())?;
/// # let device = Device::flex();
/// # let mixer = MixerConfig::new(16, MixerKeys::new(2), memory)?.init(&device);
/// # let x = Tensor::<3>::ones([1, 5, 16], &device);
/// // What the memories hold before a segment, and what they give after it was written.
/// let (tokens, tails) = mixer.project(x.clone(), None);
/// let mut memories = mixer.memories(&x, None, Pass::default());
/// let before = memories.read(tokens.q.clone());
/// memories.write(&tokens);
/// let y = mixer.output(memories.read(tokens.q), x);
/// # assert_eq!((before.dims(), y.dims()), ([1, 2, 5, 8], [1, 5, 16]));
/// # Ok(())
/// # }
/// ```
pub struct Memories<'a> {
    rule: &'a Rule,
    initial: Initial,
    state: State,
    pass: Pass,
}

impl<'a> Memories<'a> {
    /// The memories that `state` holds, or new ones.
    pub(crate) fn new(rule: &'a Rule, initial: Initial, state: Option<State>, pass: Pass) -> Self {
        let state = state.unwrap_or_else(|| State::new(rule, &initial));
        Self {
            rule,
            initial,
            state,
            pass,
        }
    }

    /// Reads the memories as they stand after the last token written.
    ///
    /// # Shapes
    /// `q`, result: `[1, g, t, d]`.
    pub fn read(&self, q: Tensor<4>) -> Tensor<4> {
        self.ablate_read(read(self.rule, &self.initial, &self.state, q))
    }

    /// Writes tokens, whose queries are not looked at.
    pub fn write(&mut self, tokens: &Tokens) {
        if self.pass.ablation == Ablation::Frozen {
            return;
        }
        for (at, piece) in self.pieces(tokens).into_iter().enumerate() {
            let (state, Tokens { k, v, gates, .. }) = (self.start_of(at), piece);
            self.state = write(self.rule, &self.initial, state, k, v, &gates);
        }
    }

    /// Writes tokens and reads the memories with the query of each, as the rule's
    /// [`Read`](miras_engine::Read) says.
    ///
    /// # Shapes
    /// Result: `[1, g, t, d]`.
    pub fn read_write(&mut self, tokens: &Tokens) -> (Tensor<4>, Option<Probe>) {
        if self.pass.ablation == Ablation::Frozen {
            return (self.read(tokens.q.clone()), None);
        }
        let tokens = self.ablate_steps(tokens);
        let mut outputs = Vec::new();
        let mut probe = None;
        let parts = match self.pass.ablation {
            Ablation::Reset => tokens.split_every(self.rule.settings.chunk),
            _ => vec![tokens],
        };
        for part in parts {
            let (rule, initial, state) = (self.rule, &self.initial, self.start_of(0));
            let out = match self.truncate() {
                Some(every) => dual::forward_truncated(rule, initial, state, &part, every),
                None => dual::forward(rule, initial, state, &part, self.pass.probe),
            };
            outputs.push(out.y);
            self.state = out.state;
            probe = out.probe;
        }
        let y = match outputs.len() {
            1 => outputs.remove(0),
            _ => Tensor::cat(outputs, 2),
        };
        (self.ablate_read(y), probe)
    }

    /// The state after the last token written.
    pub fn into_state(self) -> State {
        self.state
    }

    /// The tokens of a call in pieces, between which the state is reset or detached.
    fn pieces(&self, tokens: &Tokens) -> Vec<Tokens> {
        let tokens = self.ablate_steps(tokens);
        match (self.pass.ablation, self.truncate()) {
            (Ablation::Reset, _) => tokens.split_every(self.rule.settings.chunk),
            (_, Some(every)) => tokens.split_every(every),
            _ => vec![tokens],
        }
    }

    /// Tokens between which gradients are cut off, if they are.
    fn truncate(&self) -> Option<usize> {
        (self.pass.truncate).filter(|every| *every > 0 && !self.pass.probe)
    }

    /// The tokens with the step sizes that the ablation leaves them.
    fn ablate_steps(&self, tokens: &Tokens) -> Tokens {
        let mut tokens = tokens.clone();
        if self.pass.ablation == Ablation::StepZero {
            let zero = tokens.gates.get(STEP).zeros_like();
            tokens.gates = tokens.gates.with(STEP, zero);
        }
        tokens
    }

    /// The state in which piece `at` of a call begins.
    fn start_of(&self, at: usize) -> State {
        if self.pass.ablation == Ablation::Reset {
            State::new(self.rule, &self.initial)
        } else if at > 0 {
            self.state.map(Tensor::detach)
        } else {
            self.state.clone()
        }
    }

    fn ablate_read(&self, y: Tensor<4>) -> Tensor<4> {
        if self.pass.ablation == Ablation::ReadZero {
            y.zeros_like()
        } else {
            y
        }
    }
}
