//! The file of a state: safetensors, with what the tensors do not say in its metadata.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use burn::tensor::TensorData;
use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{NamedState, StateError, StateOrigin};

/// The only entry of the metadata, for several would be written in random order. It is also the
/// name of the schema.
const FACTS: &str = "miras_state";
/// The version of the schema.
const VERSION: u32 = 1;

/// What the tensors do not say, written as TOML.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    version: u32,
    rows: usize,
    position: usize,
    /// SHA-256 of names, shapes and values.
    content: String,
    /// SHA-256 of the other facts; none in the file of an earlier program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
    /// None where the checkpoint that it is in says so.
    origin: Option<StateOrigin>,
}

impl Facts {
    /// What [`seal`](Self::seal) is to be.
    fn checksum(&self) -> String {
        let origin = (self.origin.as_ref()).map_or_else(String::new, |origin| {
            format!(" {} {} {}", origin.weights, origin.step, origin.run)
        });
        let facts = format!("{} {} {}{origin}", self.rows, self.position, self.content);
        hex(&Sha256::digest(facts))
    }
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The values of a tensor as they stand in the file.
struct Stored {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl NamedState {
    /// The name of the files' schema.
    pub const SCHEMA: &'static str = FACTS;
    /// Its version.
    pub const VERSION: u32 = VERSION;

    /// The content of a file; equal states give equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StateError> {
        let mut tensors = Vec::with_capacity(self.tensors.len());
        for (name, data) in &self.tensors {
            let data = data.clone().convert::<f32>();
            let floats = data.as_slice::<f32>().map_err(failed)?;
            tensors.push(Stored {
                name: name.clone(),
                shape: data.shape().to_vec(),
                bytes: floats.iter().flat_map(|x| x.to_le_bytes()).collect(),
            });
        }
        let mut facts = Facts {
            version: VERSION,
            rows: self.rows,
            position: self.position,
            content: checksum(&tensors),
            seal: None,
            origin: self.origin.clone(),
        };
        facts.seal = Some(facts.checksum());
        let facts = toml::to_string(&facts).map_err(failed)?;
        let views = (tensors.iter())
            .map(|Stored { name, shape, bytes }| {
                let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?;
                Ok((name.as_str(), view))
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        let metadata = HashMap::from([(FACTS.to_owned(), facts)]);
        serialize(views, Some(metadata)).map_err(failed)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(failed)?;
        let facts = (header.metadata().as_ref())
            .and_then(|metadata| metadata.get(FACTS))
            .ok_or_else(|| failed(format!("its metadata have no `{FACTS}`")))?;
        let Version { version } = toml::from_str(facts).map_err(failed)?;
        if version != VERSION {
            return Err(StateError::Version {
                found: version,
                known: VERSION,
            });
        }
        let facts: Facts = toml::from_str(facts).map_err(failed)?;
        let tensors = stored(bytes)?;
        let are_facts = (facts.seal.as_ref()).is_none_or(|known| *known == facts.checksum());
        if facts.content != checksum(&tensors) || !are_facts {
            return Err(StateError::Content);
        }
        let tensors = tensors.into_iter().map(|Stored { name, shape, bytes }| {
            let (values, _) = bytes.as_chunks();
            let values: Vec<f32> = values
                .iter()
                .map(|four| f32::from_le_bytes(*four))
                .collect();
            (name, TensorData::new(values, shape))
        });
        Ok(Self {
            rows: facts.rows,
            position: facts.position,
            origin: facts.origin,
            tensors: tensors.collect::<BTreeMap<_, _>>(),
        })
    }
}

/// The tensors of a file, sorted by name.
fn stored(bytes: &[u8]) -> Result<Vec<Stored>, StateError> {
    let file = SafeTensors::deserialize(bytes).map_err(failed)?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            let dtype = view.dtype();
            return Err(failed(format!("`{name}` is of type {dtype:?}, not F32")));
        }
        tensors.push(Stored {
            name: name.to_owned(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

fn checksum(tensors: &[Stored]) -> String {
    let mut hash = Sha256::new();
    for Stored { name, shape, bytes } in tensors {
        hash.update(format!("{name} {shape:?}\n"));
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn failed(cause: impl ToString) -> StateError {
    StateError::File(cause.to_string())
}
