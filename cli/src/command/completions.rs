//! `plimsoll completions SHELL`

use crate::exit::Exit;
use clap::CommandFactory;
use miette::Result;

/// Print a completion script for a shell
///
/// For example `plimsoll completions bash > /etc/bash_completion.d/plimsoll`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints the script.
pub fn run(args: Args) -> Result<Exit> {
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "plimsoll", &mut std::io::stdout());
    Ok(Exit::Clean)
}
