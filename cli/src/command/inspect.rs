//! `plimsoll inspect`: where an image's bytes come from.

use super::images;
use crate::exit::Exit;
use crate::image_source::{self, WithDockerfile};
use crate::report::image::{self as report, Format, ImageReport};
use crate::report::template::{self, Written};
use crate::{Global, config, place};
use miette::Result;
use plimsoll_runtime::inspect::{Inspected, Source, inspect};
use std::path::{Path, PathBuf};

/// Show where an image's bytes come from
///
/// Layers with the instruction that made them, and its line when the Dockerfile is given with --file; bytes that no
/// container sees (overwritten, deleted or re-owned by a later layer) or that stand there twice, each counted once, with
/// the instruction to blame and the rule that mends it; the largest paths, files by kind, installed packages.
///
/// IMAGE is an archive or layout (PATH, PATH#NAME, or - for standard input), a reference in the store or a registry, or
/// docker:NAME or podman:NAME for an image of a daemon.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The image
    image: String,
    /// The Dockerfile it was built from, so that lines can be named
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The stage of the Dockerfile that was built [default: the last one]
    #[arg(long, value_name = "STAGE", requires = "file")]
    target: Option<String>,
    /// The base image, so that its share is told apart [default: found from --file, the store or the history]
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    /// Platform to take of several, os/arch[/variant]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Tell the compressed size too; layers that are not compressed are compressed to see
    #[arg(long)]
    compressed: bool,
    /// How it is written: text, json, markdown, html, or a template such as '{{.Id}}' for fields that docker shows
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = Written::<Format>::parse)]
    format: Written<Format>,
    /// Rows of each list in text and Markdown
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    top: usize,
    /// Walk through layers and folders by keys
    #[arg(long, conflicts_with = "format")]
    tui: bool,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    // What docker calls -f is no file.
    let braces = args.file.as_ref().and_then(|path| path.to_str()).filter(|text| template::is_template(text));
    let (format, template) = match &args.format {
        Written::Report(format) => (*format, braces),
        Written::Template(template) => (Format::Text, Some(template.as_str())),
    };
    if template.is_some() {
        let store = place::store(global)?;
        let image = images::find_for(&store, &args.image, args.platform.as_deref())?;
        return super::image::show(&store, &[image], template);
    }
    let source = image_source::open(global, &args.image, args.platform.as_deref())?;
    let found = inspect(&source).map_err(|error| image_source::explain(&error))?;
    let dockerfile = args.file.as_deref().map(|path| with_dockerfile(global, path, args.target.as_deref(), &found));
    let dockerfile = dockerfile.transpose()?;
    let mut beside = image_source::beside(global, &args.image, &found, args.base.as_deref(), dockerfile.as_ref())?;
    if args.compressed {
        beside.compressed = Some(compressed(&source)?);
    }
    let report = ImageReport::new(&found, &beside);
    if args.tui {
        crate::browse::browse(&report, &found)?;
    } else {
        crate::terminal::out!("{}", report::render(format, &report, &found, args.top, global.color.stdout()));
    }
    Ok(Exit::Clean)
}

/// Bytes of all layers as a registry would get them.
pub fn compressed(source: &Source) -> Result<u64> {
    let mut sum = 0;
    for layer in &source.layers {
        sum += layer.compressed().map_err(|error| image_source::explain(&error))?;
    }
    Ok(sum)
}

fn with_dockerfile(global: &Global, path: &Path, target: Option<&str>, found: &Inspected) -> Result<WithDockerfile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let config = config::load(global.config.as_deref(), folder)?;
    WithDockerfile::new(path, target, &config.build.args, found, &config)
}
