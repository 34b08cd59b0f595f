//! Keys that earlier versions of the program did not have.

use serde_json::{Value, json};

use crate::settings::Settings;

/// A key, and what a run did whose settled configuration lacks it.
struct Later {
    /// The table that it is in, of the model or of a layer.
    table: &'static str,
    /// The kinds of the table that have it; all if empty.
    kinds: &'static [&'static str],
    key: &'static str,
    value: fn() -> Value,
}

/// Every settled configuration of this version has these keys, so that what lacks them is older.
const LATER: [Later; 6] = [
    Later {
        table: "mixer",
        kinds: &[],
        key: "query",
        value: || json!("projected"),
    },
    // The default of this version is another.
    Later {
        table: "retention",
        kinds: &["lq", "kl", "elastic_net"],
        key: "anchored",
        value: || json!(false),
    },
    Later {
        table: "data",
        kinds: &["mqar"],
        key: "showings",
        value: || json!(1),
    },
    Later {
        table: "data",
        kinds: &["mqar"],
        key: "outliers",
        value: || json!(0),
    },
    Later {
        table: "data",
        kinds: &["builtin", "text"],
        key: "corrupt",
        value: || json!(0.0),
    },
    Later {
        table: "data",
        kinds: &["builtin", "text"],
        key: "needles",
        value: || json!(0.0),
    },
];

/// Sets the keys that the version had not by which a configuration was settled.
pub(crate) fn fill(settings: &mut Settings) {
    let kinds = settings.iter().filter_map(|(key, value)| {
        let table = key.strip_suffix(".kind")?;
        Some((table.to_owned(), value.as_str()?.to_owned()))
    });
    let kinds: Vec<(String, String)> = kinds.collect();
    for (table, kind) in kinds {
        // `layers.0.mixer` is a table `mixer`.
        let name = table.rsplit('.').next();
        let own = LATER.iter().filter(|later| name == Some(later.table));
        for later in own.filter(|later| later.kinds.is_empty() || later.kinds.contains(&&*kind)) {
            let set = settings.entry(format!("{table}.{}", later.key));
            set.or_insert_with(later.value);
        }
    }
}
