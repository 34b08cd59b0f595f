//! File formats that are not plain text.
//!
//! A format is recognised by the name of a file or by its first bytes. Of records (JSON, Parquet,
//! Arrow) the braces and names would be trained too, of compressed files only noise, so both are
//! refused, and the error says what to do.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::scan::Flaw;
use crate::paths::{in_shell, is_compressed};

/// A format that is not plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// Its name in a sentence: "`a.jsonl` is ...".
    what: &'static str,
    /// Extensions of its files, in lower case.
    endings: &'static [&'static str],
    /// Bytes that its files begin with.
    starts: &'static [&'static [u8]],
    remedy: Remedy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// Records, from which `jq` extracts the texts.
    Json,
    /// Columns, one of which holds the texts; a function of pandas reads them.
    Columns(&'static str),
    /// A compressed file, and the program that decompresses it.
    Unpack(&'static str),
    /// A document, and the program that extracts its text.
    Extract(&'static str),
}

const JSON_LINES: Format = Format {
    what: "JSON lines",
    endings: &["jsonl", "ndjson"],
    starts: &[],
    remedy: Remedy::Json,
};

const JSON: Format = Format {
    what: "JSON",
    endings: &["json"],
    starts: &[],
    remedy: Remedy::Json,
};

const FORMATS: &[Format] = &[
    JSON_LINES,
    JSON,
    Format {
        what: "a Parquet file",
        endings: &["parquet"],
        starts: &[b"PAR1"],
        remedy: Remedy::Columns("read_parquet"),
    },
    Format {
        what: "an Arrow file",
        endings: &["arrow", "feather"],
        starts: &[b"ARROW1", b"\xff\xff\xff\xff"],
        remedy: Remedy::Columns("read_feather"),
    },
    Format {
        what: "a zip archive",
        endings: &[],
        starts: &[b"PK\x03\x04"],
        remedy: Remedy::Unpack("unzip"),
    },
    Format {
        what: "compressed with gzip under a name that does not end in .gz",
        endings: &[],
        starts: &[b"\x1f\x8b"],
        remedy: Remedy::Unpack("gunzip"),
    },
    Format {
        what: "compressed with zstd (only .gz is unpacked)",
        endings: &[],
        starts: &[b"\x28\xb5\x2f\xfd"],
        remedy: Remedy::Unpack("unzstd"),
    },
    Format {
        what: "compressed with xz (only .gz is unpacked)",
        endings: &[],
        starts: &[b"\xfd7zXZ"],
        remedy: Remedy::Unpack("unxz"),
    },
    Format {
        what: "compressed with bzip2 (only .gz is unpacked)",
        endings: &[],
        starts: &[b"BZh"],
        remedy: Remedy::Unpack("bunzip2"),
    },
    Format {
        what: "a PDF",
        endings: &["pdf"],
        starts: &[b"%PDF-"],
        remedy: Remedy::Extract("pdftotext"),
    },
];

/// Whether a file is a table as text, which is read, with a note.
pub(super) fn is_table(path: &Path) -> bool {
    matches!(ending(path).as_str(), "csv" | "tsv")
}

impl Format {
    /// The format by the name of a file, with or without `.gz`.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        let ending = ending(path);
        let mut formats = FORMATS.iter();
        formats
            .find(|format| format.endings.contains(&&*ending))
            .copied()
    }

    /// The format by the first bytes of a file; `is_whole` if these are all of it.
    pub(super) fn of_start(head: &[u8], is_whole: bool) -> Option<Self> {
        let begins = |format: &&Self| format.starts.iter().any(|start| head.starts_with(start));
        let by_mark = FORMATS.iter().find(begins).copied();
        // Prose may begin with the same letters, but a compressed file has bytes that text lacks.
        let looks_like_text = || !head.contains(&0) && str::from_utf8(head).is_ok();
        let is_printed = |format: &Self| format.starts.iter().any(|start| start.is_ascii());
        by_mark
            .filter(|format| !is_printed(format) || !looks_like_text())
            .or_else(|| json(head, is_whole))
    }

    /// Why a file is refused, and what to do.
    pub(super) fn refusal(self, path: &Path, head: &[u8]) -> String {
        let what = self.what;
        let (from, to) = (in_shell(path), in_shell(beside(path, "txt")));
        let cat = if is_compressed(path) { "zcat" } else { "cat" };
        match self.remedy {
            Remedy::Json => {
                let filter = jq(head);
                let command = if is_compressed(path) {
                    format!("zcat {from} | jq -r {filter} > {to}")
                } else {
                    format!("jq -r {filter} {from} > {to}")
                };
                format!(
                    "is {what}, and its braces, names and escapes would be trained as text: \
                     there is no reader of records yet, so write the texts to a file first, as \
                     `{command}` does"
                )
            }
            Remedy::Columns(reader) => format!(
                "is {what}, and there is no reader of columns yet: write the texts to a file \
                 first, as `python3 -c 'import pandas, sys; print(*pandas.{reader}(sys.argv[1])\
                 [\"text\"], sep=\"\\n\")' {from} > {to}` does for a column \"text\""
            ),
            Remedy::Unpack(program) => {
                format!("is {what}: unpack it first, as by `{program} {from}`")
            }
            Remedy::Extract(program) if cat == "cat" => {
                format!("is {what}: take its text out first, as by `{program} {from} {to}`")
            }
            Remedy::Extract(program) => {
                format!("is {what}: unpack it and take its text out first, with {program}")
            }
        }
    }
}

/// Why a file with such a byte is refused, and what to do; `head` is the file's start, `rest` what
/// begins with the byte, and `line` its line.
pub(super) fn not_text(path: &Path, (head, rest): (&[u8], &[u8]), flaw: Flaw, line: u64) -> String {
    let (from, to) = (in_shell(path), in_shell(beside(path, "utf8.txt")));
    let convert = |encoding: &str| {
        if is_compressed(path) {
            format!("`zcat {from} | iconv -f {encoding} -t UTF-8 > {to}`")
        } else {
            format!("`iconv -f {encoding} -t UTF-8 {from} > {to}`")
        }
    };
    let (Flaw::Nul { at } | Flaw::Invalid { at, .. }) = flaw;
    let from_here_on = match flaw {
        // A NUL is the first or the second half of a character: nothing tells which.
        Flaw::Nul { .. } => marked_encoding(rest),
        Flaw::Invalid { .. } => wide_encoding(rest),
    };
    let whole = wide_encoding(head).filter(|_| at == 0 || marked_encoding(rest).is_none());
    if let Some(encoding) = whole {
        let name = encoding.trim_end_matches(['L', 'B', 'E']);
        let command = convert(encoding);
        return format!("is {name}, and UTF-8 is what is read: convert it, as by {command}");
    }
    if let Some(encoding) = from_here_on {
        let name = encoding.trim_end_matches(['L', 'B', 'E']);
        let read = if is_compressed(path) { "zcat" } else { "cat" };
        return format!(
            "is UTF-8 up to byte {at} (line {line}) and {name} from there on, as files have that \
             were put together from others: convert the rest, as by `( {read} {from} | head -c \
             {at}; {read} {from} | tail -c +{} | iconv -f {encoding} -t UTF-8 ) > {to}`",
            at + 1
        );
    }
    match flaw {
        Flaw::Nul { at } => {
            format!("holds NUL bytes, the first at byte {at} (line {line}), so it is no text")
        }
        Flaw::Invalid { at, byte } => {
            // Windows-1252 uses bytes that Latin-1 does not.
            let (encoding, name) = if (0x80..0xA0).contains(&byte) {
                ("WINDOWS-1252", "Windows-1252")
            } else {
                ("LATIN1", "Latin-1")
            };
            let command = convert(encoding);
            format!(
                "is not UTF-8 text: line {line} has the byte 0x{byte:02X} at byte {at} of the \
                 file; if it is {name}, {command} converts it"
            )
        }
    }
}

/// The encoding of a text whose characters are two or four bytes each, as iconv calls it.
fn wide_encoding(text: &[u8]) -> Option<&'static str> {
    if let Some(marked) = marked_encoding(text) {
        return Some(marked);
    }
    // Without a byte order mark: where most characters are ASCII, every other byte is 0.
    let zeros = |first: usize| {
        let all = text.iter().skip(first).step_by(2);
        all.filter(|byte| **byte == 0).count()
    };
    let (even, odd, pairs) = (zeros(0), zeros(1), text.len() / 2);
    match pairs {
        0..4 => None,
        _ if odd * 4 > pairs * 3 && even * 20 < pairs => Some("UTF-16LE"),
        _ if even * 4 > pairs * 3 && odd * 20 < pairs => Some("UTF-16BE"),
        _ => None,
    }
}

/// The same by a byte order mark.
fn marked_encoding(text: &[u8]) -> Option<&'static str> {
    let starts_with = |marks: [&[u8]; 2]| marks.iter().any(|mark| text.starts_with(mark));
    if starts_with([b"\xff\xfe\0\0", b"\0\0\xfe\xff"]) {
        return Some("UTF-32");
    }
    starts_with([b"\xff\xfe", b"\xfe\xff"]).then_some("UTF-16")
}

/// Recognises JSON by its first bytes: consecutive records, one table, or a list of tables or
/// texts.
fn json(head: &[u8], is_whole: bool) -> Option<Format> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let start = head.trim_ascii_start();
    let is_list = start.first() == Some(&b'[');
    let first = if is_list {
        start[1..].trim_ascii_start().first()
    } else {
        start.first()
    };
    let of_list = is_list && matches!(first, Some(b'"' | b'['));
    if first != Some(&b'{') && !of_list {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(start).into_iter::<Value>();
    let mut count = 0;
    loop {
        match values.next() {
            Some(Ok(Value::Object(_) | Value::Array(_))) => count += 1,
            None => break,
            // The head ends inside a value, or the file inside its last record.
            Some(Err(error)) if error.is_eof() && (count > 0 || !is_whole) => break,
            // A line that is not JSON after lines of JSON.
            Some(_) if count > 1 => break,
            Some(_) => return None,
        }
    }
    let is_lines = count > 1 && !is_list;
    Some(if is_lines { JSON_LINES } else { JSON })
}

/// The `jq` filter for the texts: the field of the first record with the longest text.
fn jq(head: &[u8]) -> String {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = serde_json::Deserializer::from_slice(head)
        .into_iter::<Value>()
        .next();
    let (list, record) = match first {
        Some(Ok(Value::Array(records))) => ("[]", records.into_iter().next()),
        Some(Ok(record)) => ("", Some(record)),
        _ if head.trim_ascii_start().starts_with(b"[") => ("[]", None),
        _ => ("", None),
    };
    if let Some(Value::String(_)) = record {
        return in_shell(format!(".{list}"));
    }
    let texts = record.iter().filter_map(Value::as_object).flatten();
    let texts = texts.filter_map(|(key, value)| Some((key, value.as_str()?.len())));
    let longest = texts.max_by_key(|(key, len)| (*key == "text", *len));
    let key = longest.map_or("text", |(key, _)| key.as_str());
    let is_plain = key.starts_with(|one: char| one.is_ascii_alphabetic() || one == '_')
        && (key.chars()).all(|one| one.is_ascii_alphanumeric() || one == '_');
    in_shell(match (list, is_plain) {
        ("", true) => format!(".{key}"),
        (list, true) => format!(".{list}.{key}"),
        (list, false) => format!(".{list}[{}]", Value::from(key)),
    })
}

/// The extension in lower case, without `.gz`.
fn ending(path: &Path) -> String {
    let plain = without_gz(path);
    let ending = plain.extension().and_then(OsStr::to_str);
    ending.unwrap_or_default().to_lowercase()
}

fn without_gz(path: &Path) -> PathBuf {
    if is_compressed(path) {
        path.with_extension("")
    } else {
        path.to_owned()
    }
}

/// A file in the same folder with the same name except for the extension.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let new = without_gz(path).with_extension(ending);
    if new == without_gz(path) {
        return new.with_extension(format!("texts.{ending}"));
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_first_bytes_and_prose_is_not() {
        let long = format!("{{\"text\": \"{}", "a word ".repeat(100));
        for (text, is_whole, expected) in [
            ("{\"a\": 1}\n{\"a\": 2}\n", true, Some(JSON_LINES)),
            ("\u{feff}{\"a\": 1}\n{\"a\": 2}", true, Some(JSON_LINES)),
            ("{\"a\": 1}\n{\"a\": 2}\n{\"a\":", true, Some(JSON_LINES)),
            ("{\"a\": 1}\n{\"a\": 2}\n# end\n", true, Some(JSON_LINES)),
            ("{\n  \"a\": 1\n}\n", true, Some(JSON)),
            (" [\n {\"a\": 1}, {\"a\": 2}]", true, Some(JSON)),
            (&long, false, Some(JSON)),
            (&long, true, None),
            ("[\"a\", \"b\"]\n", true, Some(JSON)),
            ("[\"Well,\" she said.]", true, None),
            ("[[picture]] of a lamp", true, None),
            ("{", true, None),
            ("{curly} words", true, None),
            ("{\"a\": 1} is how JSON looks.", true, None),
            ("[Illustration] {\"a\": 1}", true, None),
            ("[1]\n[2]\n[3]\n", true, None),
            ("\"Well,\" she said.", true, None),
            ("12 13 14\n", true, None),
            ("", true, None),
        ] {
            let found = Format::of_start(text.as_bytes(), is_whole);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn files_are_known_by_name_and_by_their_marks() {
        for (name, expected) in [
            ("a.jsonl", Some("JSON lines")),
            ("a.JSONL.gz", Some("JSON lines")),
            ("a.ndjson", Some("JSON lines")),
            ("a.json", Some("JSON")),
            ("a.parquet", Some("a Parquet file")),
            ("a.arrow", Some("an Arrow file")),
            ("json", None),
            ("a.json.txt", None),
            ("a.csv", None),
        ] {
            let found = Format::of_name(Path::new(name)).map(|format| format.what);
            assert_eq!(found, expected, "{name}");
        }
        assert!(is_table(Path::new("a.csv")) && is_table(Path::new("a.TSV.gz")));
        for (bytes, expected) in [
            (&b"PAR1\x15\x04\0"[..], Some("a Parquet file")),
            (b"PK\x03\x04\x14\0", Some("a zip archive")),
            (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", Some("a PDF")),
            (b"PAR1S is a city, misspelt.", None),
            (b"BZh is no word.", None),
        ] {
            let found = Format::of_start(bytes, true).map(|format| format.what);
            assert_eq!(found, expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_command_takes_the_longest_text_of_a_record() {
        for (head, expected) in [
            (
                "{\"id\": \"a\", \"context\": \"a long text\"}\n",
                ".context",
            ),
            (
                "{\"meta\": \"a very long text\", \"text\": \"b\"}\n",
                ".text",
            ),
            ("[{\"body\": \"b\"}]", "'.[].body'"),
            ("[\"a\", \"b\"]", "'.[]'"),
            ("{\"my text\": \"b\"}", "'.[\"my text\"]'"),
            ("{\"text\": \"unfini", ".text"),
            ("{\"id\": 1}", ".text"),
        ] {
            assert_eq!(jq(head.as_bytes()), expected, "{head}");
        }
    }

    #[test]
    fn a_command_never_writes_over_the_file_it_reads() {
        for (path, expected) in [
            ("b/a.jsonl", "b/a.txt"),
            ("a.jsonl.gz", "a.txt"),
            ("a.txt", "a.texts.txt"),
            ("a.txt.gz", "a.texts.txt"),
            ("a", "a.txt"),
        ] {
            assert_eq!(beside(Path::new(path), "txt"), Path::new(expected));
        }
    }
}
