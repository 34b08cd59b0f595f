//! Notes for the user about the files that are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use memchr::memmem;

use super::{
    config::{FIELD, TextConfig},
    corpus::{Corpus, Segment},
    format,
    scan::Scan,
};
use crate::{
    DataError, Tokenizer,
    mixture::shares,
    paths::listed,
    source::{Bytes, Span},
};

/// The most pairs of equal files that are named.
const MAX_NAMED_PAIRS: usize = 3;
/// Number and size of the samples of the validation text that are searched for in the training
/// text, and the largest training text that is searched.
const SAMPLES: u64 = 8;
const SAMPLE_BYTES: usize = 256;
const MAX_SEARCHED_BYTES: u64 = 64 << 20;

/// A number that reading a file found.
type Count = fn(&Scan) -> u64;

/// What was found in the files of a corpus.
pub(super) fn of_files(corpus: &Corpus) -> Result<Vec<String>, DataError> {
    let mut notes = Vec::new();
    let those = |found: &dyn Fn(&Segment) -> bool| {
        let found: Vec<&Path> = (corpus.segments.iter())
            .filter(|segment| found(segment))
            .map(|segment| &*segment.origin)
            .collect();
        (!found.is_empty()).then(|| (listed(found.iter().copied()), found.len()))
    };
    if let Some((names, count)) = those(&|one| format::is_table(&one.origin)) {
        let (is, its) = if count == 1 {
            ("is a table", "its")
        } else {
            ("are tables", "their")
        };
        notes.push(format!(
            "{names} {is}: {its} lines are trained as they are, with the marks between columns"
        ));
    }
    if let Some((names, _)) = those(&|one| one.scan.mark > 0) {
        notes.push(format!(
            "the byte order mark at the start of {names} is left out"
        ));
    }
    for segment in &corpus.segments {
        if let Some((at, count)) = segment.scan.later_marks {
            let line = segment.line(at - segment.scan.mark)?;
            let marks = if count == 1 {
                "byte order mark"
            } else {
                "byte order marks"
            };
            notes.push(format!(
                "`{}` has {count} {marks} (U+FEFF) inside the text, the first in line {line}, as files have that were put together from others: trained as they are",
                segment.origin.display()
            ));
        }
    }
    let line_ends: [(Count, &str); 2] = [
        (
            |scan| scan.crlf,
            "CR LF, as on Windows: both bytes are trained; `sed -i 's/\\r$//' FILE` takes the CR out",
        ),
        (
            |scan| scan.cr,
            "CR alone, as on old Macs: it is trained as it is; `tr '\\r' '\\n' < FILE` writes LF in its place",
        ),
    ];
    for (count, what) in line_ends {
        if let Some((names, _)) = those(&|one| count(&one.scan) > 0) {
            let lines: u64 = corpus.segments.iter().map(|one| count(&one.scan)).sum();
            let lines = if lines == 1 {
                "1 line ends".to_owned()
            } else {
                format!("{lines} lines end")
            };
            notes.push(format!("in {names} {lines} with {what}"));
        }
    }
    if let Some((names, _)) = those(&|one| one.scan.is_cut_off) {
        notes.push(format!("{names}: the last character is cut off"));
    }
    notes.extend(doubles(corpus)?);
    Ok(notes)
}

/// Files of one corpus with the same bytes.
fn doubles(corpus: &Corpus) -> Result<Vec<String>, DataError> {
    let mut by_len: BTreeMap<u64, Vec<&Segment>> = BTreeMap::new();
    for segment in &corpus.segments {
        by_len.entry(segment.len).or_default().push(segment);
    }
    let mut pairs = Vec::new();
    for alike in by_len.into_values().filter(|alike| alike.len() > 1) {
        let mut first = BTreeMap::new();
        for segment in alike {
            let known = first.entry(segment.fingerprint()?).or_insert(segment);
            if known.start < segment.start {
                pairs.push((known.origin.display(), segment.origin.display()));
            }
        }
    }
    let more = pairs.len().saturating_sub(MAX_NAMED_PAIRS);
    let mut notes: Vec<String> = (pairs.iter().take(MAX_NAMED_PAIRS))
        .map(|(first, second)| {
            format!(
                "`{second}` has the same bytes as `{first}`: if one is in the validation part, that measures what was learned by heart"
            )
        })
        .collect();
    if more > 0 {
        notes.push(format!("{more} more files have the bytes of another"));
    }
    Ok(notes)
}

/// The first training and validation file with the same bytes.
fn copied<'a>(
    train: &'a Corpus,
    valid: &'a Corpus,
) -> Result<Option<(&'a Path, &'a Path)>, DataError> {
    let lens: BTreeSet<u64> = valid.segments.iter().map(|segment| segment.len).collect();
    let mut known = BTreeMap::new();
    for segment in train.segments.iter().filter(|one| lens.contains(&one.len)) {
        known.insert((segment.len, segment.fingerprint()?), &segment.origin);
    }
    let lens: BTreeSet<u64> = known.keys().map(|(len, _)| *len).collect();
    for segment in valid.segments.iter().filter(|one| lens.contains(&one.len)) {
        if let Some(origin) = known.get(&(segment.len, segment.fingerprint()?)) {
            return Ok(Some((origin, &segment.origin)));
        }
    }
    let is_same = train.len() == valid.len() && train.fingerprint()? == valid.fingerprint()?;
    Ok(is_same.then(|| (&*train.segments[0].origin, &*valid.segments[0].origin)))
}

/// Refuses validation files with the same bytes as training files, and notes validation text that
/// also occurs in the training text.
pub(super) fn of_validation(train: &Corpus, valid: &Corpus) -> Result<Vec<String>, DataError> {
    if let Some((train, valid)) = copied(train, valid)? {
        let (train, valid) = (train.to_owned(), valid.to_owned());
        return Err(DataError::Copied { valid, train });
    }
    let found = samples_found(train, valid)?;
    Ok((found > 0)
        .then(|| {
            format!(
                "{found} of {SAMPLES} samples of {SAMPLE_BYTES} bytes of the validation text stand word for word in the training text: where the two overlap, the validation measures what was learned by heart"
            )
        })
        .into_iter()
        .collect())
}

/// How many samples of the validation text occur in the training text.
fn samples_found(train: &Corpus, valid: &Corpus) -> Result<u64, DataError> {
    let most = valid.len().saturating_sub(SAMPLE_BYTES as u64);
    if most == 0 || train.len() > MAX_SEARCHED_BYTES {
        return Ok(0);
    }
    let mut text = vec![0; train.len() as usize];
    train.read(0, &mut text)?;
    let mut found = 0;
    let mut sample = vec![0; SAMPLE_BYTES];
    for number in 0..SAMPLES {
        valid.read(most * number / (SAMPLES - 1), &mut sample)?;
        found += u64::from(memmem::find(&text, &sample).is_some());
    }
    Ok(found)
}

/// The number of files, and those that the validation part at their end consists of.
pub(super) fn of_split(corpus: &Corpus, valid: &Span) -> Option<String> {
    let bytes: u64 = corpus.segments.iter().map(|segment| segment.len).sum();
    let count = corpus.segments.len();
    if count < 2 {
        return None;
    }
    let files = corpus.files_within(&(valid.start()..valid.start() + valid.len()));
    let (first, rest) = files.split_first()?;
    let (segment, read) = *first;
    let name = segment.origin.display();
    let mut what = if read == segment.len {
        format!("all of `{name}`")
    } else {
        format!("the last {read} of {} bytes of `{name}`", segment.len)
    };
    if !rest.is_empty() {
        let rest = listed(rest.iter().map(|(segment, _)| &*segment.origin));
        what = format!("{what} and all of {rest}");
    }
    Some(format!(
        "{count} files with {bytes} bytes are read, in this order: {}; the validation part is {what}",
        listed(corpus.segments.iter().map(|segment| &*segment.origin))
    ))
}

/// The numbers of training and validation files, where the latter are named.
pub(super) fn of_count(train: &Corpus, valid: &Corpus) -> Option<String> {
    let count = |corpus: &Corpus| match corpus.segments.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let is_worth_it = train.segments.len() + valid.segments.len() > 2;
    is_worth_it.then(|| {
        format!(
            "{} with {} bytes for training, {} with {} bytes for validation",
            count(train),
            train.len(),
            count(valid),
            valid.len()
        )
    })
}

/// From which source how many of the training rows are; of each its name, its weight and the bytes
/// of its training part.
pub(super) fn of_mixture(sources: &[(&str, f64, u64)]) -> String {
    let shares = shares(sources.iter().map(|(_, weight, _)| *weight));
    let parts: Vec<String> = (sources.iter().zip(shares))
        .map(|((name, _, bytes), share)| format!("{:.1}% of {name} ({bytes} bytes)", 100.0 * share))
        .collect();
    format!("training rows are drawn by weight: {}", parts.join(", "))
}

/// A note on a separator that is not used, or that is not one token.
pub(super) fn of_separator(
    corpora: &[&Corpus],
    tokenizer: &Tokenizer,
) -> Result<Option<String>, DataError> {
    let separator = corpora.first().map_or(&[][..], |corpus| corpus.separator());
    if separator.is_empty() {
        return Ok(None);
    }
    let quoted = String::from_utf8_lossy(separator);
    if corpora.iter().all(|corpus| corpus.document_count() == 1) {
        return Ok(Some(format!(
            "the separator {quoted:?} is used between files and records, and there is one text"
        )));
    }
    let tokens = tokenizer.separator(separator)?.len();
    Ok((tokens > 1 && tokenizer.fingerprint().is_some()).then(|| {
        format!(
            "the separator {quoted:?} is {tokens} tokens, because the tokenizer has no token for it"
        )
    }))
}

/// A note on a name of a field that no file has.
pub(super) fn of_field(corpora: &[&Corpus], config: &TextConfig) -> Option<String> {
    let mut files = corpora.iter().flat_map(|corpus| &corpus.segments);
    let is_read = config.field == FIELD || files.any(Segment::has_records);
    (!is_read).then(|| {
        format!(
            "field = {:?} is of JSON lines and Parquet files, and no file is read as such",
            config.field
        )
    })
}
