//! Lists of tables at the top: entries by number, and what they take over from another table.

use miras_config::{ConfigError, Layers, Tree, entry_path, key_path};

use crate::support::Mlp;

const MEMORY: &str = "[memory]\nkind = 'mlp'\ndepth = 2\nexpansion = 4\n";

fn tree(text: &str, set: &[&str]) -> Result<Tree, ConfigError> {
    let mut layers = Layers::new();
    layers.text("run.toml", text)?;
    for assignment in set {
        layers.set(assignment)?;
    }
    layers.merge()
}

/// Depth and expansion of the memory of every entry, and whether its kind is the model's.
fn read(text: &str, set: &[&str]) -> Result<Vec<(usize, usize, String)>, String> {
    let read = |tree: &mut Tree| {
        let mut found = Vec::new();
        for number in tree.entries("layers")? {
            let at = key_path(&entry_path("layers", number), "memory");
            tree.inherit(&at, "memory", &["depth"])?;
            let mut section = tree.at(&at);
            let kind: Option<String> = section.value("kind")?;
            let mlp: Mlp = section.part()?;
            found.push((mlp.depth, mlp.expansion, kind.unwrap_or_default()));
        }
        let mut section = tree.at("memory");
        let _: Option<String> = section.value("kind")?;
        let _: Mlp = section.part()?;
        Ok(found)
    };
    let read = || {
        let mut tree = tree(text, set)?;
        let found = read(&mut tree);
        tree.conclude(found)
    };
    match read() {
        Ok((found, _)) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

fn entry(depth: usize, expansion: usize, kind: &str) -> (usize, usize, String) {
    (depth, expansion, kind.to_owned())
}

#[test]
fn an_entry_has_the_keys_of_the_table_it_inherits_from_but_for_its_own() {
    let text = format!("{MEMORY}[[layers]]\nmemory.depth = 3\n[[layers]]\n");
    let expected = vec![entry(3, 4, "mlp"), entry(2, 4, "mlp")];
    assert_eq!(read(&text, &[]), Ok(expected));
}

#[test]
fn an_entry_with_a_kind_of_its_own_inherits_shared_keys_alone() {
    let text = format!("{MEMORY}[[layers]]\nmemory.kind = 'other'\n");
    assert_eq!(read(&text, &[]), Ok(vec![entry(2, 0, "other")]));
    let set = ["layers.0.memory=another"];
    assert_eq!(read(&text, &set), Ok(vec![entry(2, 0, "another")]));
}

#[test]
fn flags_set_keys_in_entries_and_in_what_they_inherit() {
    let text = format!("{MEMORY}[[layers]]\nmemory.expansion = 1\n");
    let set = ["layers.0.memory.expansion=8", "memory.depth=5"];
    assert_eq!(read(&text, &set), Ok(vec![entry(5, 8, "mlp")]));
}

#[test]
fn a_later_list_replaces_an_earlier_one() {
    let mut layers = Layers::new();
    layers
        .text("base", "[[layers]]\na = 1\n[[layers]]\na = 2\n")
        .unwrap();
    layers.text("top", "[[layers]]\nb = 3\n").unwrap();
    let mut tree = layers.merge().unwrap();
    assert_eq!(tree.entries("layers").unwrap(), [0]);
    assert_eq!(tree.value::<i64>("layers.0.a").unwrap(), None);
    assert_eq!(tree.value::<i64>("layers.0.b").unwrap(), Some(3));
}

#[test]
fn the_keys_of_entries_are_listed_by_number() {
    let text = "[[layers]]\nat = [1]\nmemory.depth = 3\n[[layers]]\nat = [2, 3]\n";
    let table: toml::Table = text.parse().unwrap();
    let keys: Vec<String> = (miras_config::flat(&table).into_iter())
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        keys,
        ["layers.0.at", "layers.0.memory.depth", "layers.1.at"]
    );
}

#[test]
fn mistakes_are_shown_where_they_were_written() {
    let text = format!("{MEMORY}[[layers]]\n[[layers]]\nmemory.depht = 3\n");
    assert_eq!(
        read(&text, &[]).unwrap_err(),
        "\
error: unknown field `depht`, expected `depth` or `expansion`
 --> run.toml:7:8  (layers.1.memory.depht)
  |
7 | memory.depht = 3
  |        ^^^^^
  = help: did you mean `depth`?"
    );
    let text = "[memory]\nkind = 'mlp'\ndepth = 'deep'\n[[layers]]\n";
    let error = read(text, &[]).unwrap_err();
    assert!(
        error.contains("run.toml:3:9  (layers.0.memory.depth)"),
        "{error}"
    );
}

#[test]
fn what_is_no_list_of_tables_is_refused() {
    for (text, set, expected) in [
        ("layers = 3", &[][..], "`layers` is a list of tables"),
        ("layers = [1, 2]", &[], "`layers` is a list of tables"),
        ("[layers]\nfirst = {}", &[], "named by numbers, not `first`"),
        ("", &["layers.x.at=[1]"], "named by numbers, not `x`"),
    ] {
        let error = read(text, set).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
