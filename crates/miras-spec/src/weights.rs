//! The weights of a model, as a checkpoint and an export keep them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use burn::store::{ModuleSnapshot, SafetensorsStore};
use miras_model::{LanguageModel, parameters};
use miras_run::{Vouched, sha256_hex, vouched_weights};
use safetensors::{Dtype, SafeTensors};

use crate::SpecError;

/// The parameter that has a row for each token.
const EMBEDDING: &str = "embedding";
/// The parameter that has a column for each output.
const HEAD: &str = "head.weight";
/// Metadata of the file: its schema, and what names and shapes do not say.
const LAYOUT: (&str, &str) = (
    "miras_weights",
    "version 1: matrices are [in, out], a layer is x W; docs/weights.md",
);
/// The most misfits that a message names.
const NAMED: usize = 5;

/// The content of a `model.safetensors`.
pub struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Weights {
    /// Their file in a checkpoint and in an export.
    pub const FILE: &'static str = "model.safetensors";

    /// Reads a file, or the `model.safetensors` in a folder.
    pub fn read(path: &Path) -> Result<Self, SpecError> {
        let path = if path.is_dir() {
            path.join(Self::FILE)
        } else {
            path.to_owned()
        };
        let bytes = fs::read(&path).map_err(|error| SpecError::Weights {
            path: path.clone(),
            cause: error.to_string(),
        })?;
        Ok(Self { path, bytes })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its SHA-256 in lower-case hexadecimal, as in the manifest of a checkpoint.
    pub fn sha256(&self) -> String {
        sha256_hex(&self.bytes)
    }

    /// Compares them with what vouches for them in their folder: the `export.json` of an export,
    /// or the manifest of a checkpoint.
    pub fn verify(&self) -> Result<Vouched, SpecError> {
        Ok(vouched_weights(&self.path, &self.sha256())?)
    }

    /// The file of a model's weights; equal weights give equal bytes.
    pub fn bytes_of(model: &LanguageModel) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        // Through memory: a file that burn writes itself is readable by its owner alone.
        let mut weights = store(None);
        model.save_into(&mut weights)?;
        Ok(weights.get_bytes()?)
    }

    /// Number of token values of the model that they are of.
    pub fn vocab(&self) -> Result<usize, SpecError> {
        let tensors = self.tensors()?;
        let embedding = tensors.get(EMBEDDING).and_then(|(shape, _)| shape.first());
        (embedding.copied())
            .ok_or_else(|| self.refused(format!("there is no parameter `{EMBEDDING}`")))
    }

    /// Number of outputs of the head of the model that they are of, if that is its own.
    pub fn head_outputs(&self) -> Result<usize, SpecError> {
        let tensors = self.tensors()?;
        let head = tensors.get(HEAD).and_then(|(shape, _)| shape.last());
        (head.copied()).ok_or_else(|| self.refused(format!("there is no parameter `{HEAD}`")))
    }

    /// The model with these weights. Every parameter must have its weights, in its shape and as
    /// 32-bit floats, and all weights must have a parameter.
    pub fn into_model(self, mut model: LanguageModel) -> Result<LanguageModel, SpecError> {
        self.fits(&model)?;
        let Self { path, bytes } = self;
        match model.load_from(&mut store(Some(bytes))) {
            Ok(_) => Ok(model),
            Err(error) => Err(SpecError::Weights {
                path,
                cause: error.to_string(),
            }),
        }
    }

    /// Refuses weights that are not those of a model of this shape.
    pub fn fits(&self, model: &LanguageModel) -> Result<(), SpecError> {
        let mut found = self.tensors()?;
        let mut misfits = Vec::new();
        for one in parameters(model) {
            let (name, needed) = (one.name, one.shape);
            match found.remove(&name) {
                None => misfits.push(format!("`{name}` is missing")),
                Some((shape, _)) if shape != needed => misfits.push(format!(
                    "`{name}` has the shape {shape:?} where the model has {needed:?}"
                )),
                Some((_, Dtype::F32)) => {}
                Some((_, dtype)) => {
                    misfits.push(format!("`{name}` is {dtype:?} where the model has F32"));
                }
            }
        }
        misfits.extend(
            found
                .into_keys()
                .map(|name| format!("the model has no `{name}`")),
        );
        if misfits.is_empty() {
            return Ok(());
        }
        let more = match misfits.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        misfits.truncate(NAMED);
        Err(self.refused(format!("{}{more}", misfits.join("; "))))
    }

    /// Shape and type of each.
    fn tensors(&self) -> Result<BTreeMap<String, (Vec<usize>, Dtype)>, SpecError> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes)
            .map_err(|error| self.refused(error.to_string()))?;
        let tensors = header.tensors().into_iter();
        Ok(tensors
            .map(|(name, info)| (name, (info.shape.clone(), info.dtype)))
            .collect())
    }

    fn refused(&self, cause: String) -> SpecError {
        SpecError::Weights {
            path: self.path.clone(),
            cause,
        }
    }
}

/// Reads and writes `model.safetensors`.
fn store(bytes: Option<Vec<u8>>) -> SafetensorsStore {
    // The default metadata are written in random order, which would make equal weights
    // different files. One entry has one order.
    SafetensorsStore::from_bytes(bytes)
        .skip_enum_variants(true)
        .clear_metadata()
        .metadata(LAYOUT.0, LAYOUT.1)
}
