//! The list of tasks.

mod arc;
mod babilong;
mod boolq;
mod hellaswag;
mod lambada;
mod needle;
mod openbookqa;
mod perplexity;
mod piqa;
mod recall;
mod wikitext;
mod winogrande;

use crate::{TaskError, TaskKind};
use miras_config::did_you_mean;

/// All tasks, by name.
pub static TASKS: &[TaskKind] = &[
    arc::KIND,
    babilong::KIND,
    boolq::KIND,
    hellaswag::KIND,
    lambada::KIND,
    needle::KIND,
    openbookqa::KIND,
    perplexity::KIND,
    piqa::KIND,
    recall::KIND,
    wikitext::KIND,
    winogrande::KIND,
];

/// The task of a name.
pub fn task(name: &str) -> Result<&'static TaskKind, TaskError> {
    let names = || TASKS.iter().map(|kind| kind.name);
    (TASKS.iter().find(|kind| kind.name == name)).ok_or_else(|| TaskError::Unknown {
        name: name.to_owned(),
        hint: did_you_mean(name, names()).map(str::to_owned),
        all: names().collect::<Vec<_>>().join(", "),
    })
}
