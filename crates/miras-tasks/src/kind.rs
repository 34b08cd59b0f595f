//! What a task is.

use std::path::Path;

use std::sync::Arc;

use miras_data::Tokenizer;

use crate::{Asked, Options, Prompts, Question, Record, TaskError, Text};

/// A data set of the field.
#[derive(Debug, Clone, Copy)]
pub struct TaskKind {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What is asked, and the fields of a record.
    pub summary: &'static str,
    /// What its file holds, or how its prompts are made.
    pub reads: Reads,
}

/// What the file of a task holds, if it is not made.
#[derive(Debug, Clone, Copy)]
pub enum Reads {
    /// Questions with known answers, one a line.
    Questions {
        /// How an answer is found.
        asked: Asked,
        /// Makes a question of a record.
        question: fn(&Record) -> Result<Question, TaskError>,
    },
    /// Texts, every token of which is predicted.
    Texts(fn(&Path) -> Result<Vec<Text>, TaskError>),
    /// Prompts of any length, made for the tokens of a run.
    Generated(Generated),
}

/// How the prompts of a task are made.
#[derive(Debug, Clone, Copy)]
pub struct Generated {
    /// What its file or folder is; none if it has none.
    pub file: Option<&'static str>,
    /// The options that it knows, as [`Options::given`] names them.
    pub options: &'static [&'static str],
    /// Makes them.
    pub make: Make,
}

impl Generated {
    /// Whether its defaults need nothing but its file.
    pub fn is_of_its_file_alone(&self) -> bool {
        self.file.is_some() && !self.options.contains(&"haystack")
    }
}

/// Makes prompts for a tokenizer.
pub type Make = fn(&Options, Arc<Tokenizer>) -> Result<Box<dyn Prompts>, TaskError>;

impl TaskKind {
    /// Refuses options that it does not know, and a file that is missing or too many.
    ///
    /// # Errors
    /// The first of these.
    pub fn check(&self, options: &Options) -> Result<(), TaskError> {
        let name = self.name;
        let (file, known) = match &self.reads {
            Reads::Generated(made) => (made.file, made.options),
            Reads::Questions { .. } => (Some("the file of its questions"), &[][..]),
            Reads::Texts(_) => (Some("the file of its texts"), &[][..]),
        };
        let usage = |text: String| Err(TaskError::Usage(text));
        match (file, &options.path) {
            (Some(what), None) => {
                return usage(format!(
                    "--task {name} needs {what}: give --task {name}=PATH"
                ));
            }
            (None, Some(_)) => {
                return usage(format!(
                    "{name} is made and has no file: give --task {name} alone"
                ));
            }
            _ => {}
        }
        let given = options.given();
        let Some((other, _)) = given.iter().find(|(option, _)| !known.contains(option)) else {
            return Ok(());
        };
        let knows = match known {
            [] => "it has no options of its own".to_owned(),
            _ => format!("it knows --{}", known.join(", --")),
        };
        usage(format!(
            "--{other} is not an option of --task {name}: {knows}"
        ))
    }
}
