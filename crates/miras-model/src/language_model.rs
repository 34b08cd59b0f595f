//! Input encoder, blocks, head.

use burn::{
    module::Module,
    nn::RmsNorm,
    tensor::{Device, Int, Tensor, activation},
};
use miras_engine::{
    Probe, WriteRate,
    kernel::{has_kernels, run},
};
use miras_kernels::CrossEntropy;

use crate::{
    Ablation, Block, Ends, ModelSpec, ModelState, ParameterGroup, ParameterGroups, Pass, Precision,
    TokenMixer, encoder::Encoder, init::Init, mixers::NO_TOKEN, norm::rms_norm,
    precision::Projection,
};

/// Logits that exist at once.
pub(crate) const PIECE: usize = 1 << 22;

/// Tokens of all rows that go through the blocks at once while targets are scored.
const TOKENS: usize = 1 << 13;

/// The fewest of them in a row that is cut.
const FEWEST: usize = 1 << 10;

/// A causal model over any mixer: a language model, and with [other ends](Ends) a model of rows.
#[derive(Module, Debug)]
pub struct LanguageModel {
    embedding: Encoder,
    blocks: Vec<Block>,
    norm: RmsNorm,
    /// `[d, outputs]`; `None` where the head is the embedding.
    head: Option<Projection>,
    #[module(skip)]
    precision: Precision,
}

/// What [`LanguageModel::forward`] gives back.
pub struct ModelOutput {
    /// `[b, t, vocab]`.
    pub logits: Tensor<3>,
    /// To go on with.
    pub state: ModelState,
    /// One a memory layer, if they were asked for.
    pub probes: Vec<Probe>,
}

/// What [`LanguageModel::train_scores`] says of every target, `[b, t]` each.
pub struct TrainScores {
    /// The negative log-likelihood, in nats; with gradients, unless `gradients` has them.
    pub losses: Tensor<2>,
    /// 1 where the target is the likeliest token, else 0; if it was asked for.
    pub hits: Option<Tensor<2>>,
    /// 0, with the gradients of `Σ weight · loss`, where the logits were made in pieces.
    pub gradients: Option<Tensor<1>>,
    /// To go on with.
    pub state: ModelState,
}

/// What [`LanguageModel::score`] says of every target, `[b, t]` each.
pub struct Scores {
    /// The negative log-likelihood, in nats.
    pub losses: Tensor<2>,
    /// 1 where the target is the likeliest token, else 0.
    pub hits: Tensor<2>,
    /// What the gates of each memory layer left of steps, in a pass with probes; none of a layer without
    /// a gate.
    pub write_rates: Vec<Option<WriteRate>>,
    /// To go on with.
    pub state: ModelState,
}

/// Adds up write rates, layer by layer.
pub fn add_write_rates(all: &mut Vec<Option<WriteRate>>, more: Vec<Option<WriteRate>>) {
    if all.is_empty() {
        *all = more;
        return;
    }
    for (all, more) in all.iter_mut().zip(more) {
        if let (Some(all), Some(more)) = (all, more) {
            all.add(&more);
        }
    }
}

/// What the last block gives.
pub struct Hidden {
    /// `[b, t, d]`.
    pub x: Tensor<3>,
    /// To go on with.
    pub state: ModelState,
    /// One a memory layer, if they were asked for.
    pub probes: Vec<Probe>,
}

impl LanguageModel {
    /// A model with the initial weights of `seed`, the same on every device. A number of token
    /// values makes it a language model.
    pub fn new(spec: &ModelSpec, ends: impl Into<Ends>, seed: u64, device: &Device) -> Self {
        let (config, ends) = (&spec.config, ends.into());
        let mut init = Init::new(seed, config.init, device).with_precision(spec.precision);
        Self {
            embedding: Encoder::new(ends.encoder, config.dim, &mut init),
            blocks: (0..config.layers)
                .map(|layer| Block::new(&mut init, layer, spec))
                .collect(),
            norm: init.rms_norm(config.dim),
            head: (!ends.are_tied(config))
                .then(|| init.projection("head", config.dim, ends.outputs())),
            precision: spec.precision,
        }
    }

    /// Where its weights are.
    pub fn device(&self) -> Device {
        self.embedding.device()
    }

    /// The group of each parameter.
    pub fn groups(&self) -> ParameterGroups {
        let mut groups = ParameterGroups::default();
        self.embedding.groups(&mut groups);
        for block in &self.blocks {
            block.groups(&mut groups);
        }
        groups.put(ParameterGroup::Norm, &self.norm.gamma);
        if let Some(head) = &self.head {
            head.group(ParameterGroup::Head, &mut groups);
        }
        groups
    }

    /// The blocks.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// What the first block gets.
    ///
    /// # Shapes
    /// `tokens`: `[b, t]`; result: `[b, t, d]`.
    ///
    /// # Panics
    /// If there is no token.
    pub fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        some_tokens(tokens.dims());
        self.embedding.tokens(tokens)
    }

    /// What the first block gets of tokens that are values each.
    ///
    /// # Shapes
    /// `values`: `[b, t, patch]`; result: `[b, t, d]`.
    ///
    /// # Panics
    /// If the model reads tokens of a vocabulary, or patches of another number of values.
    pub fn embed_values(&self, values: Tensor<3>) -> Tensor<3> {
        let ([b, t, patch], table) = (values.dims(), self.embedding.table());
        let rows = values.reshape([b * t, patch]);
        let d = table.dims()[1];
        self.precision.product(rows, table).reshape([b, t, d])
    }

    /// The values that come after rows, from the last block's output for the last token: it has
    /// read the whole row, and the head is the same whatever the length of rows.
    ///
    /// # Shapes
    /// `x`: `[b, t, d]`; result: `[b, outputs]`.
    pub fn values_after(&self, x: Tensor<3>) -> Tensor<2> {
        let last = x.dims()[1] - 1;
        self.logits(x.narrow(1, last, 1)).squeeze_dim(1)
    }

    /// The logits of rows, each of the mean of its last block's outputs, normed, by `weights`.
    ///
    /// # Shapes
    /// `x`: `[b, t, d]`; `weights`: `[b, t]`, which are 1 in a row's sum; result: `[b, outputs]`.
    ///
    /// # Panics
    /// If the head is the embedding.
    pub fn pooled_logits(&self, x: Tensor<3>, weights: Tensor<2>) -> Tensor<2> {
        let head = self.head.as_ref().expect("a head of rows is its own");
        let pooled = (rms_norm(&self.norm, x) * weights.unsqueeze_dim(2)).sum_dim(1);
        head.forward(pooled).squeeze_dim(1)
    }

    /// What comes of the last block's output.
    ///
    /// # Shapes
    /// `x`: `[b, t, d]`; result: `[b, t, vocab]`.
    pub fn logits(&self, x: Tensor<3>) -> Tensor<3> {
        let x = rms_norm(&self.norm, x);
        if let Some(head) = &self.head {
            return head.forward(x);
        }
        // Embeddings have deviation 1, so a tied head is scaled back.
        let embedding = self.embedding.table();
        let ([b, t, d], [vocab, _]) = (x.dims(), embedding.dims());
        let scaled = x.reshape([b * t, d]).div_scalar((d as f64).sqrt());
        let logits = self.precision.product(scaled, embedding.transpose());
        logits.reshape([b, t, vocab])
    }

    /// Logits for the token after each of `tokens`, from `state` on.
    ///
    /// # Shapes
    /// `tokens`: `[b, t]`.
    ///
    /// # Panics
    /// If there is no token, or `state` is that of another model or of another number of rows.
    pub fn forward(
        &self,
        tokens: Tensor<2, Int>,
        state: Option<ModelState>,
        pass: Pass,
    ) -> ModelOutput {
        let Hidden { x, state, probes } = self.hidden(self.embed(tokens), state, pass);
        ModelOutput {
            logits: self.logits(x),
            state,
            probes,
        }
    }

    /// What the last block gives, from which [`logits`](Self::logits) are made, and the state after
    /// the last token.
    ///
    /// # Shapes
    /// `tokens`: `[b, t]`; result: `[b, t, d]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn hidden_states(
        &self,
        tokens: Tensor<2, Int>,
        state: Option<ModelState>,
        pass: Pass,
    ) -> (Tensor<3>, ModelState) {
        let Hidden { x, state, .. } = self.hidden(self.embed(tokens), state, pass);
        (x, state)
    }

    /// How well each of `targets` is predicted, for training on `Σ weight · loss`.
    ///
    /// Where there are many positions times words, the logits are made in pieces of some positions, and
    /// the gradients of each piece with them, so that no more logits than those of a piece exist, and
    /// the head is computed once all the same.
    ///
    /// # Shapes
    /// `tokens`, `targets`, `weights`: `[b, t]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn train_scores(
        &self,
        tokens: Tensor<2, Int>,
        targets: Tensor<2, Int>,
        weights: Tensor<2>,
        state: Option<ModelState>,
        pass: Pass,
        counts_hits: bool,
    ) -> TrainScores {
        let Hidden { x, state, .. } = self.hidden(self.embed(tokens), state, pass);
        let [b, t, d] = x.dims();
        let (positions, vocab) = (b * t, self.outputs());
        let hits = |logits: &Tensor<3>, targets: &Tensor<2, Int>| {
            let first = logits.clone().argmax(2).reshape(targets.dims());
            first.equal(targets.clone()).float()
        };
        if positions * vocab <= PIECE {
            let logits = self.logits(x);
            return TrainScores {
                hits: counts_hits.then(|| hits(&logits, &targets)),
                losses: Self::token_losses(logits, targets),
                gradients: None,
                state,
            };
        }
        let fixed = x.clone().detach().reshape([1, positions, d]);
        let (targets, weights) = (
            targets.reshape([1, positions]),
            weights.reshape([1, positions]),
        );
        let (norm, head) = (&self.norm.gamma, self.head_weight());
        let (mut losses, mut found, mut of_x) = (Vec::new(), Vec::new(), Vec::new());
        let (mut of_norm, mut of_head) = (
            norm.val().inner().zeros_like(),
            head.clone().inner().zeros_like(),
        );
        let piece = (PIECE / vocab).max(1);
        for from in (0..positions).step_by(piece) {
            let count = piece.min(positions - from);
            let targets = targets.clone().narrow(1, from, count);
            let x = fixed.clone().narrow(1, from, count).require_grad();
            let logits = self.logits(x.clone());
            if counts_hits {
                found.push(hits(&logits, &targets));
            }
            let own = Self::token_losses(logits, targets);
            losses.push(own.clone().detach());
            let mut gradients = (own * weights.clone().narrow(1, from, count))
                .sum()
                .backward();
            let of = |x: Option<Tensor<3>>| x.expect("the loss is made of it");
            of_x.push(of(x.grad_remove(&mut gradients)));
            if let Some(of) = norm.val().grad(&gradients) {
                of_norm = of_norm + of;
            }
            if let Some(of) = head.grad(&gradients) {
                of_head = of_head + of;
            }
        }
        let of_x = Tensor::cat(of_x, 1).reshape([b, t, d]);
        let gradients =
            gradients_of(x, of_x) + gradients_of(norm.val(), of_norm) + gradients_of(head, of_head);
        let whole = |pieces| Tensor::cat(pieces, 1).reshape([b, t]);
        TrainScores {
            losses: whole(losses),
            hits: counts_hits.then(|| whole(found)),
            gradients: Some(gradients),
            state,
        }
    }

    /// The weights that make logits.
    fn head_weight(&self) -> Tensor<2> {
        match &self.head {
            Some(head) => head.weight(),
            None => self.embedding.table(),
        }
    }

    /// Number of logits that are made at a time.
    fn outputs(&self) -> usize {
        match &self.head {
            Some(head) => head.weight().dims()[1],
            None => self.embedding.table().dims()[0],
        }
    }

    /// How well each of `targets` is predicted after the token of `tokens` at its place, from
    /// `state` on.
    ///
    /// Rows of more than `max(8,192 / b, 1,024)` tokens, rounded up to whole chunks of every layer, go
    /// through the blocks in pieces of so many with the state carried, and the logits are made and
    /// used in pieces of some positions. So the memory it takes grows with neither tokens times width
    /// nor positions times vocabulary, but by the scores and the keys and values of attention. The
    /// values are those of one pass, up to rounding. The model has no gradients.
    ///
    /// # Shapes
    /// `tokens`, `targets`, and the result: `[b, t]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn score(
        &self,
        tokens: Tensor<2, Int>,
        targets: Tensor<2, Int>,
        state: Option<ModelState>,
        pass: Pass,
    ) -> Scores {
        let (mut state, mut losses, mut hits) = (state, Vec::new(), Vec::new());
        let mut write_rates = Vec::new();
        for [from, count] in self.pieces(tokens.dims(), state.as_ref()) {
            let [tokens, targets] = [&tokens, &targets].map(|x| x.clone().narrow(1, from, count));
            let scores = self.score_piece(tokens, targets, state, pass);
            losses.push(scores.losses);
            hits.push(scores.hits);
            add_write_rates(&mut write_rates, scores.write_rates);
            state = Some(scores.state);
        }
        Scores {
            losses: Tensor::cat(losses, 1),
            hits: Tensor::cat(hits, 1),
            write_rates,
            state: state.expect(NO_TOKEN),
        }
    }

    /// The state after `tokens`, from `state` on, in the pieces of [`score`](Self::score). No logits
    /// are made.
    ///
    /// # Shapes
    /// `tokens`: `[b, t]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn read(
        &self,
        tokens: Tensor<2, Int>,
        state: Option<ModelState>,
        pass: Pass,
    ) -> ModelState {
        let mut state = state;
        for [from, count] in self.pieces(tokens.dims(), state.as_ref()) {
            let tokens = tokens.clone().narrow(1, from, count);
            state = Some(self.hidden(self.embed(tokens), state, pass).state);
        }
        state.expect(NO_TOKEN)
    }

    /// Start and length of each piece of rows that go on from `state`.
    fn pieces(&self, [b, t]: [usize; 2], state: Option<&ModelState>) -> Vec<[usize; 2]> {
        let (piece, chunks) = self.piece(b);
        // The first piece ends a chunk that the state has open, so that all others begin with one.
        let open = state.map_or(0, |state| state.position % chunks);
        let (mut pieces, mut from, mut count) = (Vec::new(), 0, piece - open);
        while from < t {
            count = count.min(t - from);
            pieces.push([from, count]);
            (from, count) = (from + count, piece);
        }
        pieces
    }

    /// Tokens of a row that go through the blocks at once where `b` rows are scored, and the number
    /// of tokens that is a whole number of chunks in every layer.
    fn piece(&self, b: usize) -> (usize, usize) {
        let lens = (self.blocks.iter()).filter_map(|block| block.mixer().chunks(None));
        let chunks = lens.fold(1, |all, chunks| {
            least_common_multiple(all, chunks.len.max(1))
        });
        let tokens = (TOKENS / b.max(1)).max(FEWEST);
        (tokens.next_multiple_of(chunks), chunks)
    }

    fn score_piece(
        &self,
        tokens: Tensor<2, Int>,
        targets: Tensor<2, Int>,
        state: Option<ModelState>,
        pass: Pass,
    ) -> Scores {
        let Hidden { x, state, probes } = self.hidden(self.embed(tokens), state, pass);
        let [b, t, d] = x.dims();
        let positions = b * t;
        let x = x.reshape([1, positions, d]);
        let targets = targets.reshape([1, positions]);
        let piece = (PIECE / self.outputs()).max(1);
        let (mut losses, mut hits) = (Vec::new(), Vec::new());
        for from in (0..positions).step_by(piece) {
            let count = piece.min(positions - from);
            let logits = self.logits(x.clone().narrow(1, from, count));
            let targets = targets.clone().narrow(1, from, count);
            let first = logits.clone().argmax(2).reshape([1, count]);
            hits.push(first.equal(targets.clone()).float());
            losses.push(Self::token_losses(logits, targets));
        }
        Scores {
            losses: Tensor::cat(losses, 1).reshape([b, t]),
            hits: Tensor::cat(hits, 1).reshape([b, t]),
            write_rates: probes.iter().map(Probe::write_rate).collect(),
            state,
        }
    }

    /// What the last block gives for what the first one gets, from `state` on.
    ///
    /// # Shapes
    /// `x`: `[b, t, d]`, of any encoder.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn hidden(&self, x: Tensor<3>, state: Option<ModelState>, pass: Pass) -> Hidden {
        let [b, t, _] = x.dims();
        some_tokens([b, t]);
        if let Ablation::FrozenFrom(from) = pass.ablation {
            return self.hidden_frozen_from(from, x, state, pass);
        }
        let mut x = x;
        let (mut earlier, position) = match state {
            Some(state) => {
                let (held, has) = (state.layers.len(), self.blocks.len());
                assert!(
                    held == has,
                    "the state has {held} layers, and the model {has}"
                );
                (state.layers.into_iter().map(Some).collect(), state.position)
            }
            None => (vec![None; self.blocks.len()], 0),
        };
        let mut layers = Vec::with_capacity(self.blocks.len());
        let mut probes = Vec::new();
        for (block, earlier) in self.blocks.iter().zip(earlier.drain(..)) {
            let (y, state, probe) = block.forward(x, earlier, pass);
            x = y;
            layers.push(state);
            probes.extend(probe);
        }

        Hidden {
            x,
            state: ModelState {
                layers,
                rows: b,
                position: position + t,
            },
            probes,
        }
    }

    /// The same with memories that are frozen from a token of the sequence on.
    fn hidden_frozen_from(
        &self,
        from: usize,
        x: Tensor<3>,
        state: Option<ModelState>,
        pass: Pass,
    ) -> Hidden {
        let t = x.dims()[1];
        let position = state.as_ref().map_or(0, |state| state.position);
        let live = from.saturating_sub(position).min(t);
        let with = |ablation| Pass { ablation, ..pass };
        let (before, after) = (with(Ablation::None), with(Ablation::Frozen));
        match (live, t - live) {
            (0, _) => self.hidden(x, state, after),
            (_, 0) => self.hidden(x, state, before),
            (live, rest) => {
                let first = self.hidden(x.clone().narrow(1, 0, live), state, before);
                let second = self.hidden(x.narrow(1, live, rest), Some(first.state), after);
                Hidden {
                    x: Tensor::cat(vec![first.x, second.x], 1),
                    state: second.state,
                    probes: first.probes,
                }
            }
        }
    }

    /// The negative log-likelihood of `targets`, in nats: `[b, t]`.
    pub fn token_losses(logits: Tensor<3>, targets: Tensor<2, Int>) -> Tensor<2> {
        let [b, t, vocab] = logits.dims();
        if has_kernels(&logits) {
            let targets = targets.into_data();
            let loss = CrossEntropy {
                targets: targets.iter::<i64>().map(|id| id as usize).collect(),
            };
            return run(loss, [logits.into()], [b, t]);
        }
        let log_p = activation::log_softmax(logits.reshape([b * t, vocab]), 1);
        log_p
            .gather(1, targets.reshape([b * t, 1]))
            .neg()
            .reshape([b, t])
    }
}

/// Refuses an input without a token.
fn some_tokens([b, t]: [usize; 2]) {
    assert!(b > 0 && t > 0, "{NO_TOKEN}, not [{b}, {t}]");
}

/// 0, whose gradient with respect to `x` is `of`, a tensor without a graph.
fn gradients_of<const D: usize>(x: Tensor<D>, of: Tensor<D>) -> Tensor<1> {
    ((x.clone() - x.detach()) * Tensor::from_inner(of)).sum()
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    a / divisor * b
}
