//! `plimsoll builder` (docker's `builder` and `buildx`), and docker's commands for containers that a daemon keeps.

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

/// Says why there is nothing to list, stop or enter.
pub fn refuse(_args: &DaemonArgs) -> Result<Exit> {
    Err(miette!(
        help = "start the program with `plimsoll run … &` or `systemd-run plimsoll run …`: it is then listed, stopped and its output read \
                as that of any other program; programs that need each other are tried together with [[service]] in plimsoll.toml",
        "failed to find a daemon that keeps containers: there is none, a container is the `plimsoll run` that started it"
    ))
}
