//! `plimsoll image`: the commands that docker has below `image`; each is the one of the same name without it.

use super::{build, history, images};
use crate::exit::Exit;
use crate::report::{docker, template};
use crate::terminal::outln;
use crate::{Global, place};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::image::Image;
use plimsoll_runtime::store::Store;

/// Images, by docker's commands: ls, inspect, history, build, pull, push, tag, rm, save, load, prune
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    #[command(visible_alias = "list")]
    Ls(images::ImagesArgs),
    Inspect(InspectArgs),
    History(history::Args),
    Build(Box<build::Args>),
    Pull(images::PullArgs),
    Push(images::PushArgs),
    Tag(images::TagArgs),
    #[command(visible_alias = "remove")]
    Rm(images::RmArgs),
    Save(images::SaveArgs),
    Load(images::LoadArgs),
    Prune(images::PruneArgs),
}

/// Show the configuration of images as docker does: JSON, or what a template picks
///
/// Where the bytes come from is told by `plimsoll inspect`.
#[derive(clap::Args, Debug)]
struct InspectArgs {
    /// A template, such as '{{.Id}}' or '{{json .Config}}'
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// References or IDs
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    match args.action {
        Action::Ls(args) => images::images(global, args),
        Action::Inspect(args) => {
            let store = place::store(global)?;
            let found = args.images.iter().map(|name| images::find(&store, name)).collect::<Result<Vec<_>>>()?;
            show(&store, &found, args.format.as_deref())
        }
        Action::History(args) => history::run(global, args),
        Action::Build(args) => build::run(global, *args),
        Action::Pull(args) => images::pull(global, args),
        Action::Push(args) => images::push(global, args),
        Action::Tag(args) => images::tag(global, args),
        Action::Rm(args) => images::rm(global, &args.names, args.force),
        Action::Save(args) => images::save(global, args),
        Action::Load(args) => images::load(global, args),
        Action::Prune(args) => images::prune(global, args),
    }
}

/// Writes images as docker does.
pub fn show(store: &Store, images: &[Image], format: Option<&str>) -> Result<Exit> {
    let all = store.list().into_diagnostic()?;
    let values = images.iter().map(|image| {
        let names = all.iter().filter(|tagged| tagged.manifest == image.manifest);
        docker::image(image, &names.filter_map(|tagged| tagged.reference.clone()).collect::<Vec<_>>())
    });
    let values: Vec<serde_json::Value> = values.collect();
    match format {
        None | Some("json") => outln!("{:#}", serde_json::Value::Array(values)),
        Some(template) => {
            for value in &values {
                let filled = template::fill(template, value).map_err(|why| {
                    miette!(help = "without --format all fields are shown", "failed to read --format: {why}")
                })?;
                outln!("{filled}");
            }
        }
    }
    Ok(Exit::Clean)
}
