//! The state of a mixer as named tensors, and what can be done with any state, whoever made it.

use std::{collections::BTreeMap, ops::Range};

use burn::tensor::{Device, Tensor, TensorData, s};

use crate::StateError;

/// The state of a mixer: tensors under dotted names, such as `maps.0.weights`, and counts of tokens.
///
/// Only the mixer that made it knows what the tensors mean. Detaching, selecting and joining batch
/// rows, saving and loading depend on names and dimensions alone, and are the same for all mixers.
/// A count is the same for all rows and follows from the position, so that no file holds it.
#[derive(Debug, Clone, Default)]
pub struct StateTree {
    tensors: BTreeMap<String, StateTensor>,
    counts: BTreeMap<String, usize>,
}

/// A tensor of a state, by what its dimensions are.
#[derive(Debug, Clone)]
pub enum StateTensor {
    /// `[b, …]`: an entry per batch row.
    Rows(Tensor<3>),
    /// `[b, h, …]`: an entry per batch row and head.
    Heads(Tensor<4>),
    /// `[1, b·h, …]`: an entry per memory; the memories of a batch row are adjacent.
    Memories(Tensor<4>),
}

/// The shape of a [`StateTensor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateShape {
    /// `[b, …]`.
    Rows([usize; 3]),
    /// `[b, h, …]`.
    Heads([usize; 4]),
    /// `[1, b·h, …]`.
    Memories([usize; 4]),
}

/// The tensors of a mixer's state for a number of batch rows and a position, in the order in which
/// they are loaded, and its counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateLayout {
    shapes: Vec<(String, StateShape)>,
    counts: Vec<(String, usize)>,
}

impl StateTree {
    /// Adds a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: StateTensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// Adds a count.
    pub fn insert_count(&mut self, name: impl Into<String>, count: usize) {
        self.counts.insert(name.into(), count);
    }

    /// Adds everything in `branch`, as `name.…`.
    pub fn insert_branch(&mut self, name: &str, branch: Self) {
        for (inner, tensor) in branch.tensors {
            self.insert(format!("{name}.{inner}"), tensor);
        }
        for (inner, count) in branch.counts {
            self.insert_count(format!("{name}.{inner}"), count);
        }
    }

    /// Removes everything `name.…`, and gives it under the rest of its names.
    #[must_use]
    pub fn take_branch(&mut self, name: &str) -> Self {
        Self {
            tensors: inside(&mut self.tensors, name),
            counts: inside(&mut self.counts, name),
        }
    }

    /// Removes a count.
    ///
    /// # Panics
    /// As [`take_rows`](Self::take_rows).
    pub fn take_count(&mut self, name: &str) -> usize {
        self.counts.remove(name).unwrap_or_else(|| lacks(name))
    }

    /// Removes a tensor [per row](StateTensor::Rows).
    ///
    /// # Panics
    /// If there is none of this name: the state is that of another mixer.
    pub fn take_rows(&mut self, name: &str) -> Tensor<3> {
        match self.tensors.remove(name) {
            Some(StateTensor::Rows(x)) => x,
            _ => lacks(name),
        }
    }

    /// Removes a tensor [per row and head](StateTensor::Heads).
    ///
    /// # Panics
    /// As [`take_rows`](Self::take_rows).
    pub fn take_heads(&mut self, name: &str) -> Tensor<4> {
        match self.tensors.remove(name) {
            Some(StateTensor::Heads(x)) => x,
            _ => lacks(name),
        }
    }

    /// Removes a tensor [per memory](StateTensor::Memories).
    ///
    /// # Panics
    /// As [`take_rows`](Self::take_rows).
    pub fn take_memories(&mut self, name: &str) -> Tensor<4> {
        match self.tensors.remove(name) {
            Some(StateTensor::Memories(x)) => x,
            _ => lacks(name),
        }
    }

    /// Checks that there is a tensor of this name.
    ///
    /// # Panics
    /// As [`take_rows`](Self::take_rows).
    pub fn assert_has(&self, name: &str) {
        if !self.tensors.contains_key(name) {
            lacks(name);
        }
    }

    /// Checks that everything has been taken.
    ///
    /// # Panics
    /// If there is a tensor or count left: the state is that of another mixer.
    pub fn assert_empty(&self) {
        if let Some(name) = self.tensors.keys().chain(self.counts.keys()).next() {
            panic!("the state has a tensor `{name}`, so it is that of another mixer");
        }
    }

    /// The tensor of a name.
    pub fn get(&self, name: &str) -> Option<&StateTensor> {
        self.tensors.get(name)
    }

    /// Names and tensors, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StateTensor)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Every tensor through `f`.
    fn map(self, f: impl Fn(StateTensor) -> StateTensor) -> Self {
        let tensors = self.tensors.into_iter();
        Self {
            tensors: tensors.map(|(name, tensor)| (name, f(tensor))).collect(),
            counts: self.counts,
        }
    }

    /// The same values cut off from the graph: gradients do not go back beyond this point.
    #[must_use]
    pub fn detach(self) -> Self {
        self.map(StateTensor::detach)
    }

    /// The same values for a model without gradients.
    #[must_use]
    pub fn inner(self) -> Self {
        self.map(StateTensor::inner)
    }

    /// The same values in storage of their own.
    #[must_use]
    pub fn in_own_storage(self) -> Self {
        self.map(StateTensor::in_own_storage)
    }

    /// The state of some of `all` batch rows.
    #[must_use]
    pub fn select_rows(self, rows: Range<usize>, all: usize) -> Self {
        self.map(|tensor| tensor.select_rows(rows.clone(), all))
    }

    /// The batch rows of several states, one state after the other.
    ///
    /// # Panics
    /// If there is no state, or if they differ in more than their rows.
    #[must_use]
    pub fn cat(states: &[&Self]) -> Self {
        let (first, others) = states.split_first().expect("no state to join");
        for (at, state) in others.iter().enumerate() {
            let [found, needed] =
                [state, first].map(|state| state.tensors.keys().collect::<Vec<_>>());
            assert!(
                found == needed && state.counts == first.counts,
                "states of different mixers or lengths cannot be joined: number {} consists of \
                 {found:?}, the first of {needed:?}",
                at + 1,
            );
        }
        let join = |name: &String| {
            let parts: Vec<_> = states.iter().map(|state| &state.tensors[name]).collect();
            (name.clone(), StateTensor::cat(&parts))
        };
        Self {
            tensors: first.tensors.keys().map(join).collect(),
            counts: first.counts.clone(),
        }
    }
}

/// Removes the entries `name.…`, and gives them under the rest of their names.
fn inside<T>(all: &mut BTreeMap<String, T>, name: &str) -> BTreeMap<String, T> {
    let (branch, rest) = (std::mem::take(all).into_iter())
        .map(|(key, value)| {
            let inner = key.strip_prefix(name).and_then(|key| key.strip_prefix('.'));
            (inner.map(str::to_owned), key, value)
        })
        .partition::<Vec<_>, _>(|(inner, ..)| inner.is_some());
    *all = rest
        .into_iter()
        .map(|(_, key, value)| (key, value))
        .collect();
    let branch = branch.into_iter();
    branch
        .filter_map(|(inner, _, value)| Some((inner?, value)))
        .collect()
}

fn lacks(name: &str) -> ! {
    panic!("the state lacks the tensor `{name}`, so it is that of another mixer")
}

/// The same for a tensor of any kind, which keeps its kind.
macro_rules! keeping_kind {
    ($tensor:expr, $x:ident => $result:expr) => {
        match $tensor {
            StateTensor::Rows($x) => StateTensor::Rows($result),
            StateTensor::Heads($x) => StateTensor::Heads($result),
            StateTensor::Memories($x) => StateTensor::Memories($result),
        }
    };
}

impl StateTensor {
    /// Its shape.
    pub fn shape(&self) -> StateShape {
        match self {
            Self::Rows(x) => StateShape::Rows(x.dims()),
            Self::Heads(x) => StateShape::Heads(x.dims()),
            Self::Memories(x) => StateShape::Memories(x.dims()),
        }
    }

    /// Its values in a row.
    pub fn values(&self) -> Tensor<1> {
        let count = self.shape().dims().iter().product::<usize>();
        match self {
            Self::Rows(x) => x.clone().reshape([count]),
            Self::Heads(x) | Self::Memories(x) => x.clone().reshape([count]),
        }
    }

    fn detach(self) -> Self {
        keeping_kind!(self, x => x.detach())
    }

    fn inner(self) -> Self {
        keeping_kind!(self, x => x.inner())
    }

    fn in_own_storage(self) -> Self {
        keeping_kind!(self, x => {
            let device = x.device();
            Tensor::from_data(x.into_data(), &device)
        })
    }

    fn select_rows(self, rows: Range<usize>, all: usize) -> Self {
        match self {
            Self::Rows(x) => Self::Rows(x.slice(s![rows])),
            Self::Heads(x) => Self::Heads(x.slice(s![rows])),
            Self::Memories(x) => {
                let heads = x.dims()[1] / all;
                Self::Memories(x.slice(s![.., rows.start * heads..rows.end * heads]))
            }
        }
    }

    /// Joins tensors of one name.
    fn cat(parts: &[&Self]) -> Self {
        macro_rules! join {
            ($kind:ident, $dim:expr) => {{
                let of_kind = |part: &&Self| match part {
                    Self::$kind(x) => x.clone(),
                    other => panic!("cannot join {:?} and {:?}", parts[0].shape(), other.shape()),
                };
                Self::$kind(Tensor::cat(parts.iter().map(of_kind).collect(), $dim))
            }};
        }
        match parts[0] {
            Self::Rows(_) => join!(Rows, 0),
            Self::Heads(_) => join!(Heads, 0),
            Self::Memories(_) => join!(Memories, 1),
        }
    }
}

impl StateShape {
    /// Its dimensions.
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Rows(dims) => dims,
            Self::Heads(dims) | Self::Memories(dims) => dims,
        }
    }

    fn load(self, data: TensorData, device: &Device) -> StateTensor {
        match self {
            Self::Rows(_) => StateTensor::Rows(Tensor::from_data(data, device)),
            Self::Heads(_) => StateTensor::Heads(Tensor::from_data(data, device)),
            Self::Memories(_) => StateTensor::Memories(Tensor::from_data(data, device)),
        }
    }
}

impl StateLayout {
    /// Adds a tensor.
    pub fn insert(&mut self, name: impl Into<String>, shape: StateShape) {
        self.shapes.push((name.into(), shape));
    }

    /// Adds a count.
    pub fn insert_count(&mut self, name: impl Into<String>, count: usize) {
        self.counts.push((name.into(), count));
    }

    /// Adds everything in `branch`, as `name.…`.
    pub fn insert_branch(&mut self, name: &str, branch: Self) {
        for (inner, shape) in branch.shapes {
            self.insert(format!("{name}.{inner}"), shape);
        }
        for (inner, count) in branch.counts {
            self.insert_count(format!("{name}.{inner}"), count);
        }
    }

    /// Names and shapes, in the order of the load.
    pub fn iter(&self) -> impl Iterator<Item = (&str, StateShape)> {
        self.shapes
            .iter()
            .map(|(name, shape)| (name.as_str(), *shape))
    }

    /// Removes from `tensors` what is stored as `prefix.…` of a state of this layout.
    pub(crate) fn load(
        &self,
        prefix: &str,
        tensors: &mut BTreeMap<String, TensorData>,
        device: &Device,
    ) -> Result<StateTree, StateError> {
        let mut state = StateTree::default();
        for (name, count) in &self.counts {
            state.insert_count(name.clone(), *count);
        }
        for (inner, shape) in self.iter() {
            let name = format!("{prefix}.{inner}");
            let Some(data) = tensors.remove(&name) else {
                return Err(StateError::Missing(name));
            };
            if data.shape().to_vec() != shape.dims() {
                return Err(StateError::Shape {
                    name,
                    found: data.shape().to_vec(),
                    needed: shape.dims().to_vec(),
                });
            }
            state.insert(inner, shape.load(data, device));
        }
        Ok(state)
    }
}
