//! The page of an axis: what there is to choose from.

use miras_core::Axis;
use miras_registry::{Choice, Registry};

use super::{MADE, source::doc_comment, table};

pub(crate) fn page(registry: &Registry, axis: Axis) -> String {
    let name = axis.table();
    let title = axis.title();
    let title = title[..1].to_uppercase() + &title[1..];
    let parts = registry.parts(axis);
    let rows: Vec<_> = (parts.iter())
        .map(|part| {
            let kind = part.kind;
            vec![format!("[`{kind}`](#{kind})"), part.summary.to_string()]
        })
        .collect();
    let mut text = format!("# {title}\n\n{MADE}\n\n");
    text += &format!("The table `[{name}]` of a configuration; `{name}.kind` is one of\n\n");
    text += &table(&["kind", "what it is"], &rows);
    let common = registry.common_keys(axis);
    if !common.is_empty() {
        text += &format!("\n## Keys of every {name}\n\n{}", keys(common));
    }
    text += "\nHow they go together: [combinations](combinations.md).\n";

    for part in parts {
        text += &format!("\n## {}\n\n{}\n\n", part.kind, part.summary);
        text += &format!("```text\n{}\n```\n\n", part.formula.replace(";   ", "\n"));
        text += &format!("From {}.\n\n", part.reference.trim_end_matches('.'));
        text += &doc_comment(axis, part.kind);
        if axis == Axis::Memory {
            text += &program(registry, part.kind);
        }
        text += "\n### Keys\n\n";
        text += &match part.keys {
            [] => "None of its own.\n".to_string(),
            own => keys(own),
        };
        text += "\n### Tested with\n\n";
        for variant in part.variants {
            text += &match *variant {
                "" => "- the defaults\n".to_string(),
                settings => format!("- `{}`\n", settings.replace('\n', "`, `")),
            };
        }
    }
    text
}

/// What a memory computes, as text.
fn program(registry: &Registry, kind: &str) -> String {
    let choice = Choice::from_toml(&format!("[memory]\nkind = '{kind}'"), registry).unwrap();
    let at = |d_k, d_v| choice.rule.memory.program(d_k, d_v);
    let widths = match at(8, 4) {
        Ok(_) => "Keys and values may differ in width.".to_string(),
        Err(error) => format!("Keys and values have one width: with 8 and 4 features {error}."),
    };
    format!(
        "\n### Program\n\nAt the defaults, for keys and values of 8 features; sizes are features, \
         or rows a token by features.\n\n```text\n{}\n```\n\n{widths}\n",
        at(8, 8).unwrap()
    )
}

fn keys(keys: &[(&str, &str)]) -> String {
    let rows: Vec<_> = (keys.iter())
        .map(|(key, meaning)| vec![format!("`{key}`"), (*meaning).to_string()])
        .collect();
    table(&["key", "meaning"], &rows)
}
