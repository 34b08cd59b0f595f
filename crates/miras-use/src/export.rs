//! Weights outside of a run.

use std::env;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use miras_data::{Targets, byte_tokenizer_files};
use miras_run::{AtomicFile, Export, Exported, RunError, RunFolder, sha256_hex};
use miras_spec::{SpecError, Weights, tokenizer_files, with_stored_tokenizer};

use crate::{Trained, UseError};

/// Writes weights, configuration, tokenizer and `export.json` into a folder that is new or empty;
/// a failure or a kill leaves it as it was.
pub fn export(trained: &Trained, out: &Path) -> Result<Export, UseError> {
    is_free(out)?;
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
        data: trained.data()?,
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

/// Writes the tokenizer of a run whose tokens are bytes into a folder that is new or empty, as
/// programs that use Hugging Face's tokenizers read it. Gives the separator of the run if it has no
/// token.
pub fn export_tokenizer<'a>(trained: &'a Trained, out: &Path) -> Result<Option<&'a str>, UseError> {
    is_free(out)?;
    let tokenizer = trained.tokenizer()?;
    if trained.config.data.targets() == Targets::Bases {
        let message = format!(
            "the tokens of run `{}` are nucleotides, for which other programs have no form: their \
             numbers are in docs/config.md",
            trained.origin.run
        );
        return Err(UseError::Usage(message));
    }
    if !tokenizer.is_bytes() {
        let message = format!(
            "the tokens of run `{}` are not bytes, and its tokenizer is such files already: copy \
             {}",
            trained.origin.run,
            trained.folder.join("tokenizer").display()
        );
        return Err(UseError::Usage(message));
    }
    let separator = trained.separator();
    fs::create_dir_all(out).map_err(RunError::io("make", out))?;
    for (name, content) in byte_tokenizer_files(separator.unwrap_or_default().as_bytes()) {
        let path = out.join(name);
        let mut file = AtomicFile::create(&path)?;
        (file.write_all(&content)).map_err(RunError::io("write", &path))?;
        file.finish()?;
    }
    Ok(separator.filter(|separator| separator.len() > 1))
}

/// Refuses a folder that has something in it, or that someone works in.
fn is_free(out: &Path) -> Result<(), UseError> {
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
    Ok(())
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
