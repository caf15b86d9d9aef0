//! `plimsoll build`

use crate::builder::Builder;
use crate::command::build_args::BuildArgs;
use crate::exit::Exit;
use crate::{Global, config, files, place};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::build::Built;
use plimsoll_runtime::export::{self, ExportOptions, Format, Named};
use plimsoll_runtime::layer::Compression;
use plimsoll_runtime::store::Store;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Build an image from a Dockerfile, without a daemon
///
/// The flags are docker build's. The image goes into the store; --output writes it elsewhere as well.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The build context
    #[arg(value_name = "CONTEXT", default_value = ".")]
    context: PathBuf,
    /// Name of the image, NAME[:TAG]
    #[arg(short, long = "tag", value_name = "NAME")]
    tags: Vec<String>,
    /// Add a label
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// Write the image too: type=oci|docker,dest=PATH[,tar=false][,compression=none|gzip|zstd]
    #[arg(short, long, value_name = "SPEC")]
    output: Option<String>,
    /// Write the image ID here
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Write what is known of the build here, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// How the result is told: text prints the image ID, json the layers and steps
    #[arg(long, value_enum, default_value = "text")]
    format: super::images::Format,
    #[command(flatten)]
    build: BuildArgs,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let output = args.output.as_deref().map(read_output).transpose()?;
    place::enter()?;
    let config = config::load(global.config.as_deref(), &args.context)?;
    let dockerfile = match args.build.file.as_deref() {
        Some(path) if path.as_os_str() == files::STDIN => path.to_path_buf(),
        named => files::dockerfile_of(&args.context, named)?,
    };
    let mut builder = Builder::new(global, &args.build, &config, &args.context, &dockerfile)?;
    builder.options_mut().tags.clone_from(&args.tags);
    for label in &args.labels {
        let (name, value) = label.split_once('=').unwrap_or((label, ""));
        builder.options_mut().labels.insert(name.to_owned(), value.to_owned());
    }
    let built = builder.build_path("")?;
    let store = builder.store().clone();
    drop(builder);
    if let Some(output) = output {
        output.write(&store, &built, &args.tags)?;
    }
    if let Some(path) = &args.iidfile {
        files::write_atomically(path, built.image.config_digest.to_string().as_bytes())?;
    }
    let report = describe(&built, &args.tags);
    let text = serde_json::to_string_pretty(&report).into_diagnostic()?;
    if let Some(path) = &args.metadata_file {
        files::write_atomically(path, text.as_bytes())?;
    }
    match args.format {
        super::images::Format::Text => crate::terminal::outln!("{}", built.image.config_digest),
        super::images::Format::Json => crate::terminal::outln!("{text}"),
    }
    Ok(Exit::Clean)
}

fn describe(built: &Built, tags: &[String]) -> serde_json::Value {
    let layers = built.image.layers.iter();
    let steps = built.steps.iter();
    json!({
        "version": 1,
        "containerimage.digest": built.image.manifest.to_string(),
        "containerimage.config.digest": built.image.config_digest.to_string(),
        "image.name": tags,
        "size": built.image.size(),
        "layers": layers.map(|layer| json!({
            "diff_id": layer.diff_id.to_string(), "size": layer.size, "created_by": layer.created_by,
        })).collect::<Vec<_>>(),
        "steps": steps.map(|step| json!({
            "stage": step.stage, "line": step.line, "created_by": step.created_by, "cached": step.cached,
            "seconds": step.duration.as_secs_f64(), "bytes": step.layer.as_ref().map(|layer| layer.size),
        })).collect::<Vec<_>>(),
    })
}

/// Where else an image goes.
struct Output {
    options: ExportOptions,
    path: PathBuf,
}

fn read_output(spec: &str) -> Result<Output> {
    const HELP: &str =
        "write it as type=oci|docker,dest=PATH[,tar=false][,compression=none|gzip|zstd][,compression-level=N]";
    let wrong = |why: String| miette!(help = HELP, "failed to read --output {spec}: {why}");
    let (mut kind, mut path, mut compression, mut level, mut tar) = (None, None, None, None, true);
    for part in spec.split(',') {
        match part.split_once('=') {
            Some(("type", name)) => kind = Some(name),
            Some(("dest", value)) => path = Some(PathBuf::from(value)),
            Some(("tar", value)) => tar = value == "true",
            Some(("compression", "none" | "uncompressed")) => compression = Some(Compression::None),
            Some(("compression", "gzip")) => compression = Some(Compression::Gzip),
            Some(("compression", "zstd")) => compression = Some(Compression::Zstd),
            Some(("compression-level", value)) => {
                level = Some(value.parse().map_err(|_| wrong(format!("level {value} is no number")))?);
            }
            _ => return Err(wrong(format!("`{part}` is not known"))),
        }
    }
    let format = match kind {
        Some("oci") if tar => Format::OciArchive,
        Some("oci") => Format::OciDirectory,
        Some("docker") => Format::DockerArchive,
        Some(other) => return Err(wrong(format!("type {other} is not known"))),
        None => return Err(wrong("type= is missing".to_owned())),
    };
    let path = path.ok_or_else(|| wrong("dest= is missing".to_owned()))?;
    Ok(Output { options: ExportOptions { format, compression, level }, path })
}

impl Output {
    fn write(&self, store: &Store, built: &Built, names: &[String]) -> Result<()> {
        let images = [Named { image: &built.image, references: names.to_vec() }];
        write_images(store, &images, &self.options, &self.path)
    }
}

/// Writes images to a file or folder; `-` is standard output.
pub fn write_images(store: &Store, images: &[Named<'_>], options: &ExportOptions, path: &Path) -> Result<()> {
    let done = if path.as_os_str() == files::STDIN {
        export::export_to(store, images, options, std::io::stdout().lock())
    } else {
        export::export(store, images, options, path)
    };
    done.map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "failed to write {}: {error}", path.display()),
        None => miette!("failed to write {}: {error}", path.display()),
    })
}
