//! Data sets of the Hugging Face Hub, by name: `hf://OWNER/NAME[@REVISION][/PATTERN]`.

use std::path::PathBuf;

use crate::DataError;

/// The files of a data set, and what is to be said of them.
///
/// # Errors
/// If the name has another form, if there is no such data set or file, and if the hub is not reached.
/// In a build without the feature `hub` always.
pub(super) fn files(
    field: &'static str,
    given: &str,
) -> Result<(Vec<PathBuf>, Option<String>), DataError> {
    found(given).map_err(|why| DataError::Hub {
        field,
        given: given.to_owned(),
        why,
    })
}

#[cfg(not(feature = "hub"))]
fn found(_: &str) -> Result<(Vec<PathBuf>, Option<String>), String> {
    let why = "is a data set of the Hugging Face Hub, which this build does not download: build with \
               `--features hub`, or download it and name the folder of its files";
    Err(why.to_owned())
}

#[cfg(feature = "hub")]
use with_downloads::found;

#[cfg(feature = "hub")]
mod with_downloads {
    use std::path::PathBuf;

    use glob::Pattern;
    use hf_hub::{
        Repo, RepoType,
        api::sync::{ApiBuilder, ApiError, ApiRepo},
    };
    use miras_config::did_you_mean;

    use crate::{
        packing::unpacked_name,
        paths::{HUB, MATCH},
    };

    /// The endings of files with data that are read here.
    const ENDINGS: [&str; 9] = [
        "txt", "jsonl", "ndjson", "parquet", "fa", "fna", "fasta", "csv", "tsv",
    ];

    /// How many files a message names.
    const MOST: usize = 8;

    /// The parts of a name.
    struct Name<'a> {
        repo: &'a str,
        revision: &'a str,
        pattern: Option<&'a str>,
    }

    impl<'a> Name<'a> {
        fn of(given: &'a str) -> Option<Self> {
            let rest = given.strip_prefix(HUB)?;
            let (owner, rest) = rest.split_once('/')?;
            let (name, pattern) = match rest.split_once('/') {
                Some((name, pattern)) => (name, Some(pattern)),
                None => (rest, None),
            };
            let repo_ends = HUB.len() + owner.len() + 1;
            let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
            let parts = [owner, name, revision];
            if parts.contains(&"") || pattern == Some("") {
                return None;
            }
            let repo = &given[HUB.len()..repo_ends + name.len()];
            Some(Self {
                repo,
                revision,
                pattern,
            })
        }
    }

    pub(super) fn found(given: &str) -> Result<(Vec<PathBuf>, Option<String>), String> {
        let Some(name) = Name::of(given) else {
            return Err(format!(
                "has another form than `{HUB}OWNER/NAME[@REVISION][/FILES]`, where FILES is a file of \
                 it or a pattern such as `data/train-*.parquet`"
            ));
        };
        let reached = |error: ApiError| why(error, &name);
        let hub = ApiBuilder::from_env().build().map_err(reached)?;
        let (repo, revision) = (name.repo.to_owned(), name.revision.to_owned());
        let repo = hub.repo(Repo::with_revision(repo, RepoType::Dataset, revision));
        let info = repo.info().map_err(reached)?;
        let mut all: Vec<String> = info.siblings.into_iter().map(|one| one.rfilename).collect();
        all.sort();
        let (wanted, note) = wanted(&name, given, &all)?;
        let files = wanted.iter().map(|file| download(&repo, file, &name));
        Ok((files.collect::<Result<_, _>>()?, note))
    }

    /// Downloads a file, unless the cache of the hub's own programs has it.
    fn download(repo: &ApiRepo, file: &str, name: &Name) -> Result<PathBuf, String> {
        (repo.get(file)).map_err(|error| format!("{file}: {}", why(error, name)))
    }

    /// The files that are named; without a pattern those with data, and of these those for training if
    /// some say that they are.
    fn wanted<'a>(
        name: &Name,
        given: &str,
        all: &'a [String],
    ) -> Result<(Vec<&'a str>, Option<String>), String> {
        let data: Vec<&str> = (all.iter().map(String::as_str))
            .filter(|file| has_data(file))
            .collect();
        if let Some(pattern) = name.pattern {
            let matches = Pattern::new(pattern)
                .map_err(|error| format!("is not a valid pattern: {}", error.msg))?;
            let is = |file: &&str| *file == pattern || matches.matches_with(file, MATCH);
            let files: Vec<&str> = all.iter().map(String::as_str).filter(is).collect();
            if files.is_empty() {
                let hint = did_you_mean(pattern, data.iter().copied());
                let hint = hint.map_or_else(
                    || format!("; it has {}", listed(&data)),
                    |hint| format!(": did you mean `{hint}`?"),
                );
                return Err(format!("names no file of {}{hint}", name.repo));
            }
            return Ok((files, None));
        }
        if data.is_empty() {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            return Err(format!(
                "has no file of text, .jsonl, .parquet, FASTA or .csv; it has {}",
                listed(&all)
            ));
        }
        let train: Vec<&str> = (data.iter().copied())
            .filter(|file| file.to_lowercase().contains("train"))
            .collect();
        if train.is_empty() || train.len() == data.len() {
            return Ok((data, None));
        }
        let note = format!(
            "`{given}`: {} of its {} files are read, those with `train` in their names; name others \
             with a pattern behind it, such as `{given}/{}`",
            train.len(),
            data.len(),
            data[0]
        );
        Ok((train, Some(note)))
    }

    fn has_data(file: &str) -> bool {
        let name = unpacked_name(file.as_ref());
        let ending = name.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ENDINGS.contains(&ending))
    }

    fn listed(files: &[&str]) -> String {
        match files {
            [] => "none with data".to_owned(),
            files if files.len() <= MOST => files.join(", "),
            files => format!(
                "{} and {} more",
                files[..MOST].join(", "),
                files.len() - MOST
            ),
        }
    }

    fn why(error: ApiError, name: &Name) -> String {
        let error = match error {
            ApiError::TooManyRetries(error) => *error,
            error => error,
        };
        if let ApiError::RequestError(cause) = &error
            && let ureq::Error::StatusCode(status @ (401 | 403 | 404)) = **cause
        {
            return format!(
                "is not to be had ({status}): there is no data set {} with a revision {} or no such \
                 file, or it asks for a token, which `hf auth login` stores",
                name.repo, name.revision
            );
        }
        format!(
            "cannot be downloaded: {error}; download it where the hub is reached, and name the folder \
             of its files"
        )
    }
}
