//! Writes a few small runs for `scripts/check-tensorboard`:
//! two seeds of one group, one of them resumed, and a run that failed.
//!
//! `target/debug/examples/write_events FOLDER` after `cargo build --workspace --examples`

use std::path::{Path, PathBuf};

use miras_log::{HParam, LogError, Status, TensorBoard, Tracker};

fn main() -> Result<(), LogError> {
    let folder = std::env::args_os().nth(1).unwrap_or("runs".into());
    let folder = PathBuf::from(folder);
    let first = folder.join("moneta-s1");
    train(begin(&first, "moneta", 1.0)?, 1..=40, 2.0)?.finish(Status::Failure)?;
    // The points after step 20 and the failure are replaced.
    train(TensorBoard::resume(&first, 20, &|_, _| true)?, 21..=30, 2.0)?.finish(Status::Success)?;
    let second = begin(&folder.join("moneta-s2"), "moneta", 2.0)?;
    train(second, 1..=30, 4.0)?.finish(Status::Success)?;
    let failed = begin(&folder.join("yaad-s1"), "yaad", 1.0)?;
    train(failed, 1..=5, f64::NAN)?.finish(Status::Failure)
}

fn begin(folder: &Path, kind: &str, seed: f64) -> Result<TensorBoard, LogError> {
    let mut board = TensorBoard::create(folder)?;
    let hparams: [(&str, HParam); 4] = [
        ("preset", HParam::String(kind.to_owned())),
        ("optim.lr", HParam::Number(3e-4)),
        ("model.tied", HParam::Bool(true)),
        ("seed", HParam::Number(seed)),
    ];
    let hparams = hparams.map(|(name, value)| (name.to_owned(), value));
    board.hparams(kind, &hparams, &["train/loss", "eval/loss"])?;
    Ok(board)
}

fn train(
    mut board: TensorBoard,
    steps: std::ops::RangeInclusive<u64>,
    loss: f64,
) -> Result<TensorBoard, LogError> {
    let last = *steps.end();
    for step in steps {
        let values = [
            ("train/loss".to_owned(), loss + 1.0 / step as f64),
            ("train/lr".to_owned(), 3e-4),
        ];
        board.scalars(step, step * 64, &values)?;
        if step % 10 == 0 {
            let spread: Vec<f32> = (0..100).map(|i| (i * step) as f32).collect();
            board.histogram(step, "memory/state", &spread)?;
        }
    }
    board.histogram(last, "memory/constant", &[0.5; 8])?;
    board.histogram(last, "memory/empty", &[f32::NAN])?;
    board.text(last, "sample", "**Once** upon a time")?;
    board.scalars(last, last * 64, &[("eval/loss".to_owned(), loss)])?;
    Ok(board)
}
