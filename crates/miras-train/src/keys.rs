//! The keys that are no part's own: the table of `docs/config.md` is their one description.

use miras_spec::MixerSpec;

/// The page that describes them.
const PAGE: &str = include_str!("../../../docs/config.md");
/// The tables of a configuration that hold such keys.
pub(crate) fn tables() -> Vec<&'static str> {
    let of_mixers = MixerSpec::own_keys().into_iter().map(|(table, _)| table);
    (["model", "task", "mixer"].into_iter())
        .chain(of_mixers)
        .chain(["train", "optim", "eval", "checkpoint", "log"])
        .collect()
}

/// A row of the page.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Without the table, as `batch, accumulate`.
    pub(crate) names: String,
    /// The defaults and what it means.
    pub(crate) text: String,
}

/// The keys of a table.
pub(crate) fn of_table(table: &str) -> Vec<Keys> {
    let prefix = format!("{table}.");
    let rows = PAGE.lines().filter_map(cells);
    rows.filter(|[keys, ..]| keys.starts_with(&format!("`{prefix}")))
        .map(|[keys, default, meaning]| {
            let names = plain(keys).replace(&prefix, "");
            let default = match plain(default) {
                default if default == "–" => String::new(),
                default => format!("[{default}] "),
            };
            let text = format!("{default}{}", plain(meaning));
            Keys { names, text }
        })
        .collect()
}

/// The cells of a row of three.
fn cells(line: &str) -> Option<[&str; 3]> {
    let inside = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let mut cells = inside.splitn(3, " | ");
    Some([cells.next()?, cells.next()?, cells.next()?])
}

/// Markdown as text: without backticks, links as what they are called.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((label, behind)) = after.split_once("](") else {
            break;
        };
        text.push_str(before);
        text.push_str(label);
        rest = behind.split_once(')').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text.replace('`', "").replace("\\|", "|")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use miras_registry::Registry;
    use miras_spec::RunConfig;

    use super::*;

    #[test]
    fn every_key_has_its_row_and_every_row_its_key() {
        let all: BTreeSet<String> = RunConfig::keys(&Registry::builtin()).into_iter().collect();
        for table in tables() {
            let wanted: BTreeSet<&str> = (all.iter())
                .filter_map(|key| key.strip_prefix(table)?.strip_prefix('.'))
                .collect();
            let rows = of_table(table);
            let found: BTreeSet<&str> = rows.iter().flat_map(|row| row.names.split(", ")).collect();
            assert_eq!(found, wanted, "docs/config.md, [{table}]");
            assert!(rows.iter().all(|row| row.text.len() > 10), "{rows:?}");
        }
    }

    #[test]
    fn markdown_becomes_text() {
        assert_eq!(
            plain("see [below](#x), or `a \\| b` [not"),
            "see below, or a | b [not"
        );
        assert_eq!(plain("[why](a.md) it is"), "why it is");
    }
}
