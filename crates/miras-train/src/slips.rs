//! Words on the command line that are not what they are taken for, and what was meant.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use miras_config::{did_you_mean, present_name};
use miras_registry::Registry;
use miras_run::shell_word;
use miras_spec::RunConfig;

use crate::{layers::LIBRARY, usage::Usage};

/// Commands of other programs, and ours.
const COMMANDS: &[(&str, &str)] = &[
    ("train", "run"),
    ("fit", "run"),
    ("start", "run"),
    ("runs", "ls"),
    ("list", "ls"),
    ("models", "presets"),
    ("configs", "presets"),
    ("evaluate", "eval"),
    ("test", "eval"),
    ("sample", "generate"),
    ("chat", "generate"),
    ("complete", "generate"),
    ("validate", "check"),
    ("config", "show"),
    ("info", "doctor"),
    ("benchmark", "bench"),
];
/// Commands that take `--set` for any key.
const SETTERS: [&str; 6] = ["run", "check", "show", "estimate", "bench", "sweep"];
/// At most so many keys are named.
const MOST: usize = 3;

/// What was meant by words that cannot be parsed, if that can be told.
pub(crate) fn explain(error: &clap::Error, words: &[String]) -> Option<Usage> {
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = invalid(error, ContextKind::InvalidArg)?;
            let usage = |help| Usage::new(format!("unexpected argument `{word}`")).help(Some(help));
            if let Some(help) = step_apart(words.iter().cloned()) {
                return Some(usage(help));
            }
            let command = words.get(1).map_or("run", String::as_str);
            let has_command = !command.starts_with('-') && !command.contains('=');
            if has_command && !SETTERS.contains(&command) {
                return None;
            }
            let is_near = error.get(ContextKind::SuggestedArg).is_none();
            let set = assignments(&word, words, is_near)?;
            let run = if has_command { "" } else { "run " };
            Some(usage(format!("to set a key, write `{run}{set}`")))
        }
        ErrorKind::InvalidSubcommand => {
            let word = invalid(error, ContextKind::InvalidSubcommand)?;
            let next = words.iter().skip_while(|next| **next != word).nth(1);
            let help = command(&word, next.map(String::as_str))?;
            Some(Usage::new(format!("there is no command `{word}`")).help(Some(help)))
        }
        _ => None,
    }
}

/// Help for `--resume 57`, whose step would be taken for a configuration.
pub(crate) fn step_apart(words: impl IntoIterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.into_iter().collect();
    (words.windows(2))
        .find(|pair| pair[0] == "--resume" && pair[1].parse::<u64>().is_ok())
        .map(|pair| format!("to go on from a step, write `--resume={}`", pair[1]))
}

fn invalid(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(word) => Some(word.clone()),
        _ => None,
    }
}

/// The `--set` that stands for `optim.lr=1e-3` or `--lr 1e-3`.
fn assignments(word: &str, words: &[String], is_near: bool) -> Option<String> {
    let name = word.trim_start_matches('-');
    let is_flag = name.len() < word.len();
    if !is_flag && !name.contains('=') {
        return None;
    }
    // What was typed has the value, which the parser cuts off.
    let typed = (words.iter()).position(|typed| {
        typed == word
            || typed
                .strip_prefix(word)
                .is_some_and(|rest| rest.starts_with('='))
    })?;
    let flag = words[typed].trim_start_matches('-');
    let (name, value) = flag.split_once('=').unwrap_or_else(|| {
        let next = words.get(typed + 1).filter(|next| !next.starts_with("--"));
        (name, next.map_or("VALUE", String::as_str))
    });
    let keys = keys(&name.replace('-', "_"), is_near && is_flag);
    if keys.is_empty() {
        let is_key = !is_flag && name.contains('.');
        return is_key.then(|| match words[typed].split_once('=') {
            Some((key, value)) => format!("--set {}", assignment(key, value)),
            None => format!("--set {}", words[typed]),
        });
    }
    let sets: Vec<String> = (keys.iter().take(MOST))
        .map(|key| format!("--set {}", assignment(key, value)))
        .collect();
    Some(sets.join("` or `"))
}

/// `key=value` as one word of a shell.
fn assignment(key: &str, value: &str) -> String {
    match shell_word(value) {
        plain if plain == value => format!("{key}={value}"),
        _ => shell_word(&format!("{key}={value}")),
    }
}

/// The keys that a name may mean: a path, the last part of one, or what others call it.
fn keys(name: &str, is_near: bool) -> Vec<String> {
    let all = RunConfig::keys(&Registry::builtin());
    if all.iter().any(|key| key == name) {
        return vec![name.to_owned()];
    }
    let last = |key: &String| key.rsplit('.').next().unwrap_or_default().to_owned();
    let of = |name: &str| -> Vec<String> {
        let mut keys: Vec<String> = all
            .iter()
            .filter(|key| last(key) == name)
            .cloned()
            .collect();
        keys.sort();
        keys.dedup();
        keys
    };
    let exact = of(name);
    if !exact.is_empty() {
        return exact;
    }
    if let Some(key) = present_name(RunConfig::RENAMED, name) {
        return vec![key];
    }
    if let Some(key) = RunConfig::key_called(name) {
        return vec![key.to_owned()];
    }
    if !is_near {
        return Vec::new();
    }
    let paths = all.iter().map(String::as_str);
    if let Some(path) = did_you_mean(name, paths).filter(|_| name.contains('.')) {
        return vec![path.to_owned()];
    }
    let names: Vec<String> = all.iter().map(last).collect();
    did_you_mean(name, names.iter().map(String::as_str)).map_or_else(Vec::new, of)
}

/// Help for a command that does not exist.
fn command(word: &str, next: Option<&str>) -> Option<String> {
    if ["resume", "continue"].contains(&word) {
        let name = next.filter(|next| !next.starts_with('-')).unwrap_or("NAME");
        return Some(format!(
            "to go on with a run, write `run --name {} --resume`",
            shell_word(name)
        ));
    }
    if let Some((_, ours)) = COMMANDS.iter().find(|(other, _)| *other == word) {
        return Some(format!("did you mean `{ours}`?"));
    }
    if word.contains('=') {
        let key = word.split('=').next().unwrap_or_default();
        let is_key = !keys(key, false).is_empty();
        return is_key.then(|| format!("to set a key, write `run --set {word}`"));
    }
    let is_file = Path::new(word)
        .extension()
        .is_some_and(|kind| kind == "toml");
    let is_config = is_file || LIBRARY.text(word).is_some();
    is_config.then(|| format!("to train it, write `run {}`", shell_word(word)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Args;

    /// What is said about a command line.
    fn said(line: &str) -> Option<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = Args::try_parse_from(&words).unwrap_err();
        explain(&error, &words).map(|usage| usage.to_string())
    }

    #[test]
    fn a_key_that_stands_alone_or_as_a_flag_is_told_of_set() {
        for (line, help) in [
            ("t run a.toml optim.lr=1e-3", "`--set optim.lr=1e-3`"),
            ("t run --lr 1e-3", "`--set optim.lr=1e-3`"),
            ("t run --lr=1e-3", "`--set optim.lr=1e-3`"),
            ("t run --optim.lr 1e-3", "`--set optim.lr=1e-3`"),
            ("t run --optim.lr=1e-3", "`--set optim.lr=1e-3`"),
            ("t check a.toml --seq-len 64", "`--set data.seq_len=64`"),
            ("t run --learning-rate 1e-3", "`--set optim.lr=1e-3`"),
            ("t run --batch_size 4", "`--set train.batch=4`"),
            ("t run --batch-size 4", "`--set train.batch=4`"),
            (
                "t run --every 5",
                "`--set checkpoint.every=5` or `--set eval.every=5` or `--set log.every=5`",
            ),
            ("t run --retention.kind l2", "`--set retention.kind=l2`"),
            ("t --lr 1e-3", "`run --set optim.lr=1e-3`"),
            ("t optim.lr=1e-3", "`run --set optim.lr=1e-3`"),
            ("t sweep a.toml --seed 1 --steps 5", "`--set train.seed=1`"),
            ("t run a.toml --path *.txt", "`--set 'data.path=*.txt'`"),
        ] {
            let said = said(line).unwrap_or_default();
            let expected = format!("\n  = help: to set a key, write {help}");
            assert!(said.ends_with(&expected), "{line}: {said}");
        }
        // A flag that is misspelled is left to the parser's own suggestion, and so is the rest.
        for line in [
            "t run --resum",
            "t run --nmae x",
            "t run a.toml b.toml",
            "t ls --lr 3",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
    }

    #[test]
    fn commands_of_other_programs_are_known() {
        for (line, help) in [
            ("t resume default", "`run --name default --resume`"),
            ("t resume", "`run --name NAME --resume`"),
            ("t train a.toml", "did you mean `run`?"),
            ("t list", "did you mean `ls`?"),
            ("t titans-lmm", "`run titans-lmm`"),
            ("t mine.toml", "`run mine.toml`"),
        ] {
            let said = said(line).unwrap_or_default();
            assert!(said.ends_with(help), "{line}: {said}");
        }
        assert_eq!(said("t rum"), None);
    }

    #[test]
    fn a_step_that_stands_apart_is_noticed() {
        let help = |words: &str| step_apart(words.split(' ').map(str::to_owned));
        assert_eq!(
            help("t run a.toml --resume 57").as_deref(),
            Some("to go on from a step, write `--resume=57`")
        );
        for words in [
            "t run --resume=57",
            "t run --resume a.toml",
            "t run 57 --resume",
        ] {
            assert_eq!(help(words), None, "{words}");
        }
    }
}
