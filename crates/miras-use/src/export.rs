//! Weights outside of a run.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use miras_run::{Export, Exported, RunError, RunFolder, sha256_hex};
use miras_spec::{SpecError, Weights, tokenizer_files, with_stored_tokenizer};

use crate::{Trained, UseError};

/// Writes weights, configuration, tokenizer and `export.json` into a folder that is new or empty;
/// a failure or a kill leaves it as it was.
pub fn export(trained: &Trained, out: &Path) -> Result<Export, UseError> {
    let is_taken = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(cause) => return Err(RunError::io("list", out)(cause).into()),
    };
    if is_taken {
        return Err(UseError::Taken {
            path: out.to_owned(),
        });
    }
    // The folder is put in its place whole, from under whoever works in it.
    if fs::canonicalize(out).is_ok_and(|out| env::current_dir().is_ok_and(|here| here == out)) {
        let message = "--out is the working directory: name a folder in it";
        return Err(UseError::Usage(message.to_owned()));
    }
    let above = trained.folder.parent().unwrap_or(Path::new(""));
    let name = trained.folder.file_name().unwrap_or_default();
    let folder = RunFolder::open_to_read(above, &name.to_string_lossy())?;
    let config = folder.read_config()?;
    let data = &trained.config.data;
    let (data, _) = with_stored_tokenizer(folder.path(), data, data);
    let needed = trained.tokenizer.as_deref();
    let tokenizer = tokenizer_files(&data, needed).map_err(|error| match error {
        SpecError::Data(cause) => trained.without_tokenizer(cause),
        other => other.into(),
    })?;
    let facts = Export {
        data: data_of(&folder)?,
        tokenizer: trained.tokenizer.clone(),
        ..Export::new(&trained.origin.run, trained.origin.step, trained.tokens)
    };
    let files = Exported {
        weights: &weights(trained)?,
        config: &config,
        tokenizer: &tokenizer,
    };
    Ok(facts.write(out, files)?)
}

/// The file of the weights. The checkpoint that it was read from may be gone by now, so it is
/// made of the model; one that another version wrote may differ from that and is read again.
fn weights(trained: &Trained) -> Result<Vec<u8>, UseError> {
    let is_it = |bytes: &[u8]| sha256_hex(bytes) == trained.origin.weights;
    if let Ok(bytes) = Weights::bytes_of(&trained.model)
        && is_it(&bytes)
    {
        return Ok(bytes);
    }
    let path = &trained.weights;
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    if is_it(&bytes) {
        return Ok(bytes);
    }
    Err(UseError::Spec(SpecError::Weights {
        path: path.clone(),
        cause: "they changed while they were exported: try again".to_owned(),
    }))
}

/// What the run, or the export, says that it was trained on.
fn data_of(folder: &RunFolder) -> Result<Option<String>, UseError> {
    if let Some(export) = Export::read(folder.path())? {
        return Ok(export.data);
    }
    match folder.read_record() {
        Ok(record) => Ok(Some(record.data)),
        Err(RunError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
