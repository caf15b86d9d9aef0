//! `plimsoll config`: which settings are in force, what a file may say, and hadolint's file as one of ours.

use super::images::Format;
use crate::Global;
use crate::config::{self, hadolint, show};
use crate::exit::Exit;
use miette::{IntoDiagnostic, Result};
use serde_json::json;
use std::path::PathBuf;

/// Show the settings in force, the schema of plimsoll.toml, or what a .hadolint.yaml says in it
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Print every setting in force for a file or folder, and where it comes from
    Show {
        /// The Dockerfile or folder
        #[arg(value_name = "PATH", default_value = ".")]
        path: PathBuf,
        /// How it is written
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Print the JSON schema of plimsoll.toml, for editors
    Schema,
    /// Print the plimsoll.toml that says what a .hadolint.yaml says
    Convert {
        /// The file of hadolint
        #[arg(value_name = "FILE", default_value = ".hadolint.yaml")]
        file: PathBuf,
    },
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    match args.what {
        What::Show { path, format } => show(global, path, format)?,
        What::Schema => {
            crate::terminal::outln!("{}", serde_json::to_string_pretty(&show::schema()).into_diagnostic()?);
        }
        What::Convert { file } => {
            let text = std::fs::read_to_string(&file).map_err(|error| crate::files::unreadable(&file, &error))?;
            crate::terminal::out!("{}", toml::to_string_pretty(&hadolint::tables(&file, &text)?).into_diagnostic()?);
        }
    }
    Ok(Exit::Clean)
}

fn show(global: &Global, path: PathBuf, format: Format) -> Result<()> {
    let meta = std::fs::metadata(&path).map_err(|error| crate::files::unreadable(&path, &error))?;
    let folder = match path.parent() {
        _ if meta.is_dir() => path.clone(),
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let config = config::load_for_lint(global.config.as_deref(), &folder)?;
    // Whatever is wrong with the settings is told before they are shown.
    config.lint_settings(&path)?;
    let settings = show::settings(&config, &path)?;
    if format == Format::Json {
        let value = json!({ "version": 1, "file": config.path, "settings": settings });
        crate::terminal::outln!("{}", serde_json::to_string_pretty(&value).into_diagnostic()?);
        return Ok(());
    }
    let line = |setting: &show::Setting| {
        let value = if setting.value.is_null() { "none".to_owned() } else { setting.value.to_string() };
        format!("{} = {value}", setting.key)
    };
    let width = settings.iter().map(|setting| line(setting).chars().count()).filter(|width| *width < 60).max();
    for setting in &settings {
        let place = setting.line.map(|line| format!(":{line}")).unwrap_or_default();
        crate::terminal::outln!("{:width$}  # {}{place}", line(setting), setting.from, width = width.unwrap_or(0));
    }
    Ok(())
}
