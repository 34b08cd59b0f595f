use miras_config::{ConfigError, Tree, did_you_mean, fields_of};
use miras_data::{BuiltinConfig, DataConfig, KINDS, MqarConfig, TextConfig, about_missing_kind};
use toml::{Table, Value};

/// Takes `[data]`: its kind, then the fields of that kind.
pub(super) fn take(tree: &mut Tree) -> Result<DataConfig, ConfigError> {
    let kind: Option<String> = tree.value("data.kind")?;
    let kind = kind.unwrap_or_else(|| DataConfig::default().kind().to_owned());
    let Some(known) = KINDS.iter().find(|known| known.name == kind) else {
        let names: Vec<&str> = KINDS.iter().map(|known| known.name).collect();
        let message = format!(
            "unknown data `{kind}`, expected one of {}",
            names.join(", ")
        );
        let help = match about_missing_kind(&kind) {
            Some(help) => Some(help.to_owned()),
            None => did_you_mean(&kind, names).map(|name| format!("did you mean `{name}`?")),
        };
        return Err(tree.error("data.kind", message, help));
    };
    let own = keys(&(known.default)());
    for other in KINDS.iter().filter(|other| other.name != known.name) {
        for key in keys(&(other.default)()) {
            if !own.contains(key) {
                let owner = format!("data.kind = {:?}", other.name);
                tree.belongs(&format!("data.{key}"), owner);
            }
        }
    }
    let config = match (known.default)() {
        DataConfig::Builtin(_) => DataConfig::Builtin(tree.at("data").part()?),
        DataConfig::Text(_) => DataConfig::Text(tree.at("data").part::<TextConfig>()?.settled()),
        DataConfig::Mqar(_) => DataConfig::Mqar(tree.at("data").part()?),
    };
    for (field, problem) in config.validate() {
        let path = format!("data.{field}");
        let mistake = tree.error(&path, format!("{path}: {problem}"), None);
        tree.note(mistake)?;
    }
    Ok(config)
}

/// The keys of a kind.
pub(super) fn keys(kind: &DataConfig) -> &'static [&'static str] {
    match kind {
        DataConfig::Builtin(_) => fields_of::<BuiltinConfig>(),
        DataConfig::Text(_) => fields_of::<TextConfig>(),
        DataConfig::Mqar(_) => fields_of::<MqarConfig>(),
    }
}

pub(super) fn to_table(config: &DataConfig) -> Table {
    let mut table = Table::new();
    table.insert("kind".into(), Value::String(config.kind().to_owned()));
    table.extend(super::section(config));
    table
}
