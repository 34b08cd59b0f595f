//! Texts that the model writes while it trains, `log.samples`.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use miras_data::Tokenizer;
use miras_model::{Ablation, LanguageModel, Pass, Sampler};
use miras_spec::read::read;
use miras_spec::{RunConfig, with_stored_tokenizer};

use crate::TrainError;

/// Tokens that are written for each prompt.
const TOKENS: usize = 200;
/// As that of `generate`.
const TEMPERATURE: f64 = 0.8;

/// The prompts, ready to be gone on with.
pub(crate) struct Samples {
    tokenizer: Tokenizer,
    prompts: Vec<(String, Vec<i32>)>,
    sampler: Sampler,
}

impl Samples {
    /// None if no samples are wanted. The tokenizer is the one that the run keeps, if it has one.
    pub(crate) fn new(config: &RunConfig, run: &Path) -> Result<Option<Self>, TrainError> {
        if config.log.samples.is_empty() {
            return Ok(None);
        }
        let stored = config.data.absolute().map_err(TrainError::NoFolder)?;
        let (data, _) = with_stored_tokenizer(run, &stored, &config.data);
        let tokenizer = match data.tokenizer() {
            Some(setting) => Tokenizer::open(setting)?,
            // Refused with the configuration.
            None => return Ok(None),
        };
        let prompts = (config.log.samples.iter())
            .map(|prompt| Ok((prompt.clone(), tokenizer.encode(prompt.as_bytes())?)))
            .collect::<Result<_, TrainError>>()?;
        Ok(Some(Self {
            tokenizer,
            prompts,
            sampler: Sampler {
                temperature: TEMPERATURE,
                top_k: 0,
                top_p: 1.0,
                seed: config.train.seed,
            },
        }))
    }

    /// Each prompt with what the model writes after it.
    pub(crate) fn write(
        &self,
        model: &LanguageModel,
        ablation: Ablation,
        device: &Device,
    ) -> Result<Vec<String>, TrainError> {
        let one = |(prompt, tokens): &(String, Vec<i32>)| {
            let written = self.go_on(model, ablation, tokens, device)?;
            let text = self.tokenizer.decode(&written);
            Ok(format!("{prompt}{}", String::from_utf8_lossy(&text)))
        };
        self.prompts.iter().map(one).collect()
    }

    fn go_on(
        &self,
        model: &LanguageModel,
        ablation: Ablation,
        prompt: &[i32],
        device: &Device,
    ) -> Result<Vec<i32>, TrainError> {
        let mut written = Vec::new();
        let mut state = None;
        let mut next = prompt.to_vec();
        let pass = Pass {
            ablation,
            ..Pass::default()
        };
        while written.len() < TOKENS {
            let len = next.len();
            let inputs = Tensor::from_data(TensorData::new(next, [1, len]), device);
            let output = model.forward(inputs, state.take(), pass);
            let [_, _, vocab] = output.logits.dims();
            let logits = read(output.logits.narrow(1, len - 1, 1).reshape([vocab]))?;
            state = Some(output.state);
            if logits.iter().any(|logit| !logit.is_finite()) {
                break;
            }
            let position = (prompt.len() + written.len()) as u64;
            let token = self.sampler.pick(&logits, position);
            written.push(token);
            next = vec![token];
        }
        Ok(written)
    }
}
