//! `generate` without a prompt: line by line.

use std::io::BufRead;

use anyhow::Context;
use miras_use::Generator;

use crate::{continuation::Continuation, out::Out};

const HELP: &str = "a line is read and gone on with; /reset, /state, /help, /quit";

pub(crate) fn repl(
    generator: &mut Generator<'_>,
    continuation: &Continuation<'_>,
    input: &mut dyn BufRead,
    out: &mut Out,
) -> anyhow::Result<()> {
    out.text(HELP)?;
    loop {
        out.piece("> ")?;
        let mut line = Vec::new();
        let count = (input.read_until(b'\n', &mut line)).context("cannot read the input")?;
        if count == 0 {
            return out.piece("\n");
        }
        match line.trim_ascii() {
            b"/quit" => return Ok(()),
            b"/reset" => {
                generator.reset();
                out.text("at the beginning of a text")?;
            }
            b"/state" => out.text(&state(generator)?)?,
            b"/help" => out.text(HELP)?,
            // Anything else may be a text, such as the path of a file.
            b"" if generator.position() == 0 => {}
            _ => {
                generator.read(&continuation.tokenizer.encode(&line)?)?;
                continuation.write(generator, out)?;
                out.piece("\n")?;
            }
        }
    }
}

fn state(generator: &Generator<'_>) -> anyhow::Result<String> {
    let mut lines = vec![format!(
        "{} tokens read; the state holds {} numbers",
        generator.position(),
        generator.size()
    )];
    for one in generator.norms()? {
        lines.push(format!("layer {}  norm {:.4}", one.layer, one.norm));
    }
    Ok(lines.join("\n"))
}
