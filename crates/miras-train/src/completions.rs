//! `completions`: a script for the shell.

use clap::CommandFactory;

use crate::{
    args::{Args, CompletionsArgs},
    out::Out,
};

pub(crate) fn completions(args: &CompletionsArgs, out: &mut Out) -> anyhow::Result<()> {
    let mut command = Args::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    out.text(&String::from_utf8(script)?)
}
