//! Where the metrics of a run go.

use miras_config::{Origins, annotated};
use miras_data::Metric;
use miras_log::{HParam, JsonLines, TensorBoard, Tracker, Trackers};
use miras_run::RunFolder;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::TrainError;
use crate::compare::flat;
use crate::evaluate::beside;

/// Opens `metrics.jsonl` and an event file, fresh or to go on after `resumed_at`, and writes
/// the configuration into the latter.
pub(crate) fn open(
    folder: &RunFolder,
    config: &Table,
    metric: Metric,
    resumed_at: Option<u64>,
) -> Result<Trackers, TrainError> {
    let (lines, mut board) = match resumed_at {
        None => (
            JsonLines::create(folder.metrics_path())?,
            TensorBoard::create(folder.path())?,
        ),
        Some(step) => (
            JsonLines::resume(folder.metrics_path(), step)?,
            TensorBoard::resume(folder.path(), step)?,
        ),
    };
    let hparams: Vec<(String, HParam)> = (flat(config).into_iter())
        .map(|(key, value)| (key, hparam(&value)))
        .collect();
    let beside = format!("eval/{}", beside(metric));
    board.hparams(&group(config), &hparams, &["eval/loss", &beside])?;
    // Four spaces make it a block of code in Markdown.
    let text = format!("    {}", plain(config).trim_end().replace('\n', "\n    "));
    board.text(resumed_at.unwrap_or(0), "config", &text)?;
    Ok(Trackers(vec![Box::new(lines), Box::new(board)]))
}

/// A configuration as plain TOML text.
pub(crate) fn plain(config: &Table) -> String {
    annotated(config, &Origins::default())
}

/// Names all runs that differ in their seed alone: a hash of the configuration without it.
pub(crate) fn group(config: &Table) -> String {
    let mut config = config.clone();
    if let Some(Value::Table(train)) = config.get_mut("train") {
        train.remove("seed");
    }
    let digest = Sha256::digest(plain(&config).as_bytes());
    let (short, _) = digest.split_at(8);
    short
        .iter()
        .fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

fn hparam(value: &Value) -> HParam {
    match value {
        Value::String(text) => HParam::String(text.clone()),
        Value::Integer(number) => HParam::Number(*number as f64),
        Value::Float(number) => HParam::Number(*number),
        Value::Boolean(switch) => HParam::Bool(*switch),
        other => HParam::String(other.to_string()),
    }
}
