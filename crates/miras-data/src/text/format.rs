//! File formats that are not plain text.
//!
//! A format is recognised by the name of a file or by its first bytes. Of records (JSON, Parquet,
//! Arrow) the braces and names would be trained too, of compressed files only noise, so both are
//! refused, and the error says what to do. Those that are read, JSON lines and Parquet, come here
//! under another name than theirs.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::scan::Flaw;
use crate::{
    packing::{Packing, unpacked_name},
    paths::in_shell,
};

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
    /// Records or a compressed file that is read if its name ends so.
    Rename(&'static str),
    /// Records, of which `jq` makes JSON lines.
    Json,
    /// Columns, of which pandas makes a Parquet file.
    Columns,
    /// A compressed file, and the program that decompresses it.
    Unpack(&'static str),
    /// A document, and the program that extracts its text.
    Extract(&'static str),
}

const JSON_LINES: Format = Format {
    what: "JSON lines",
    endings: &[],
    starts: &[],
    remedy: Remedy::Rename("jsonl"),
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
        remedy: Remedy::Rename("parquet"),
    },
    Format {
        what: "an Arrow file",
        endings: &["arrow", "feather"],
        starts: &[b"ARROW1", b"\xff\xff\xff\xff"],
        remedy: Remedy::Columns,
    },
    Format {
        what: "a zip archive",
        endings: &[],
        starts: &[b"PK\x03\x04"],
        remedy: Remedy::Unpack("unzip"),
    },
    Format {
        what: "compressed with gzip",
        endings: &[],
        starts: &[b"\x1f\x8b"],
        remedy: Remedy::Rename("gz"),
    },
    Format {
        what: "compressed with zstd",
        endings: &[],
        starts: &[b"\x28\xb5\x2f\xfd"],
        remedy: Remedy::Rename("zst"),
    },
    Format {
        what: "compressed with xz (.gz and .zst are unpacked)",
        endings: &[],
        starts: &[b"\xfd7zXZ"],
        remedy: Remedy::Unpack("unxz"),
    },
    Format {
        what: "compressed with bzip2 (.gz and .zst are unpacked)",
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
    /// The format by the name of a file, compressed or not.
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
        let from = in_shell(path);
        let to = |ending| in_shell(beside(path, ending));
        let packing = Packing::of(path);
        match self.remedy {
            Remedy::Rename(ending) if self::ending(path) == ending => {
                let program = match packing {
                    Some(Packing::Zstd) => "unzstd",
                    _ => "gunzip",
                };
                format!(
                    "is {what} in a compressed one, and has to be read at any place: unpack it \
                     first, as by `{program} {from}`"
                )
            }
            Remedy::Rename(ending) => {
                let is_inside = packing.filter(|packing| ending != packing.ending());
                let name = match is_inside {
                    Some(packing) => in_shell(format!(
                        "{}.{}",
                        beside(path, ending).display(),
                        packing.ending()
                    )),
                    None if ending.len() > 3 => to(ending),
                    None => in_shell(format!("{}.{ending}", path.display())),
                };
                format!(
                    "is {what} under a name that does not end in .{ending}: it is read once it \
                     has such a name, as by `mv {from} {name}`"
                )
            }
            Remedy::Json => {
                let (filter, to) = (in_shell(lines(head)), to("jsonl"));
                let command = match packing {
                    Some(packing) => format!("{} {from} | jq -c {filter} > {to}", packing.cat()),
                    None => format!("jq -c {filter} {from} > {to}"),
                };
                format!(
                    "is {what}, and its braces, names and escapes would be trained as text: make \
                     JSON lines of it, as `{command}` does, whose texts are read"
                )
            }
            Remedy::Columns => format!(
                "is {what}, and there is no reader of these: make a Parquet file of it, as \
                 `python3 -c 'import pandas, sys; pandas.read_feather(sys.argv[1])\
                 .to_parquet(sys.argv[2])' {from} {}` does, whose texts are read",
                to("parquet")
            ),
            Remedy::Unpack(program) => {
                format!("is {what}: unpack it first, as by `{program} {from}`")
            }
            Remedy::Extract(program) if packing.is_none() => {
                let to = to("txt");
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
    let convert = |encoding: &str| match Packing::of(path) {
        Some(packing) => {
            let cat = packing.cat();
            format!("`{cat} {from} | iconv -f {encoding} -t UTF-8 > {to}`")
        }
        None => format!("`iconv -f {encoding} -t UTF-8 {from} > {to}`"),
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
        let read = Packing::of(path).map_or("cat", Packing::cat);
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

/// The `jq` filter for the records of a JSON file.
fn lines(head: &[u8]) -> &'static str {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let Some(inside) = head.trim_ascii_start().strip_prefix(b"[") else {
        return ".";
    };
    match inside.trim_ascii_start().first() {
        Some(b'"') => ".[] | {text: .}",
        _ => ".[]",
    }
}

/// The extension in lower case, that of a compressed file before the one that says so.
pub(super) fn ending(path: &Path) -> String {
    let plain = unpacked_name(path);
    let ending = plain.extension().and_then(OsStr::to_str);
    ending.unwrap_or_default().to_lowercase()
}

/// A file in the same folder with the same name except for the extension.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let new = unpacked_name(path).with_extension(ending);
    if new == unpacked_name(path) {
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
            ("a.json", Some("JSON")),
            ("a.JSON.gz", Some("JSON")),
            ("a.json.zst", Some("JSON")),
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
    fn a_command_never_writes_over_the_file_it_reads() {
        for (path, expected) in [
            ("b/a.jsonl", "b/a.txt"),
            ("a.jsonl.gz", "a.txt"),
            ("a.txt", "a.texts.txt"),
            ("a.txt.gz", "a.texts.txt"),
            ("a.txt.zst", "a.texts.txt"),
            ("a", "a.txt"),
        ] {
            assert_eq!(beside(Path::new(path), "txt"), Path::new(expected));
        }
    }
}
