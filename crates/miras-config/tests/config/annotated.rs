//! The settled configuration as text.

use std::error::Error;

use miras_config::{Origins, annotated};
use toml::Table;

use crate::support::{layers, load};

#[test]
fn every_line_has_its_origin() -> Result<(), Box<dyn Error>> {
    let base = (
        "base.toml",
        "seed = 3\n[model]\nlr = 0.01\nheads = [{ size = 1 }]",
    );
    let (config, mut origins) = load(layers(&[base], &["model.dim=128"])?)?;
    origins.note("model.layers", "derived\nfrom dim");
    let mut resolved = Table::from_iter([("seed".to_owned(), 3.into())]);
    resolved.insert("model".to_owned(), toml::Value::try_from(&config.model)?);
    resolved.insert("log".to_owned(), Table::new().into());

    let text = annotated(&resolved, &origins);
    assert_eq!(
        text,
        r#"seed = 3  # base.toml:1

[model]
dim = 128              # --set
layers = 2             # derived from dim
lr = 0.01              # base.toml:3
dropout = 0.0          # default
tied = false           # default
name = "tiny"          # default
activation = "gelu"    # default
schedule = "constant"  # default
betas = [0.9, 0.95]    # default

[[model.heads]]
size = 1  # base.toml:4

[log]
"#
    );
    assert_eq!(text.parse::<Table>()?, resolved);
    Ok(())
}

#[test]
fn the_text_reads_back_as_the_same_table() -> Result<(), Box<dyn Error>> {
    let table: Table = r#"
top = "a # \"quoted\" \\ 'word'"
lines = "one\ntwo\n"
mixed = [1, "x", { y = 1 }]
empty = []
huge = 1e300
tiny = 1e-300
endless = -inf
when = 1979-05-27T07:32:00Z
"key with. \" and \t" = 1
'' = 2
[a.b.c]
x = [[1, 2], []]
[a."d.e"]
[[list]]
[[list]]
one = 1
[list.sub]
two = 2
[[list.deep]]
three = 3
[list.none]
"#
    .parse()?;
    let plain = annotated(&table, &Origins::default());
    assert_eq!(plain.parse::<Table>()?, table, "{plain}");
    assert!(!plain.contains("default"));

    let mut origins = Origins::default();
    origins.note("top", "here");
    let text = annotated(&table, &origins);
    assert_eq!(text.parse::<Table>()?, table, "{text}");
    Ok(())
}
