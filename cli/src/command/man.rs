//! `plimsoll man`

use crate::exit::Exit;
use crate::terminal::out;
use clap::CommandFactory;
use miette::{IntoDiagnostic, Result, WrapErr};
use std::path::PathBuf;

/// Print the manual page, or write the pages of all commands
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder for plimsoll.1, plimsoll-lint.1 and so on
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit> {
    let command = crate::Cli::command();
    match &args.output {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).into_diagnostic()?;
            out!("{}", String::from_utf8_lossy(&page));
        }
        Some(folder) => {
            let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
            written.into_diagnostic().wrap_err_with(|| format!("failed to write pages into {}", folder.display()))?;
        }
    }
    Ok(Exit::Clean)
}
