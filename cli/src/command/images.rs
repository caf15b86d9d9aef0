//! The local store: `images`, `pull`, `push`, `tag`, `rm`, `save`, `load`, `prune`.

use crate::exit::Exit;
use crate::report::template::{self, Written};
use crate::terminal::{self, Paint, outln};
use crate::{Global, place};
use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::digest::Digest;
use plimsoll_runtime::export::{self, ExportOptions, Format as ExportFormat, Loaded, Named};
use plimsoll_runtime::image::{Image, Platform};
use plimsoll_runtime::layer::Compression;
use plimsoll_runtime::reference::Reference;
use plimsoll_runtime::registry::{self, PullOptions, PushOptions, RegistryError};
use plimsoll_runtime::store::{PruneOptions, Store};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
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
    /// How it is written: text, json, or a template such as '{{.Repository}}:{{.Tag}}'
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = Written::<Format>::parse)]
    format: Written<Format>,
    /// Only digests
    #[arg(long, conflicts_with = "format")]
    digests: bool,
    /// All of them; they always are
    #[arg(short, long, hide = true)]
    all: bool,
    /// Do not shorten IDs
    #[arg(long)]
    no_trunc: bool,
    /// Only the images of this name, with any tag or with one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    Verify(VerifyArgs),
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
    /// What goes, by name or ID
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// A container is killed first; the ID of an image takes all its names away
    #[arg(short, long)]
    pub force: bool,
    #[arg(long, hide = true)]
    no_prune: bool,
}

/// Write images to an archive or layout that other tools read
#[derive(clap::Args, Debug)]
pub struct SaveArgs {
    /// References
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// File, or folder for the oci layout; `-` is standard output
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    output: PathBuf,
    /// What is written
    #[arg(long, value_enum, default_value = "docker-archive")]
    format: SaveFormat,
    /// Compression of the layers [default: each as it is in the store]
    #[arg(long, value_enum)]
    compression: Option<SaveCompression>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SaveCompression {
    None,
    Gzip,
    Zstd,
}

impl SaveCompression {
    fn kind(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip => Compression::Gzip,
            Self::Zstd => Compression::Zstd,
        }
    }
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
    /// Forget results of earlier builds too. Images that have a name stay: `rm` takes names away
    #[arg(short, long)]
    all: bool,
    /// Accepted for docker's sake: nothing is ever asked
    #[arg(short, long, hide = true)]
    force: bool,
    /// Accepted for docker's sake: no volumes are kept
    #[arg(long, hide = true)]
    volumes: bool,
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

/// Hash everything in the store and read every image; nothing is changed
///
/// Exit code 1 when something is damaged. `plimsoll prune --verify` removes it, and what needs it is built or fetched again.
#[derive(clap::Args, Debug)]
struct VerifyArgs {
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `plimsoll images verify`
fn verify(global: &Global, args: &VerifyArgs) -> Result<Exit> {
    let verified = place::store(global)?.verify().map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    })?;
    let problems: Vec<String> = verified.problems.iter().map(ToString::to_string).collect();
    if args.format == Format::Json {
        let report = serde_json::json!({ "blobs": verified.blobs, "bytes": verified.bytes, "problems": problems });
        outln!("{report}");
    } else {
        for problem in &problems {
            outln!("{problem}");
        }
        let found = match problems.len() {
            0 => "nothing is damaged".to_owned(),
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        outln!("{} in {} blobs: {found}", terminal::size(verified.bytes), verified.blobs);
    }
    Ok(if problems.is_empty() { Exit::Clean } else { Exit::Findings })
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
    if let Some(Action::Verify(args)) = &args.action {
        return verify(global, args);
    }
    let store = place::store(global)?;
    let mut listed = list(&store)?;
    if let Some(wanted) = &args.name {
        let named = |reference: &str| {
            let own = familiar(reference);
            own == *wanted || reference == wanted || own.rsplit_once(':').is_some_and(|(name, _)| name == wanted)
        };
        listed.retain(|image| image.reference.as_deref().is_some_and(named));
    }
    let short = |id: &str| match args.no_trunc {
        true => id.to_owned(),
        false => id.trim_start_matches("sha256:").get(..12).unwrap_or_default().to_owned(),
    };
    let format = match &args.format {
        Written::Report(format) => *format,
        Written::Template(template) => return fill_each(&listed, template, &short),
    };
    if global.quiet && format == Format::Text && !args.digests {
        for image in &listed {
            outln!("{}", short(&image.id));
        }
        return Ok(Exit::Clean);
    }
    if args.digests {
        for image in listed {
            outln!("{}", image.digest);
        }
        return Ok(Exit::Clean);
    }
    if format == Format::Json {
        outln!("{}", serde_json::to_string_pretty(&listed).into_diagnostic()?);
        return Ok(Exit::Clean);
    }
    let name = |image: &Listed| image.reference.as_deref().map_or("<none>".to_owned(), familiar);
    let width = listed.iter().map(|image| name(image).len()).max().unwrap_or(0).max(5);
    let paint = Paint(global.color.stdout());
    let heading = format!("{:width$}  {:12}  {:14}  {:>6}  {:>9}", "IMAGE", "ID", "PLATFORM", "LAYERS", "SIZE");
    outln!("{}", paint.bold(heading));
    for image in &listed {
        let (id, name) = (short(&image.id), name(image));
        outln!("{name:width$}  {id:12}  {:14}  {:>6}  {:>9}", image.platform, image.layers, terminal::size(image.size));
    }
    Ok(Exit::Clean)
}

/// A line for each image, with docker's names for what it shows.
fn fill_each(listed: &[Listed], template: &str, short: &dyn Fn(&str) -> String) -> Result<Exit> {
    for image in listed {
        let name = image.reference.as_deref().map(familiar).unwrap_or_default();
        let (repository, tag) = split_tag(&name);
        let tag = tag.unwrap_or("<none>");
        let value = serde_json::json!({
            "Repository": repository, "Tag": tag, "ID": short(&image.id), "Digest": image.digest, "CreatedAt": image.created,
            "Size": terminal::size(image.size), "Platform": image.platform, "Layers": image.layers,
        });
        let filled = template::fill(template, &value)
            .map_err(|why| miette!(help = "without --format a table is printed", "failed to read --format: {why}"))?;
        outln!("{filled}");
    }
    Ok(Exit::Clean)
}

/// A name and its tag.
pub fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
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

/// The image of this reference or ID, or an error that says what is there.
pub fn find(store: &Store, reference: &str) -> Result<Image> {
    find_for(store, reference, None)
}

/// The same of this platform.
pub fn find_for(store: &Store, reference: &str, platform: Option<&str>) -> Result<Image> {
    if let Some(image) = present(store, reference, platform)? {
        return Ok(image);
    }
    let known: Vec<String> =
        store.list().into_diagnostic()?.into_iter().filter_map(|t| t.reference).map(|r| familiar(&r)).collect();
    let help = if known.is_empty() {
        "the store is empty: `plimsoll pull`, `plimsoll load` or `plimsoll build` put images there".to_owned()
    } else {
        format!("the store has {}", known.join(", "))
    };
    Err(miette!(help = help, "failed to find the image {reference} in the store"))
}

/// The image of this reference or ID; one that is not in the store is fetched.
pub fn find_or_pull(global: &Global, store: &Store, reference: &str, platform: Option<&str>) -> Result<Image> {
    match present(store, reference, platform)? {
        Some(image) => Ok(image),
        None => fetch(global, store, reference, platform),
    }
}

fn read_platform(text: Option<&str>) -> Result<Platform> {
    let Some(text) = text else { return Ok(Platform::host()) };
    Platform::parse(text)
        .ok_or_else(|| miette!(help = "write it as linux/arm64", "failed to read --platform {text}: it is none"))
}

fn present(store: &Store, reference: &str, platform: Option<&str>) -> Result<Option<Image>> {
    let platform = read_platform(platform)?;
    let id = reference.strip_prefix("sha256:").unwrap_or(reference);
    let is_id = (4..=64).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !reference.starts_with("sha256:")
        && let Some(image) = store.resolve_for(reference, &platform).into_diagnostic()?
    {
        return Ok(Some(image));
    }
    if is_id { by_id(store, id) } else { Ok(None) }
}

/// The one image whose ID, or whose manifest's digest, begins with this.
fn by_id(store: &Store, start: &str) -> Result<Option<Image>> {
    let mut found: Option<Image> = None;
    for tagged in store.list().into_diagnostic()? {
        let image = store.image(&tagged.manifest).into_diagnostic()?;
        if !image.config_digest.hex().starts_with(start) && !image.manifest.hex().starts_with(start) {
            continue;
        }
        if found.as_ref().is_some_and(|other| other.manifest != image.manifest) {
            return Err(miette!(
                help = "write more of the ID",
                "failed to find the image {start}: several IDs begin so"
            ));
        }
        found = Some(image);
    }
    Ok(found)
}

/// `plimsoll rm`
pub fn rm(global: &Global, names: &[String], force: bool) -> Result<Exit> {
    let store = place::store(global)?;
    let mut exit = Exit::Clean;
    for name in names {
        if store.untag(name).into_diagnostic()? {
            outln!("Untagged: {}", Reference::parse(name).map_or_else(|_| name.clone(), |name| name.familiar()));
            continue;
        }
        let Some(image) = present(&store, name, None)? else {
            eprintln!("failed to remove {name}: no such image");
            exit = Exit::Failed;
            continue;
        };
        let names = store.list().into_diagnostic()?.into_iter().filter(|tagged| tagged.manifest == image.manifest);
        let names: Vec<String> = names.filter_map(|tagged| tagged.reference).collect();
        if names.len() > 1 && !force {
            let names: Vec<String> = names.iter().map(|name| familiar(name)).collect();
            eprintln!("failed to remove {name}: it has several names, {}; --force takes all of them", names.join(", "));
            exit = Exit::Failed;
            continue;
        }
        for name in names {
            store.untag(&name).into_diagnostic()?;
            outln!("Untagged: {}", familiar(&name));
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
    outln!(
        "{} in {} blobs, {} unpacked layers, {} results of earlier builds and {} unfinished files removed",
        terminal::size(pruned.bytes),
        pruned.blobs,
        pruned.snapshots,
        pruned.cache_entries,
        pruned.unfinished
    );
    Ok(Exit::Clean)
}
/// `plimsoll save`
pub fn save(global: &Global, args: SaveArgs) -> Result<Exit> {
    let store = place::store(global)?;
    let found = args.images.iter().map(|name| find(&store, name)).collect::<Result<Vec<_>>>()?;
    let format = match args.format {
        SaveFormat::DockerArchive => ExportFormat::DockerArchive,
        SaveFormat::OciArchive => ExportFormat::OciArchive,
        SaveFormat::Oci => ExportFormat::OciDirectory,
    };
    if args.output.as_os_str() == crate::files::STDIN && std::io::stdout().is_terminal() {
        return Err(miette!(
            help = "redirect it, or name a file with -o",
            "failed to save: an archive is nothing for a terminal"
        ));
    }
    let options = ExportOptions { format, compression: args.compression.map(SaveCompression::kind), level: None };
    // An ID is no name, and an image that is asked for by several is written once.
    let mut images: Vec<Named<'_>> = Vec::new();
    for (image, name) in found.iter().zip(&args.images) {
        let is_name = store.resolve(name).is_ok_and(|named| named.is_some());
        let name = is_name.then(|| name.clone());
        match images.iter_mut().find(|known| known.image.manifest == image.manifest) {
            Some(known) => known.references.extend(name),
            None => images.push(Named { image, references: name.into_iter().collect() }),
        }
    }
    super::build::write_images(&store, &images, &options, &args.output)?;
    Ok(Exit::Clean)
}

/// `plimsoll load`
pub fn load(global: &Global, args: LoadArgs) -> Result<Exit> {
    let store = place::store(global)?;
    for loaded in load_all(&store, &args.input, args.name.as_deref())? {
        let name = loaded.reference.as_deref().map_or_else(|| loaded.image.manifest.to_string(), familiar);
        outln!("Loaded image: {name}");
    }
    Ok(Exit::Clean)
}

fn load_all(store: &Store, path: &Path, name: Option<&str>) -> Result<Vec<Loaded>> {
    export::load(store, path, name).map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "failed to load {}: {error}", path.display()),
        None => miette!("failed to load {}: {error}", path.display()),
    })
}

/// The first image of an archive or layout, now in the store.
pub fn load_from(store: &Store, path: &Path, name: Option<&str>) -> Result<Loaded> {
    let first = load_all(store, path, name)?.into_iter().next();
    first.ok_or_else(|| miette!("failed to load {}: it holds no image", path.display()))
}

/// `plimsoll pull`
pub fn pull(global: &Global, args: PullArgs) -> Result<Exit> {
    let store = place::store(global)?;
    let image = fetch(global, &store, &args.image, args.platform.as_deref())?;
    outln!("{}", image.manifest);
    Ok(Exit::Clean)
}

/// Fetches the image of this reference.
pub fn fetch(global: &Global, store: &Store, reference: &str, platform: Option<&str>) -> Result<Image> {
    let options = PullOptions { platform: read_platform(platform)?, ..PullOptions::default() };
    let moving = Moving::new(global, &format!("pulling {reference}"));
    registry::pull(reference, store, &options, &moving).map_err(|error| explain(&error))
}

fn explain(error: &RegistryError) -> miette::Report {
    match error.help() {
        Some(help) => miette!(help = help, "failed to {error}"),
        None => miette!("failed to {error}"),
    }
}

/// Fetches an image that gets no name.
pub fn fetch_unnamed(global: &Global, store: &Store, reference: &str) -> Result<Image> {
    let moving = Moving::new(global, &format!("pulling {reference}"));
    let fetched = registry::pull_unnamed(reference, store, &PullOptions::default(), &moving);
    fetched.map(|(_, image)| image).map_err(|error| explain(&error))
}

/// The image of an OCI layout, by tag or digest where it has several; it gets no name.
pub fn layout_image(store: &Store, path: &Path, tag: Option<&str>, digest: Option<&str>) -> Result<Image> {
    let all = load_all(store, path, None)?;
    let is_wanted = |loaded: &Loaded| match (tag, digest) {
        (_, Some(digest)) => loaded.image.manifest.to_string() == digest,
        (Some(tag), None) => loaded.reference.as_ref().is_some_and(|name| name.ends_with(&format!(":{tag}"))),
        (None, None) => true,
    };
    // One that has no name at all can only be meant.
    let only = all.len() == 1 && digest.is_none();
    let found = all.into_iter().find(|loaded| is_wanted(loaded) || only && loaded.reference.is_none());
    found.map(|loaded| loaded.image).ok_or_else(|| {
        let wanted = digest.or(tag).unwrap_or("image");
        miette!(help = "name it by its digest: DIR@sha256:…", "failed to find {wanted} in {}", path.display())
    })
}

/// Sends an image to the registry that `name` says.
pub fn push_image(
    global: &Global,
    store: &Store,
    image: &Image,
    name: &str,
    options: &PushOptions,
) -> Result<registry::Pushed> {
    let moving = Moving::new(global, &format!("pushing {name}"));
    registry::push(store, image, name, options, &moving).map_err(|error| explain(&error))
}

/// `plimsoll push`
pub fn push(global: &Global, args: PushArgs) -> Result<Exit> {
    let store = place::store(global)?;
    let image = find(&store, &args.image)?;
    let pushed = push_image(global, &store, &image, &args.image, &PushOptions::default())?;
    outln!("{}: digest: {} size: {}", args.image, pushed.manifest, pushed.size);
    Ok(Exit::Clean)
}

/// Blobs on their way, as one bar.
struct Moving {
    bar: Option<ProgressBar>,
    blobs: Mutex<BTreeMap<Digest, (u64, u64)>>,
}

impl Moving {
    fn new(global: &Global, title: &str) -> Self {
        let bar = (!global.quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}") {
                bar.set_style(style);
            }
            bar.set_message(title.to_owned());
            bar
        });
        if bar.is_none() && !global.quiet {
            eprintln!("{title}");
        }
        Self { bar, blobs: Mutex::new(BTreeMap::new()) }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl registry::Progress for Moving {
    fn moved(&self, blob: &Digest, done: u64, total: u64) {
        let (Some(bar), Ok(mut blobs)) = (&self.bar, self.blobs.lock()) else { return };
        blobs.insert(*blob, (done, total));
        bar.set_length(blobs.values().map(|blob| blob.1).sum());
        bar.set_position(blobs.values().map(|blob| blob.0).sum());
    }
}
