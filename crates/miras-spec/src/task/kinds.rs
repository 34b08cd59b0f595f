//! The list of tasks, and the settings of one of them.

use miras_config::{ConfigError, Section, did_you_mean};
use serde::Serialize;
use toml::Table;

use crate::task::{
    classify::{self, Classify},
    definition::Task,
    entry::TaskEntry,
    forecast::{self, Forecast},
    language::{self, Language},
};

/// `Task(Settings) = ENTRY` for each task: the enum of all settings, and the list.
macro_rules! tasks {
    ($($(#[$doc:meta])* $task:ident($config:ty) = $entry:expr,)*) => {
        /// What a model is trained for: the settings of one task of the list.
        ///
        /// It is serialised as the fields of its task, without the name of the task.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum TaskConfig {
            $($(#[$doc])* $task($config),)*
        }

        /// All tasks, in the order of documentation and help; the first is the default.
        pub const TASKS: &[TaskEntry<TaskConfig>] = &[$(TaskEntry {
            name: $entry.name,
            summary: $entry.summary,
            keys: $entry.keys,
            default: || TaskConfig::$task(($entry.default)()),
            take: |section| Ok(TaskConfig::$task(($entry.take)(section)?)),
        }),*];

        impl TaskConfig {
            /// The task's name, as in [`TASKS`].
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$task(_) => $entry.name,)*
                }
            }
        }

        /// The settings are the task.
        impl std::ops::Deref for TaskConfig {
            type Target = dyn Task;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$task(config) => config,)*
                }
            }
        }
    };
}

tasks! {
    /// The target of a token is a token.
    Language(Language) = language::ENTRY,
    /// The target of a sequence is a class.
    Classify(Classify) = classify::ENTRY,
    /// The target of a row of values is the values that come.
    Forecast(Forecast) = forecast::ENTRY,
}

impl Default for TaskConfig {
    fn default() -> Self {
        (TASKS[0].default)()
    }
}

impl TaskConfig {
    /// Its entry of the list.
    pub fn entry(&self) -> &'static TaskEntry<Self> {
        let own = |task: &&TaskEntry<Self>| task.name == self.kind();
        (TASKS.iter().find(own)).expect("the list has every task")
    }

    /// Reads a table of a configuration: its kind, then the fields of that task.
    ///
    /// # Errors
    /// If there is no such task, or a field is unknown or has a wrong value.
    pub(crate) fn take(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        let name: Option<String> = section.value("kind")?;
        let entry = match &name {
            Some(name) => find(name, section)?,
            None => &TASKS[0],
        };
        for other in TASKS.iter().filter(|other| other.name != entry.name) {
            for (key, _) in other.keys {
                if !entry.keys.iter().any(|(own, _)| own == key) {
                    section.belongs(key, format!("task.kind = {:?}", other.name));
                }
            }
        }
        (entry.take)(section)
    }

    /// What [`take`](Self::take) reads.
    pub(crate) fn to_table(&self) -> Table {
        let mut table = Table::new();
        table.insert("kind".into(), self.kind().into());
        table.extend(Table::try_from(self).expect("the settings of a task are a TOML table"));
        table
    }
}

/// The entry of a name.
fn find(name: &str, section: &Section<'_>) -> Result<&'static TaskEntry<TaskConfig>, ConfigError> {
    if let Some(task) = TASKS.iter().find(|task| task.name == name) {
        return Ok(task);
    }
    let names: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
    let message = format!(
        "unknown task `{name}`, expected one of {}",
        names.join(", ")
    );
    let help = did_you_mean(name, names).map(|name| format!("did you mean `{name}`?"));
    Err(section.error("kind", message, help))
}
