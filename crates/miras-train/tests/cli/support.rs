//! A folder to run the program in, and what came of it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// Any text, in an expected one: lists of names grow with the program.
const WILD: &str = "[..]";

/// A model and a run as small as they get: a step takes milliseconds.
pub(crate) const TINY: &str = r#"mixer.heads = 2
[model]
dim = 16
layers = 1

[memory]
kind = "mlp"
expansion = 2

[data]
seq_len = 32

[train]
steps = 4
batch = 2

[eval]
every = 2
tokens = 64

[checkpoint]
every = 2
"#;

/// A folder that is removed at the end of the test.
pub(crate) struct Dir(TempDir);

impl Dir {
    /// Asks a run that was trained for another task than language modelling for what is about text.
    pub(crate) fn refuses_text(&self, run: &str, task: &str) {
        self.file(
            "lines.jsonl",
            "{\"context\": \"A\", \"continuation\": \"C\"}\n",
        );
        for words in [
            "generate RUN ACG",
            "score RUN lines.jsonl",
            "serve RUN --port 0",
            "tokenizer RUN --out tokenizer",
            "eval RUN --length 12",
            "eval RUN --ngram 2",
            "eval RUN --task lambada=lines.jsonl",
        ] {
            self.run(&words.replace("RUN", run)).refused(&format!(
                "error: run `{run}` was trained for task.kind = \"{task}\", which neither reads nor writes on a text: [..] for language models; `miras-train eval {run}` measures this one[..]"
            ));
        }
    }

    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// With `tiny.toml` in it.
    pub(crate) fn tiny() -> Self {
        let dir = Self::new();
        dir.file("tiny.toml", TINY);
        dir
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    /// The program with these words, which hold no blanks themselves.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = program();
        command
            .current_dir(self.path())
            .args(words.split_whitespace());
        command
    }

    /// Runs the program with these words.
    pub(crate) fn run(&self, words: &str) -> Ran {
        let output = self.command(words).output().unwrap();
        Ran::new(words, &output, self.path())
    }
}

/// The program, deaf to the settings of whoever runs the tests.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_miras-train"));
    // Not as if `cargo run` had started it.
    command.env_remove("RUST_BACKTRACE").env_remove("CARGO");
    command.stdin(Stdio::null());
    command
}

/// What came of a command; the folder's path is written as `[DIR]`.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) words: String,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn new(words: impl AsRef<OsStr>, output: &Output, dir: &Path) -> Self {
        let real = fs::canonicalize(dir).unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let text = text.replace(&*real.to_string_lossy(), "[DIR]");
            text.replace(&*dir.to_string_lossy(), "[DIR]")
        };
        Self {
            words: words.as_ref().to_string_lossy().into_owned(),
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn done(self) -> Self {
        self.ended(0)
    }

    /// Refused with exactly this text on the error stream.
    #[track_caller]
    pub(crate) fn refused(self, expected: &str) {
        let ran = self.ended(2);
        let (err, expected) = (ran.err.trim_end(), expected.trim_end());
        assert!(
            is_like(err, expected),
            "`{}` said\n{err}\n\nexpected\n{expected}\n",
            ran.words
        );
        assert_eq!(ran.out, "", "{}", ran.words);
    }
}

fn is_like(text: &str, expected: &str) -> bool {
    let mut pieces = expected.split(WILD);
    let Some(mut rest) = pieces.next().and_then(|piece| text.strip_prefix(piece)) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = if piece.is_empty() { rest } else { after };
        last = Some(piece);
    }
    rest.is_empty() || last == Some("")
}

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
