//! The local store: `images`, `pull`, `push`, `tag`, `rm`, `save`, `load`, `prune`.

use crate::exit::Exit;
use crate::terminal::{self, Paint};
use crate::{Global, place};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::store::{PruneOptions, Store};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table
    #[default]
    Text,
    /// For programs
    Json,
}

/// List the images in the store
#[derive(clap::Args, Debug)]
pub struct ImagesArgs {
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Only digests
    #[arg(long, conflicts_with = "format")]
    digests: bool,
}

/// Fetch an image from a registry into the store
#[derive(clap::Args, Debug)]
pub struct PullArgs {
    /// Reference, such as debian:bookworm or ghcr.io/owner/name:tag
    image: String,
    /// os/arch[/variant]
    #[arg(long)]
    platform: Option<String>,
}

/// Send an image to a registry
#[derive(clap::Args, Debug)]
pub struct PushArgs {
    /// Reference; the registry is part of it
    image: String,
}

/// Give an image another name
#[derive(clap::Args, Debug)]
pub struct TagArgs {
    /// Image that is there
    image: String,
    /// New reference
    name: String,
}

/// Remove names of images; `prune` then frees the space
#[derive(clap::Args, Debug)]
pub struct RmArgs {
    /// References
    #[arg(required = true)]
    images: Vec<String>,
}

/// Write images to an archive or layout that other tools read
#[derive(clap::Args, Debug)]
pub struct SaveArgs {
    /// Reference
    image: String,
    /// File, or folder for the oci layout; `-` is standard output
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    output: PathBuf,
    /// What is written
    #[arg(long, value_enum, default_value = "docker-archive")]
    format: SaveFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SaveFormat {
    /// What `docker load` reads
    DockerArchive,
    /// A tar of an OCI image layout
    OciArchive,
    /// An OCI image layout, a folder
    Oci,
}

/// Read images from an archive or layout into the store
#[derive(clap::Args, Debug)]
pub struct LoadArgs {
    /// OCI layout (folder), OCI archive or docker archive; `-` is standard input
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    input: PathBuf,
    /// Name of the image, where the input has none or another is wanted
    #[arg(long, value_name = "REFERENCE")]
    name: Option<String>,
}

/// Free space: layers, blobs and cache entries that no image needs
#[derive(clap::Args, Debug)]
pub struct PruneArgs {
    /// Forget results of earlier builds too
    #[arg(long)]
    all: bool,
    /// Forget results of earlier builds older than this, such as 48h
    #[arg(long, value_name = "TIME", value_parser = crate::config::parse_duration)]
    older_than: Option<Duration>,
    /// Unpacked layers too; they are unpacked again when needed
    #[arg(long)]
    snapshots: bool,
    /// Hash every blob and remove damaged ones
    #[arg(long)]
    verify: bool,
}

#[derive(Serialize)]
struct Listed {
    reference: Option<String>,
    digest: String,
    id: String,
    platform: String,
    layers: usize,
    size: u64,
    created: Option<String>,
}

fn list(store: &Store) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for tagged in store.list().into_diagnostic()? {
        let image = store.image(&tagged.manifest).into_diagnostic()?;
        listed.push(Listed {
            reference: tagged.reference,
            digest: tagged.manifest.to_string(),
            id: image.config_digest.to_string(),
            platform: image.platform().to_string(),
            layers: image.layers.len(),
            size: image.size(),
            created: image.config.created.clone(),
        });
    }
    Ok(listed)
}

/// `plimsoll images`
pub fn images(global: &Global, args: ImagesArgs) -> Result<Exit> {
    let store = place::store(global)?;
    let listed = list(&store)?;
    if args.digests {
        for image in listed {
            crate::terminal::outln!("{}", image.digest);
        }
        return Ok(Exit::Clean);
    }
    if args.format == Format::Json {
        crate::terminal::outln!("{}", serde_json::to_string_pretty(&listed).into_diagnostic()?);
        return Ok(Exit::Clean);
    }
    let name = |image: &Listed| image.reference.as_deref().map_or("<none>".to_owned(), familiar);
    let width = listed.iter().map(|image| name(image).len()).max().unwrap_or(0).max(5);
    let paint = Paint(global.color.stdout());
    let heading = format!("{:width$}  {:12}  {:14}  {:>6}  {:>9}", "IMAGE", "ID", "PLATFORM", "LAYERS", "SIZE");
    crate::terminal::outln!("{}", paint.bold(heading));
    for image in &listed {
        let id = image.id.trim_start_matches("sha256:").get(..12).unwrap_or_default();
        let name = name(image);
        crate::terminal::outln!("{name:width$}  {id:12}  {:14}  {:>6}  {:>9}", image.platform, image.layers, terminal::size(image.size));
    }
    Ok(Exit::Clean)
}

/// The name as people write it: without the default registry and its library.
pub fn familiar(reference: &str) -> String {
    let short = reference.strip_prefix("docker.io/").unwrap_or(reference);
    short.strip_prefix("library/").unwrap_or(short).to_owned()
}

/// `plimsoll tag`
pub fn tag(global: &Global, args: TagArgs) -> Result<Exit> {
    let store = place::store(global)?;
    let image = find(&store, &args.image)?;
    store.tag(&args.name, &image.manifest).into_diagnostic()?;
    Ok(Exit::Clean)
}

/// The image of this reference, or an error that says what is there.
pub fn find(store: &Store, reference: &str) -> Result<plimsoll_runtime::image::Image> {
    if let Some(image) = store.resolve(reference).into_diagnostic()? {
        return Ok(image);
    }
    let known: Vec<String> = store.list().into_diagnostic()?.into_iter().filter_map(|t| t.reference).map(|r| familiar(&r)).collect();
    let help = if known.is_empty() {
        "the store is empty: `plimsoll pull`, `plimsoll load` or `plimsoll build` put images there".to_owned()
    } else {
        format!("the store has {}", known.join(", "))
    };
    Err(miette!(help = help, "failed to find the image {reference} in the store"))
}

/// The image of this reference; one that is not in the store is fetched.
pub fn find_or_pull(global: &Global, store: &Store, reference: &str) -> Result<plimsoll_runtime::image::Image> {
    if let Some(image) = store.resolve(reference).into_diagnostic()? {
        return Ok(image);
    }
    fetch(global, store, reference, None)
}

/// `plimsoll rm`
pub fn rm(global: &Global, args: RmArgs) -> Result<Exit> {
    let store = place::store(global)?;
    let mut exit = Exit::Clean;
    for image in &args.images {
        if !store.untag(image).into_diagnostic()? {
            eprintln!("failed to remove {image}: no such image");
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// `plimsoll prune`
pub fn prune(global: &Global, args: PruneArgs) -> Result<Exit> {
    place::enter()?;
    let store = place::store(global)?;
    let options = PruneOptions {
        cache: args.all,
        cache_older_than: args.older_than,
        snapshots: args.snapshots,
        verify: args.verify,
    };
    let pruned = store.prune(&options).map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    })?;
    crate::terminal::outln!(
        "{} in {} blobs, {} unpacked layers, {} results of earlier builds and {} unfinished files removed",
        terminal::size(pruned.bytes),
        pruned.blobs,
        pruned.snapshots,
        pruned.cache_entries,
        pruned.unfinished
    );
    Ok(Exit::Clean)
}
fn fetch(_global: &Global, _store: &Store, reference: &str, _platform: Option<&str>) -> Result<plimsoll_runtime::image::Image> {
    Err(miette!("no {reference}"))
}
pub fn pull(_global: &Global, _args: PullArgs) -> Result<Exit> { Ok(Exit::Clean) }
pub fn push(_global: &Global, _args: PushArgs) -> Result<Exit> { Ok(Exit::Clean) }
pub fn save(_global: &Global, _args: SaveArgs) -> Result<Exit> { Ok(Exit::Clean) }
pub fn load(_global: &Global, _args: LoadArgs) -> Result<Exit> { Ok(Exit::Clean) }
