//! `plimsoll compare`: two images side by side, in config, files and behaviour.

use crate::builder::Builder;
use crate::command::build_args::BuildArgs;
use crate::config;
use crate::exit::Exit;
use crate::growth::{self, Growth};
use crate::image_source::{self, WithDockerfile};
use crate::proof::Prover;
use crate::report::compare::{self as report, Report, Side};
use crate::report::image::ImageReport;
use crate::snapshot::Snapshot;
use crate::{Global, place};
use miette::{Result, WrapErr};
use plimsoll_runtime::compare::Allowed;
use plimsoll_runtime::image::Image;
use plimsoll_runtime::inspect::{Source, inspect};
use plimsoll_runtime::store::Store;
use std::path::{Path, PathBuf};

/// Compare two images: layers, bytes, config, files and behaviour
///
/// A and B are references in the store, archives or layouts as `load` takes them, or folders with a Dockerfile (or
/// Dockerfiles themselves), which are built first. Exit code 3 when they differ beyond what --may-change names.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The image before
    a: String,
    /// The image after
    b: String,
    /// Start both, ask both the same, and compare what they answer
    #[arg(long, visible_alias = "behavior")]
    behaviour: bool,
    /// Paths (globs, from the root) in which they may differ; `config:NAME` for a field of the config
    #[arg(long, value_name = "GLOB")]
    may_change: Vec<String>,
    /// Do not compare the files
    #[arg(long)]
    no_tree: bool,
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: report::Format,
    #[command(flatten)]
    build: BuildArgs,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let id_map = place::enter()?;
    let store = place::store(global)?;
    let folder = [&args.a, &args.b].into_iter().map(Path::new).find(|path| path.exists());
    let folder = folder.map(|path| if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) });
    let config = config::load(global.config.as_deref(), folder.unwrap_or(Path::new(".")))?;
    let image = |name: &str| image_of(global, &args, &config, &store, name);
    let before = image(&args.a)?;
    let after = image(&args.b)?;
    let (fields, mut paths): (Vec<String>, Vec<String>) =
        args.may_change.iter().cloned().partition(|glob| glob.starts_with("config:"));
    let fields = fields.iter().filter_map(|name| name.strip_prefix("config:")).map(str::to_owned).collect();
    if args.no_tree {
        paths.push("/**".to_owned());
    }
    let allowed = Allowed { config: fields, paths, ..Allowed::default() };
    let mut prover = Prover::new(&store, &config)?;
    let comparison = if args.behaviour {
        prover = prover.with_services(global, &args.build)?.anew();
        let seen = prover.original(&before).wrap_err_with(|| format!("failed to run {}", args.a))?;
        prover.compare(&seen, &after, &allowed)?
    } else {
        prover.compare_static(&before, &after, &allowed)?
    };
    let growth = growth_of(global, &args, &config, &store, &before, &after)?;
    let report = Report {
        version: 1,
        growth: Some(growth),
        before: Side::new(&args.a, &before),
        after: Side::new(&args.b, &after),
        probes: if args.behaviour { prover.names().to_vec() } else { Vec::new() },
        same: comparison.same(),
        comparison,
        id_map,
    };
    crate::terminal::out!("{}", report::render(args.format, &report, global.color.stdout()));
    Ok(if report.same { Exit::Clean } else { Exit::Differ })
}

/// Bytes by instruction, package and path; lines are those of the Dockerfile of B, where there is one.
fn growth_of(
    global: &Global,
    args: &Args,
    config: &config::Config,
    store: &Store,
    before: &Image,
    after: &Image,
) -> Result<Growth> {
    let taken = |image: &Image| {
        let source = Source::stored(store, image);
        source.and_then(|source| inspect(&source)).map_err(|error| image_source::explain(&error))
    };
    let (old, new) = (taken(before)?, taken(after)?);
    let path = Path::new(&args.b);
    let named = path.file_name().and_then(|name| name.to_str()).is_some_and(crate::files::is_dockerfile_name);
    let dockerfile = match () {
        () if path.is_file() && named => Some(path.to_path_buf()),
        () if path.is_dir() => crate::files::dockerfile_of(path, args.build.file.as_deref()).ok(),
        () => args.build.file.clone(),
    };
    let build_args = args.build.build_args(config)?;
    let stage = args.build.target.as_deref();
    let dockerfile = dockerfile.map(|path| WithDockerfile::new(&path, stage, &build_args, &new, config)).transpose()?;
    let mut left = image_source::beside(global, &args.a, &old, None, None)?;
    let right = ImageReport::new(&new, &image_source::beside(global, &args.b, &new, None, dockerfile.as_ref())?);
    let same = old.layers.iter().zip(&new.layers).take_while(|(a, b)| a.diff_id == b.diff_id).count();
    if same >= right.base.layers {
        left.base = Some((right.base.layers, right.base.by.unwrap_or("store"), right.base.name.clone()));
    }
    let left = ImageReport::new(&old, &left);
    let (a, b) = (Snapshot::of(&left, &old, LEAST), Snapshot::of(&right, &new, LEAST));
    Ok(growth::between(&a, &b, &right, dockerfile.as_ref().map(|file| &file.mending)))
}

/// The smallest path that is looked at by itself.
const LEAST: u64 = 1024;

/// An image by name: in the store, in an archive or layout, or built from a folder or a Dockerfile.
fn image_of(global: &Global, args: &Args, config: &config::Config, store: &Store, name: &str) -> Result<Image> {
    let path = PathBuf::from(name);
    if path.is_dir() && !path.join("oci-layout").exists() {
        let dockerfile = crate::files::dockerfile_of(&path, args.build.file.as_deref())?;
        let mut builder = Builder::new(global, &args.build, config, &path, &dockerfile)?;
        return Ok(builder.build_path(name)?.image);
    }
    let is_dockerfile = path.file_name().and_then(|n| n.to_str()).is_some_and(crate::files::is_dockerfile_name);
    if path.is_file() && is_dockerfile {
        let context = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = Builder::new(global, &args.build, config, context, &path)?;
        return Ok(builder.build_path(name)?.image);
    }
    if path.exists() {
        return Ok(crate::command::images::load_from(store, &path, None)?.image);
    }
    crate::command::images::find(store, name)
}
