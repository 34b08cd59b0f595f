//! The page of the kinds of data, `docs/parts/data.md`, made from their list.

#![allow(
    clippy::format_push_string,
    reason = "a page is small, and reads best as one text after the other"
)]

use std::{env, fs, path::Path};

use miras_data::KINDS;

const UPDATE: &str = "MIRAS_UPDATE_DOCS";

fn page() -> String {
    let mut text = format!(
        "# Data: what is trained on\n\n\
         Made from the code by `{UPDATE}=1 cargo test --workspace --test it page`; a test fails \
         where the two differ.\n\n\
         The table `[data]` of a configuration; `data.kind` is one of\n\n\
         | kind | `task.kind` | what it is |\n|---|---|---|\n"
    );
    for kind in KINDS {
        let (name, task) = (kind.name, kind.task);
        text += &format!(
            "| [`{name}`](#{name}-{task}) | `\"{task}\"` | {} |\n",
            kind.summary
        );
    }
    for kind in KINDS {
        text += &format!(
            "\n## {} {}\n\n### Keys\n\n| key | meaning |\n|---|---|\n",
            kind.name, kind.task
        );
        for (key, meaning) in kind.keys {
            text += &format!("| `{key}` | {} |\n", meaning.replace('|', "\\|"));
        }
        let defaults = toml::to_string(&(kind.default)()).unwrap();
        text += &format!("\n### Defaults\n\n```toml\n{defaults}```\n");
    }
    text
}

#[test]
fn the_committed_page_is_what_the_list_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/parts/data.md");
    let page = page();
    if env::var_os(UPDATE).is_some() {
        fs::write(&file, &page).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "run the test with {UPDATE}=1");
}
