//! `state`: what a run has read, in a file.

use miras_registry::Registry;
use std::fs;

use anyhow::Context;
use miras_use::{Generator, Stored};

use crate::{
    generate::refuse_taken,
    out::Out,
    trained,
    usage::Usage,
    use_args::{StateCommand, StateInfoArgs, StateLoadArgs, StateSaveArgs},
};

pub(crate) fn state(
    command: &StateCommand,
    registry: &Registry,
    out: &mut Out,
) -> anyhow::Result<()> {
    match command {
        StateCommand::Save(args) => save(args, registry, out),
        StateCommand::Load(args) => load(args, registry, out),
        StateCommand::Info(args) => info(args, out),
    }
}

fn save(args: &StateSaveArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    if !args.force {
        refuse_taken(&args.out)?;
    }
    let trained = trained::open(&args.which, registry)?;
    let tokenizer = trained.tokenizer()?;
    let text =
        (fs::read(&args.text)).with_context(|| format!("cannot read {}", args.text.display()))?;
    let mut generator = Generator::new(&trained, trained.memory(None))?;
    generator.read(&tokenizer.encode(&text)?)?;
    let Some(stored) = generator.store()? else {
        let message = format!("{} is empty: there is nothing to read", args.text.display());
        return Err(Usage::new(message).into());
    };
    let bytes = stored.write(&args.out)?;
    out.prose(&format!(
        "{} tokens read; state in {}, {bytes} bytes",
        generator.position(),
        args.out.display()
    ))
}

fn load(args: &StateLoadArgs, registry: &Registry, out: &mut Out) -> anyhow::Result<()> {
    let trained = trained::open(&args.which, registry)?;
    let stored = Stored::read(&args.state)?;
    stored.check(&trained)?;
    out.prose(&format!(
        "{} fits {} at step {}: {} tokens read; use it with `eval` or `generate` and `--state {}`",
        args.state.display(),
        trained.origin.run,
        trained.origin.step,
        stored.named.position,
        args.state.display()
    ))
}

fn info(args: &StateInfoArgs, out: &mut Out) -> anyhow::Result<()> {
    let stored = Stored::read(&args.state)?;
    let named = &stored.named;
    let origin = &stored.origin;
    let mut lines = vec![
        format!(
            "file     {}, schema {} version {}",
            args.state.display(),
            Stored::SCHEMA,
            Stored::VERSION
        ),
        format!(
            "made by  run {} at step {}, weights sha256:{}",
            origin.run, origin.step, origin.weights
        ),
        format!("read     {} tokens, {} row", named.position, named.rows),
        format!(
            "values   {} tensors, {} bytes",
            named.tensors.len(),
            stored.bytes()
        ),
    ];
    for (name, data) in &named.tensors {
        lines.push(format!("  {name}  {:?}", data.shape().to_vec()));
    }
    out.text(&lines.join("\n"))
}
