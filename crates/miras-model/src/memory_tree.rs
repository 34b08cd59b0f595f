//! The state of memories as a [`StateTree`].

use miras_core::{Program, STEP};
use miras_engine::{Rule, State};

use crate::{StateLayout, StateShape, StateTensor, StateTree};

/// The count of the tokens since their sequence began.
const TOKENS: &str = "tokens";

/// The tensors of memories.
pub(crate) fn to_tree(memories: &State) -> StateTree {
    let mut tree = StateTree::default();
    tree.insert_count(TOKENS, memories.tokens());
    for (name, tensor) in memories.named() {
        tree.insert(name, StateTensor::Memories(tensor));
    }
    tree
}

/// The state of memories out of its tensors, of which there are no others.
pub(crate) fn from_tree(rule: &Rule, program: &Program, mut tree: StateTree) -> State {
    tree.assert_has("maps.0.weights");
    let tokens = tree.take_count(TOKENS);
    let memories = State::from_named(rule, program, tokens, |name| tree.take_memories(name));
    tree.assert_empty();
    memories
}

/// Tokens of the open chunk: every rule has a step size.
pub(crate) fn open_tokens(tree: &StateTree) -> usize {
    let gate = tree.get(&format!("open.gates.{STEP}"));
    gate.map_or(0, |gate| gate.shape().dims()[2])
}

/// Adds the tensors of `g` memories after `written` tokens.
pub(crate) fn add_layout(
    layout: &mut StateLayout,
    rule: &Rule,
    program: &Program,
    [g, written]: [usize; 2],
) {
    layout.insert_count(TOKENS, written);
    for (name, shape) in State::layout(rule, program, g, written) {
        layout.insert(name, StateShape::Memories(shape));
    }
}
