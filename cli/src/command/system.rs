//! `plimsoll system`: what the store takes, and freeing it.

use crate::command::images::{self, Format, PruneArgs};
use crate::exit::Exit;
use crate::terminal::{Paint, outln, size};
use crate::{Global, place};
use miette::{Result, miette};
use plimsoll_runtime::store::Share;

/// The store as a whole: df, prune
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    Df(DfArgs),
    Prune(PruneArgs),
}

/// Show what the store takes on disk
#[derive(clap::Args, Debug)]
struct DfArgs {
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    match args.action {
        Action::Df(args) => df(global, &args),
        Action::Prune(args) => images::prune(global, args),
    }
}

fn df(global: &Global, args: &DfArgs) -> Result<Exit> {
    place::enter()?;
    let usage = place::store(global)?.usage().map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "failed to {error}"),
        None => miette!("failed to {error}"),
    })?;
    let rows = [
        ("images", "Images", usage.images),
        ("unpacked", "Unpacked layers", usage.snapshots),
        ("results", "Results of builds", usage.results),
        ("unneeded", "Needed by nothing", usage.unneeded),
    ];
    if args.format == Format::Json {
        let row = |(name, _, share): &(&str, &str, Share)| {
            ((*name).to_owned(), serde_json::json!({ "count": share.count, "bytes": share.bytes }))
        };
        let report: serde_json::Map<String, serde_json::Value> = rows.iter().map(row).collect();
        outln!("{}", serde_json::Value::Object(report));
        return Ok(Exit::Clean);
    }
    let paint = Paint(global.color.stdout());
    outln!("{}", paint.bold(format!("{:17}  {:>6}  {:>9}", "TYPE", "COUNT", "SIZE")));
    for (_, title, share) in rows {
        outln!("{title:17}  {:>6}  {:>9}", share.count, size(share.bytes));
    }
    Ok(Exit::Clean)
}
