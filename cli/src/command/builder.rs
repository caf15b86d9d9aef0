//! `plimsoll builder` (docker's `builder` and `buildx`), and docker's commands that there are not.

use super::{build, images};
use crate::Global;
use crate::exit::Exit;
use miette::{Result, miette};

/// Builds, by docker's commands: build, prune
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    Build(Box<build::Args>),
    Prune(images::PruneArgs),
}

/// Words that are not looked at.
#[derive(clap::Args, Debug)]
pub struct DaemonArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    match args.action {
        Action::Build(args) => build::run(global, *args),
        Action::Prune(args) => images::prune(global, args),
    }
}

/// Says what there is in place of a command that wants more of containers than these can.
pub fn refuse(args: &DaemonArgs) -> Result<Exit> {
    Err(miette!(
        help = "of containers there are run, ps, logs, exec, stop, kill, wait and rm; programs that need each other are tried together \
                with [[service]] in plimsoll.toml",
        "failed to do as docker does{}: a container is run once and by itself, and nothing of it is kept but its output",
        args.words.first().map(|word| format!(" with {word}")).unwrap_or_default()
    ))
}
