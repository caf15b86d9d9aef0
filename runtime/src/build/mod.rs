//! The builder: a Dockerfile and a context in, an image in the store out.
//!
//! Every step that makes a layer has a key: a digest of the layers below it, of what it says once variables are expanded, and
//! of the content of what it copies. Where the store knows the key, the layer is taken from there without a mount, a process
//! or a tar.

mod archive;
mod contexts;
mod copy;
mod error;
mod exchange;
mod fetch;
mod files;
mod gather;
mod options;
mod progress;
mod remote;
mod repository;
mod run;
mod schedule;
mod sparse;
mod upper;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::ThreadId;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plimsoll_analyzer::stages::{self, Base, Stages};
use plimsoll_parser::TextRange;
use plimsoll_parser::source::{LineIndex, Source};
use plimsoll_parser::syntax::{Dockerfile, Instruction, Kind};
use serde::{Deserialize, Serialize};

use crate::context::{Context, Digests};
use crate::digest::{self, Digest};
use crate::image::{History, Image, Layer, Platform, rfc3339};
use crate::plan::{Action, Globals, State, Step};
use crate::registry::{self, PullOptions, RegistryError};
use crate::snapshot::Snapshots;
use crate::store::{Store, StoreError};
use schedule::Board;

pub use contexts::NamedContext;
pub use error::{BuildError, FileError, Place};
pub use exchange::{Results, cache_image, take_cache, with_inline_cache};
pub use options::{BuildOptions, Pull, Secret};
pub use progress::{Event, Progress};
pub use remote::{FetchedContext, context_at, context_from, is_address};

/// A finished build.
#[derive(Debug)]
pub struct Built {
    /// The image, in the store.
    pub image: Image,
    /// Every step that was carried out or found, in the order of the build.
    pub steps: Vec<StepReport>,
    /// What is known of its steps, for other stores.
    pub results: Results,
}

/// What became of one step.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// The stage's number.
    pub stage: usize,
    /// The instruction's place in the Dockerfile.
    pub range: TextRange,
    /// Its line.
    pub line: u32,
    /// What history says.
    pub created_by: String,
    /// Its key, where it makes a layer.
    pub key: Option<Digest>,
    /// Whether it had been done before.
    pub cached: bool,
    /// How long it took.
    pub duration: Duration,
    /// How long it took when it was really carried out, in this build or an earlier one.
    pub took: Duration,
    /// Its layer.
    pub layer: Option<Layer>,
}

/// What the store keeps of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cached {
    layer: Layer,
    created: String,
    /// Milliseconds it took to make.
    #[serde(default)]
    took: u64,
}

/// A stage that is built.
#[derive(Clone, Debug)]
struct Finished {
    state: State,
    layers: Vec<Layer>,
}

struct Builder<'b> {
    store: &'b Store,
    snapshots: Snapshots,
    options: &'b BuildOptions,
    progress: Mutex<&'b mut dyn Progress>,
    file: &'b Dockerfile<'b>,
    file_path: PathBuf,
    lines: LineIndex<'b>,
    stages: Stages,
    globals: Globals,
    platform: Platform,
    context: Context,
    digests: Digests,
    board: Board,
    images: Mutex<HashMap<(String, String), Fetching>>,
    /// Steps begun, and how many there will be.
    begun: AtomicUsize,
    results: Mutex<BTreeMap<Digest, Cached>>,
    total: AtomicUsize,
    /// When the step in hand of each thread began.
    step_started: Mutex<HashMap<ThreadId, Instant>>,
}

/// An image that one stage fetches and others wait for.
type Fetching = Arc<Mutex<Option<Image>>>;

type Result<T, E = BuildError> = std::result::Result<T, E>;

/// Part of every key: another version of the builder does not trust this one's layers.
const KEY_VERSION: &[u8] = b"plimsoll step 1";

/// Builds an image.
pub fn build(store: &Store, options: &BuildOptions, progress: &mut dyn Progress) -> Result<Built> {
    let path = options.dockerfile_path();
    let context_error = |source| BuildError::Context { path: options.context.clone(), source };
    if !options.context.is_dir() {
        std::fs::read_dir(&options.context).map_err(context_error)?;
    }
    let bytes = match &options.dockerfile_bytes {
        Some(bytes) => bytes.clone(),
        None => std::fs::read(&path).map_err(|source| BuildError::NoDockerfile { path: path.clone(), source })?,
    };
    let ignore = match &options.ignore_text {
        Some(text) => Some(text.clone()),
        None => read_ignore(options, &path)?,
    };
    let context = Context::open(&options.context, ignore.as_deref()).map_err(context_error)?;
    let source = Source::new(bytes);
    let file = plimsoll_parser::parse(source.text());
    let lines = LineIndex::new(source.text());
    let platform = match &options.platform {
        Some(text) => Platform::parse(text).ok_or_else(|| BuildError::Syntax {
            file: path.clone(),
            errors: vec![FileError {
                place: Place { file: path.clone(), line: 1, range: TextRange::at(0), instruction: String::new() },
                message: format!("--platform {text} is no platform"),
                help: Some("write it as linux/amd64 or linux/arm64/v8".to_owned()),
            }],
        })?,
        None => Platform::host(),
    };
    let for_stages = stages::Platform {
        os: platform.os.clone(),
        architecture: platform.architecture.clone(),
        variant: platform.variant.clone().unwrap_or_default(),
    };
    let stages = Stages::resolve(&file, &options.build_args, &for_stages);
    let global_args =
        stages.global_args.iter().filter_map(|arg| Some((arg.name.clone(), arg.value.clone()?))).collect();
    let globals =
        Globals { build_args: options.build_args.clone(), global_args, platform: for_stages, escape: file.escape };
    let builder = Builder {
        store,
        snapshots: Snapshots::new(store).map_err(BuildError::Snapshot)?,
        options,
        progress: Mutex::new(progress),
        file: &file,
        file_path: path,
        lines,
        stages,
        globals,
        platform,
        context,
        digests: Digests::open(store),
        board: Board::default(),
        images: Mutex::default(),
        begun: AtomicUsize::new(0),
        results: Mutex::default(),
        total: AtomicUsize::new(0),
        step_started: Mutex::default(),
    };
    builder.check()?;
    builder.warn_of_unused_args();
    let built = builder.build();
    // What was read is worth keeping even if the build failed; that it cannot be kept is no reason to fail.
    let _ = builder.digests.save();
    let (image, steps) = built?;
    for tag in &options.tags {
        store.tag(tag, &image.manifest)?;
    }
    let results = Results(std::mem::take(&mut schedule::locked(&builder.results)));
    Ok(Built { image, steps, results })
}

/// The ignore file of this Dockerfile, or that of the context.
fn read_ignore(options: &BuildOptions, dockerfile: &std::path::Path) -> Result<Option<String>> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    for path in [PathBuf::from(own), options.context.join(".dockerignore")] {
        match std::fs::read(&path) {
            Ok(bytes) => return Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(BuildError::Context { path, source }),
        }
    }
    Ok(None)
}

impl<'b> Builder<'b> {
    fn place(&self, range: TextRange, instruction: Option<&Instruction<'_>>) -> Place {
        Place {
            file: self.file_path.clone(),
            line: self.lines.line(range.start),
            range,
            instruction: instruction.map(|instruction| instruction.logical.text.trim().to_owned()).unwrap_or_default(),
        }
    }

    /// Refuses a file with errors, with all of them.
    fn check(&self) -> Result<()> {
        let mut errors: Vec<FileError> = Vec::new();
        for error in &self.file.errors {
            let place = self.place(error.range, None);
            errors.push(FileError { place, message: error.message.clone(), help: error.help.clone() });
        }
        for error in &self.stages.errors {
            let place = self.place(error.range, None);
            errors.push(FileError { place, message: error.message.clone(), help: None });
        }
        errors.sort_by_key(|error| error.place.range.start);
        if errors.is_empty() { Ok(()) } else { Err(BuildError::Syntax { file: self.file_path.clone(), errors }) }
    }

    fn build(&self) -> Result<(Image, Vec<StepReport>)> {
        let target = self.stages.target(self.options.target.as_deref()).ok_or_else(|| BuildError::Target {
            file: self.file_path.clone(),
            name: self.options.target.clone().unwrap_or_default(),
            known: self.stages.stages.iter().filter_map(|stage| stage.name.clone()).collect(),
        })?;
        let needed = self.needed(target);
        let known = needed.iter().filter_map(|index| self.stages.stages.get(*index));
        self.total.store(known.map(|stage| stage.instructions.len()).sum(), Ordering::Relaxed);
        self.stages(&needed)?;
        let Some(finished) = self.board.finished(target) else {
            return Err(StoreError::NoImage("of the target stage".to_owned()).into());
        };
        let mut finished = Arc::unwrap_or_clone(finished);
        let image = &mut finished.state.image;
        image.config.labels.extend(self.options.labels.clone());
        if let Some(epoch) = self.options.epoch {
            image.created = Some(epoch_text(epoch));
        }
        // Docker's own leftovers of the base say nothing about this image.
        for stale in ["container", "container_config", "docker_version", "id", "parent"] {
            image.other.remove(stale);
        }
        let image = self.store.put_image(image, &finished.layers, &self.options.annotations)?;
        Ok((image, self.board.reports()))
    }

    /// Tells whoever watches.
    fn tell(&self, event: Event<'_>) {
        schedule::locked(&self.progress).event(event);
    }

    fn stage(&self, index: usize, steps: &mut Vec<StepReport>) -> Result<Finished> {
        let Some(stage) = self.stages.stages.get(index).cloned() else {
            return Err(StoreError::NoImage(format!("of stage {index}")).into());
        };
        let from = self.file.instructions.get(stage.from);
        let place = self.place(from.map(|from| from.range).unwrap_or_default(), from);
        let base_name = stage.base_name.clone();
        self.tell(Event::Stage { index, name: stage.name.as_deref(), base: &base_name });
        let platform = match &stage.platform {
            Some(text) => Platform::parse(text).ok_or_else(|| BuildError::Instruction {
                place: Box::new(place.clone()),
                message: format!("{text} is no platform"),
                help: Some("write it as linux/amd64 or linux/arm64/v8".to_owned()),
            })?,
            None => self.platform.clone(),
        };
        let named = match &stage.base {
            Base::Scratch => None,
            _ => self.named(&base_name, &platform, &place)?,
        };
        let mut finished = match &stage.base {
            _ if named.is_some() => {
                let (config, layers) = named.unwrap_or_default();
                Finished { state: State::new(config), layers }
            }
            Base::Scratch => Finished { state: State::scratch(&self.globals.platform), layers: Vec::new() },
            Base::Stage(base) => match self.board.finished(*base) {
                Some(base) => Finished { state: base.state.child(), layers: base.layers.clone() },
                None => return Err(StoreError::NoImage(format!("of stage {base}")).into()),
            },
            Base::Image(name) => {
                let image = self.image(name, &platform, &place)?;
                Finished { state: State::new(image.config.clone()), layers: image.layers }
            }
            Base::Unresolved(word) => {
                let message = format!("{word} expands to nothing, so there is no image to build on");
                let help = Some("give the ARG a default before the first FROM, or pass --build-arg".to_owned());
                return Err(BuildError::Instruction { place: Box::new(place), message, help });
            }
        };
        let filtered = |name: &Option<String>| {
            let names = &self.options.no_cache_filter;
            name.as_ref().is_some_and(|name| names.iter().any(|n| n.eq_ignore_ascii_case(name)))
        };
        let use_cache = !self.options.no_cache && !filtered(&stage.name);
        for trigger in std::mem::take(&mut finished.state.image.config.on_build) {
            // A trigger is an instruction of a stage.
            let text = format!("FROM scratch\n{trigger}");
            let parsed = plimsoll_parser::parse(&text);
            if let Some(error) = parsed.errors.first() {
                let message = format!("the ONBUILD trigger `{trigger}` of {base_name}: {}", error.message);
                return Err(BuildError::Instruction { place: Box::new(place), message, help: None });
            }
            for instruction in parsed.instructions.iter().skip(1) {
                let place = Place { instruction: trigger.clone(), ..place.clone() };
                self.step(index, &mut finished, instruction, place, use_cache, steps)?;
            }
        }
        for instruction in self.file.instructions.get(stage.instructions.clone()).unwrap_or_default() {
            let place = self.place(instruction.range, Some(instruction));
            self.step(index, &mut finished, instruction, place, use_cache, steps)?;
        }
        Ok(finished)
    }

    fn step(
        &self,
        stage: usize,
        finished: &mut Finished,
        instruction: &Instruction<'_>,
        place: Place,
        use_cache: bool,
        steps: &mut Vec<StepReport>,
    ) -> Result<()> {
        if self.board.stop.is_stopped() {
            return Err(another_failed(&place));
        }
        let started = Instant::now();
        self.begin_step(started);
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.total.fetch_max(number, Ordering::Relaxed).max(number);
        self.tell(Event::Step { number, total, stage, instruction: &place.instruction, line: place.line });
        if let Kind::Arg(declared) = &instruction.kind {
            self.warn_of_secrets(declared.iter().map(|arg| arg.name.as_str()), place.line);
        }
        let step = finished.state.step(instruction, &self.globals).map_err(|error| BuildError::Instruction {
            place: Box::new(if place.range.contains(error.range) {
                Place { range: error.range, line: self.lines.line(error.range.start), ..place.clone() }
            } else {
                place.clone()
            }),
            message: error.message,
            help: None,
        })?;
        let Step { action, created_by } = step;
        let said = created_by.clone().unwrap_or_default();
        let done = match &action {
            Action::Configure => None,
            Action::MakeDir { path, owner } => Some(self.make_dir(path, owner, &finished.layers, &place, use_cache)?),
            Action::Copy(copy) => Some(self.copy(copy, stage, &finished.layers, &place, use_cache)?),
            Action::Run(run) => Some(self.run(run, (stage, number), &finished.layers, &place, use_cache)?),
        };
        let image = &mut finished.state.image;
        let mut report = StepReport {
            stage,
            range: place.range,
            line: place.line,
            created_by: said.clone(),
            key: None,
            cached: true,
            duration: Duration::ZERO,
            took: Duration::ZERO,
            layer: None,
        };
        let empty_layer = done.is_none();
        if let Some(Done { key, cached, entry }) = done {
            let layer = Layer { created_by: Some(said.clone()), ..above(&finished.layers, entry.layer) };
            finished.layers.push(layer.clone());
            image.created = Some(entry.created);
            report.key = Some(key);
            report.took = Duration::from_millis(entry.took);
            report.cached = cached;
            report.layer = Some(layer);
        }
        if let Some(epoch) = self.options.epoch {
            image.created = Some(epoch_text(epoch));
        }
        if created_by.is_some() {
            let created = image.created.clone();
            let comment = Some("buildkit.dockerfile.v0".to_owned());
            image.history.push(History { created, created_by, comment, empty_layer, ..History::default() });
        }
        report.duration = started.elapsed();
        let layer = report.layer.as_ref().map(|layer| layer.size);
        self.tell(Event::Done { number, cached: report.cached, duration: report.duration, layer });
        steps.push(report);
        Ok(())
    }

    /// A build argument that no ARG takes is most likely misspelt.
    fn warn_of_unused_args(&self) {
        let declared = |wanted: &str| {
            self.file.instructions.iter().any(|instruction| match &instruction.kind {
                Kind::Arg(declared) => declared.iter().any(|arg| arg.name.as_str() == wanted),
                _ => false,
            })
        };
        let known = |name: &str| {
            let upper = name.to_uppercase();
            upper.ends_with("_PROXY") || name.starts_with("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
        };
        let unused: Vec<&str> =
            self.options.build_args.keys().map(String::as_str).filter(|name| !known(name) && !declared(name)).collect();
        if !unused.is_empty() {
            let message = format!("no ARG of {} takes --build-arg {}", self.file_path.display(), unused.join(", "));
            self.tell(Event::Warning { message: &message, line: None });
        }
    }

    fn warn_of_secrets<'n>(&self, names: impl Iterator<Item = &'n str>, line: u32) {
        for name in names {
            let lower = name.to_lowercase();
            if ["password", "secret", "token", "apikey", "api_key"].iter().any(|word| lower.ends_with(word)) {
                let message =
                    format!("ARG {name}: its value stays readable in the image's history; use RUN --mount=type=secret");
                self.tell(Event::Warning { message: &message, line: Some(line) });
            }
        }
    }

    /// What the store knows under this key, its layer being there.
    fn known(&self, key: &Digest, use_cache: bool) -> Option<Cached> {
        if !use_cache {
            return None;
        }
        let cached: Cached = self.store.cache_get(key)?;
        cached.layer.blob.filter(|blob| self.store.has_blob(blob))?;
        self.note(key, &cached);
        Some(cached)
    }

    fn keep(&self, key: &Digest, layer: Layer) -> Result<Cached> {
        let created = self.options.epoch.map_or_else(|| rfc3339(SystemTime::now()), epoch_text);
        let took = u64::try_from(self.step_begun().elapsed().as_millis()).unwrap_or(u64::MAX);
        let cached = Cached { layer, created, took };
        self.put(key, &cached)?;
        Ok(cached)
    }

    fn put(&self, key: &Digest, cached: &Cached) -> Result<()> {
        self.store.cache_put(key, cached)?;
        self.note(key, cached);
        Ok(())
    }

    fn note(&self, key: &Digest, cached: &Cached) {
        schedule::locked(&self.results).insert(*key, cached.clone());
    }

    /// When this thread's step began.
    fn step_begun(&self) -> Instant {
        schedule::locked(&self.step_started).get(&std::thread::current().id()).copied().unwrap_or_else(Instant::now)
    }

    fn begin_step(&self, at: Instant) {
        schedule::locked(&self.step_started).insert(std::thread::current().id(), at);
    }

    /// The time of what is made without having one, in seconds.
    fn now(&self) -> i64 {
        let now = || UNIX_EPOCH.elapsed().map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        self.options.epoch.unwrap_or_else(now)
    }

    /// An image by its name: from the store, or from its registry.
    fn image(&self, name: &str, platform: &Platform, place: &Place) -> Result<Image> {
        let id = (name.to_owned(), platform.to_string());
        let fetching = Arc::clone(schedule::locked(&self.images).entry(id).or_default());
        let mut fetched = schedule::locked(&fetching);
        if let Some(image) = &*fetched {
            return Ok(image.clone());
        }
        let mut tried = Vec::new();
        let mut help = None;
        let mut found = None;
        let in_store = |tried: &mut Vec<String>| match self.store.resolve_for(name, platform) {
            Ok(Some(image)) => Some(image),
            Ok(None) => {
                tried.push(format!("the store {} does not have it for {platform}", self.store.root().display()));
                None
            }
            Err(error) => {
                tried.push(format!("the store failed to {error}"));
                None
            }
        };
        if self.options.pull != Pull::Always {
            found = in_store(&mut tried);
        }
        if found.is_none() {
            if self.options.pull == Pull::Never {
                tried.push("fetching images is turned off (--pull never)".to_owned());
            } else {
                let options = PullOptions { platform: platform.clone(), mirrors: self.options.mirrors.clone() };
                let mut tell = |done: u64, total: Option<u64>| self.tell(Event::Pull { image: name, done, total });
                match fetch_image(name, self.store, &options, &mut tell) {
                    Ok(image) => found = Some(image),
                    Err(error) => {
                        tried.push(format!("the registry: failed to {error}"));
                        help = error.help();
                    }
                }
            }
        }
        let Some(image) = found else {
            return Err(BuildError::Base { place: Box::new(place.clone()), image: name.to_owned(), tried, help });
        };
        *fetched = Some(image.clone());
        Ok(image)
    }

    /// What `--from=` or `from=` names: its layers.
    fn origin(&self, name: &str, stage: usize, place: &Place) -> Result<Vec<Layer>> {
        if let Some((_, layers)) = self.named(name, &self.platform, place)? {
            return Ok(layers);
        }
        if let Some(index) = self.stages.find(name)
            && index < stage
        {
            return match self.late(index) {
                Some(finished) => Ok(finished.layers.clone()),
                None => Err(another_failed(place)),
            };
        }
        let platform = self.platform.clone();
        Ok(self.image(name, &platform, place)?.layers)
    }
}

/// Fetches an image. Its blobs come on several threads; what they tell is handed on here.
fn fetch_image(
    name: &str,
    store: &Store,
    options: &PullOptions,
    tell: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Image, RegistryError> {
    let (sender, moved) = mpsc::channel();
    std::thread::scope(|scope| {
        let pulling = scope.spawn(move || registry::pull(name, store, options, &Moves(sender)));
        let mut blobs = HashMap::new();
        for (blob, done, total) in moved {
            blobs.insert(blob, (done, total));
            let sum = |pick: fn(&(u64, u64)) -> u64| blobs.values().map(pick).sum();
            tell(sum(|blob| blob.0), Some(sum(|blob| blob.1)));
        }
        pulling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Moves(mpsc::Sender<(Digest, u64, u64)>);

impl registry::Progress for Moves {
    fn moved(&self, blob: &Digest, done: u64, total: u64) {
        // Nobody may be listening any more; then nobody needs to know.
        let _ = self.0.send((*blob, done, total));
    }
}

/// A step that made a layer.
struct Done {
    key: Digest,
    cached: bool,
    entry: Cached,
}

/// What is left of a stage that was given up; nobody is shown it.
fn another_failed(place: &Place) -> BuildError {
    BuildError::Instruction { place: Box::new(place.clone()), message: "another stage failed".to_owned(), help: None }
}

fn epoch_text(epoch: i64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_secs(u64::try_from(epoch).unwrap_or(0)))
}

/// A layer on these. Results that came from elsewhere may say anything of what they stand on.
fn above(below: &[Layer], layer: Layer) -> Layer {
    let chain_id = digest::chain_id(below.last().map(|layer| &layer.chain_id), &layer.diff_id);
    Layer { chain_id, ..layer }
}

/// The chain ID of these layers as bytes; none for no layers.
fn chain(layers: &[Layer]) -> Vec<u8> {
    layers.last().map(|layer| layer.chain_id.as_bytes().to_vec()).unwrap_or_default()
}
