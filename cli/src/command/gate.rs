//! `plimsoll gate`: an image against its budget and against what it was.

mod checks;

use crate::builder::Builder;
use crate::command::build_args::BuildArgs;
use crate::config::Config;
use crate::config::budget::{Limits, MaxGrowth};
use crate::exit::Exit;
use crate::growth;
use crate::image_source::{self, WithDockerfile};
use crate::report::gate::{self as report, Format, Report, Verdict};
use crate::report::image::ImageReport;
use crate::snapshot::{self, Lock, Snapshot};
use crate::{Global, config, files, place};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::context::Context;
use plimsoll_runtime::inspect::{Inspected, Source, inspect};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Hold images to a budget, and to what they were
///
/// TARGETs are folders with a Dockerfile, which are built, or images as `inspect` takes them; without any, those of
/// [[budget.image]] in plimsoll.toml, or the folder itself. The exit code is 1 when a limit is passed. What an image was
/// stands in plimsoll.lock beside plimsoll.toml; --update-baseline writes it.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Images, or folders to build
    targets: Vec<String>,
    /// Most bytes of all layers, uncompressed
    #[arg(long, value_name = "SIZE", value_parser = crate::terminal::parse_size, help_heading = "Budget")]
    max_size: Option<u64>,
    /// Most bytes as a registry gets it
    #[arg(long, value_name = "SIZE", value_parser = crate::terminal::parse_size, help_heading = "Budget")]
    max_compressed: Option<u64>,
    /// Most growth over the baseline, in bytes or per cent
    #[arg(long, value_name = "SIZE|N%", value_parser = MaxGrowth::parse, help_heading = "Budget")]
    max_growth: Option<MaxGrowth>,
    /// Most layers
    #[arg(long, value_name = "NUMBER", help_heading = "Budget")]
    max_layers: Option<usize>,
    /// Most bytes that need not be there, brought by layers above the base
    #[arg(long, value_name = "SIZE", value_parser = crate::terminal::parse_size, help_heading = "Budget")]
    max_wasted: Option<u64>,
    /// Most bytes of the build context, after .dockerignore
    #[arg(long, value_name = "SIZE", value_parser = crate::terminal::parse_size, help_heading = "Budget")]
    max_context: Option<u64>,
    /// Files that must not be there: a pattern as in .dockerignore, `setuid` (of layers above the base), `base-setuid` or
    /// `secrets`
    #[arg(long, value_name = "GLOB", help_heading = "Budget")]
    forbid: Vec<String>,
    /// A rule that must not find anything in the Dockerfile
    #[arg(long, value_name = "RULE", help_heading = "Budget")]
    forbid_rule: Vec<String>,
    /// What to compare with: a file, or an image [default: plimsoll.lock beside plimsoll.toml]
    #[arg(long, value_name = "FILE|IMAGE")]
    baseline: Option<String>,
    /// Write what the images are now to the baseline; limits other than growth still hold
    #[arg(long)]
    update_baseline: bool,
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write the Markdown report here too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    build: BuildArgs,
}

/// One image to be judged.
struct Target {
    name: String,
    what: What,
    limits: Limits,
}

enum What {
    Image { reference: String, dockerfile: Option<PathBuf>, stage: Option<String> },
    Folder { context: PathBuf, dockerfile: Option<PathBuf>, stage: Option<String> },
}

/// An image that was measured.
struct Measured {
    report: ImageReport,
    found: Inspected,
    snapshot: Snapshot,
    dockerfile: Option<WithDockerfile>,
}

/// The smallest path that a baseline keeps.
const LEAST: u64 = 32 << 10;

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let first = args.targets.iter().map(Path::new).find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let config = config::load(global.config.as_deref(), first)?;
    let folder = config.path.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| first.to_path_buf(), Path::to_path_buf);
    named_once(&config)?;
    let targets = targets(&args, &config, &folder);
    for target in &targets {
        checks::limits_are_known(&target.limits)?;
    }
    if targets.iter().any(|target| matches!(target.what, What::Folder { .. })) {
        place::enter()?;
    }
    let baseline = Baseline::of(&args, &config, &folder)?;
    let mut lock = match &baseline {
        Baseline::File { lock, .. } => Lock { version: 1, image: lock.clone() },
        Baseline::Image(_) => Lock { version: 1, image: BTreeMap::new() },
    };
    let mut verdicts = Vec::new();
    let mut dockerfiles = Vec::new();
    for target in &targets {
        let measured = measure(global, &args, &config, target)?;
        let before = if args.update_baseline { None } else { baseline.find(global, &target.name, &measured)? };
        if before.is_none() && target.limits.growth.is_some() && !args.update_baseline {
            return Err(miette!(
                help = "`plimsoll gate --update-baseline` writes one; commit it",
                "failed to judge the growth of {}: {}",
                target.name,
                baseline.lack()
            ));
        }
        verdicts.push(judge(target, &measured, before.as_ref(), &baseline));
        lock.image.insert(target.name.clone(), measured.snapshot);
        dockerfiles.push(measured.dockerfile);
    }
    let mut copied = None;
    if args.update_baseline {
        let Baseline::File { path, .. } = &baseline else {
            return Err(miette!(help = "name a file with --baseline", "failed to update the baseline: it is an image"));
        };
        lock.write(path)?;
        // Asked once it is there, since what is not there is not left out either.
        let mut each = targets.iter().zip(&dockerfiles);
        copied = each.find_map(|(target, dockerfile)| baseline_in_image(target, dockerfile.as_ref()?, path));
    }
    let report = Report { version: 1, passed: verdicts.iter().all(|verdict| verdict.passed), targets: verdicts };
    if let Some(path) = &args.markdown {
        files::write_atomically(path, report::render(Format::Markdown, &report, false).as_bytes())?;
    }
    crate::terminal::out!("{}", report::render(args.format, &report, global.color.stdout()));
    if args.update_baseline && !global.quiet {
        eprintln!("wrote {}", baseline.name());
        if let Some((name, (line, said))) = copied {
            eprintln!("note: line {line} puts it into the image ({said}): add {name} to .dockerignore");
        }
    }
    let held = targets.iter().any(|target| target.limits.growth.is_some());
    if !global.quiet && !held && report.targets.iter().all(|verdict| verdict.checks.is_empty()) {
        eprintln!("note: no limit is set: write [budget] into plimsoll.toml, or give --max-size and the like");
    }
    Ok(if report.passed { Exit::Clean } else { Exit::Findings })
}

/// Images of the configuration have names, by which the baseline knows them, and say in one way what they are.
fn named_once(config: &Config) -> Result<()> {
    let images = &config.budget.image;
    for (at, image) in images.iter().enumerate() {
        let (number, name) = (at + 1, &image.name);
        if name.is_empty() {
            let help = "give it a name = \"…\", by which reports and the baseline call it";
            return Err(miette!(help = help, "failed to read [[budget.image]] number {number}: it has no name"));
        }
        if images[..at].iter().any(|other| other.name == *name) {
            let help = "the baseline knows images by their names: give each its own";
            return Err(miette!(help = help, "failed to read [[budget.image]]: two are named {name}"));
        }
        if image.image.is_some() && image.context.is_some() {
            let help = "`image` is one that exists, `context` a folder to build: leave one out";
            return Err(miette!(help = help, "failed to read [[budget.image]] {name}: it has both image and context"));
        }
    }
    Ok(())
}

/// The line by which the baseline gets into the image itself, which then grows with it.
fn baseline_in_image(target: &Target, dockerfile: &WithDockerfile, lock: &Path) -> Option<(String, (u32, String))> {
    let context = match &target.what {
        What::Folder { context, .. } => context.clone(),
        What::Image { .. } => folder_of(&dockerfile.path),
    };
    let beside = folder_of(lock).canonicalize().ok()?;
    let path = beside.strip_prefix(context.canonicalize().ok()?).ok()?.join(lock.file_name()?);
    if opened(&context, Some(&dockerfile.path)).ok()?.leaves_out(&path) {
        return None;
    }
    let name = path.to_str()?;
    Some((name.to_owned(), checks::taken_by(&dockerfile.text, name)?))
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_path_buf()
}

fn targets(args: &Args, config: &Config, folder: &Path) -> Vec<Target> {
    let flags = Limits {
        size: args.max_size,
        compressed: args.max_compressed,
        growth: args.max_growth,
        layers: args.max_layers,
        wasted: args.max_wasted,
        context: args.max_context,
        forbid: args.forbid.clone(),
        forbid_rules: args.forbid_rule.clone(),
    };
    let general = config.budget.limits();
    let (file, stage) = (args.build.file.clone(), args.build.target.clone());
    let named = |name: &String| {
        let path = Path::new(name);
        let dockerfile =
            path.is_file() && path.file_name().and_then(|name| name.to_str()).is_some_and(files::is_dockerfile_name);
        let what = if path.is_dir() && !path.join("index.json").exists() {
            What::Folder { context: path.to_path_buf(), dockerfile: file.clone(), stage: stage.clone() }
        } else if dockerfile {
            let context = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            What::Folder { context: context.to_path_buf(), dockerfile: Some(path.to_path_buf()), stage: stage.clone() }
        } else {
            What::Image { reference: name.clone(), dockerfile: file.clone(), stage: stage.clone() }
        };
        // One of the configuration by its name.
        match config.budget.image.iter().find(|image| image.name == *name) {
            Some(image) => from_config(image, folder, &flags, &general),
            None => Target { name: name.clone(), what, limits: flags.clone().over(&general) },
        }
    };
    match (args.targets.as_slice(), config.budget.image.as_slice()) {
        ([], []) => vec![named(&".".to_owned())],
        ([], images) => images.iter().map(|image| from_config(image, folder, &flags, &general)).collect(),
        (names, _) => names.iter().map(named).collect(),
    }
}

fn from_config(image: &config::budget::BudgetImage, folder: &Path, flags: &Limits, general: &Limits) -> Target {
    let beside = |path: &PathBuf| folder.join(path);
    let dockerfile = image.file.as_ref().map(beside);
    let what = match &image.image {
        Some(reference) => {
            let path = folder.join(reference);
            let reference = if path.exists() { path.display().to_string() } else { reference.clone() };
            What::Image { reference, dockerfile, stage: image.target.clone() }
        }
        None => {
            let context = image.context.as_ref().map_or_else(|| folder.to_path_buf(), beside);
            What::Folder { context, dockerfile, stage: image.target.clone() }
        }
    };
    Target { name: image.name.clone(), what, limits: flags.clone().over(&image.limits()).over(general) }
}

fn measure(global: &Global, args: &Args, config: &Config, target: &Target) -> Result<Measured> {
    let (source, dockerfile, stage, context) = match &target.what {
        What::Image { reference, dockerfile, stage } => {
            let source = image_source::open(global, reference, args.build.platform.as_deref());
            let source = source.map_err(|error| of_target(error, target, reference, config))?;
            (source, dockerfile.clone(), stage.clone(), None)
        }
        What::Folder { context, dockerfile, stage } => {
            let dockerfile = files::dockerfile_of(context, dockerfile.as_deref())?;
            let build = BuildArgs { target: stage.clone(), ..args.build.clone() };
            let mut builder = Builder::new(global, &build, config, context, &dockerfile)?;
            let built = builder.build_path(&target.name)?;
            let source = Source::stored(builder.store(), &built.image);
            let source = source.map_err(|error| image_source::explain(&error))?;
            (source, Some(dockerfile), stage.clone(), Some(context.clone()))
        }
    };
    let found = inspect(&source).map_err(|error| image_source::explain(&error))?;
    let build_args = args.build.build_args(config)?;
    let dockerfile =
        dockerfile.map(|path| WithDockerfile::new(&path, stage.as_deref(), &build_args, &found, config)).transpose()?;
    let mut beside = image_source::beside(global, &target.name, &found, None, dockerfile.as_ref())?;
    if target.limits.compressed.is_some() {
        beside.compressed = Some(super::inspect::compressed(&source)?);
    }
    let report = ImageReport::new(&found, &beside);
    let mut snapshot = Snapshot::of(&report, &found, LEAST);
    if let Some(context) = context {
        let dockerfile = dockerfile.as_ref().map(|file| file.path.as_path());
        let sent = sent(&context, dockerfile)?;
        snapshot.context = Some(sent.values().sum());
        snapshot.context_files = sent.into_iter().filter(|(_, bytes)| *bytes >= LEAST).collect();
    }
    Ok(Measured { report, found, snapshot, dockerfile })
}

/// Why an image could not be had, with what the configuration has to do with it.
fn of_target(error: miette::Report, target: &Target, reference: &str, config: &Config) -> miette::Report {
    let names = config.budget.image.iter().map(|image| image.name.as_str());
    let help = if config.budget.image.iter().any(|image| image.name == target.name) {
        let (toml, name) = (config.path.as_deref().map(files::shown).unwrap_or_default(), &target.name);
        format!(
            "{toml} has it as the image of `{name}`: build or save it first, or leave `image` out to have the folder built"
        )
    } else if let Some(near) = config::nearest(reference, names) {
        format!("did you mean `{near}`, as plimsoll.toml calls it?")
    } else {
        return error;
    };
    let help = match error.help() {
        Some(own) => format!("{own}\n{help}"),
        None => help,
    };
    miette!(help = help, "{error}")
}

/// A context with the ignore file that holds for this Dockerfile.
fn opened(context: &Path, dockerfile: Option<&Path>) -> Result<Context> {
    let beside = dockerfile.map(|path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".dockerignore");
        PathBuf::from(name)
    });
    let ignore = beside.filter(|path| path.is_file()).unwrap_or_else(|| context.join(".dockerignore"));
    let text = std::fs::read_to_string(&ignore).ok();
    Context::open(context, text.as_deref()).into_diagnostic()
}

/// The files of a context that the ignore file leaves in, by path from its root.
fn sent(context: &Path, dockerfile: Option<&Path>) -> Result<BTreeMap<String, u64>> {
    let opened = opened(context, dockerfile)?;
    let listing = opened.listing().into_diagnostic()?;
    let files = listing.entries().iter().filter(|entry| entry.size > 0 && !opened.leaves_out(Path::new(&entry.path)));
    Ok(files.map(|entry| (format!("/{}", entry.path), entry.size)).collect())
}

/// What images are compared with.
enum Baseline {
    File { path: PathBuf, lock: BTreeMap<String, Snapshot> },
    Image(String),
}

impl Baseline {
    fn of(args: &Args, config: &Config, folder: &Path) -> Result<Self> {
        let path = match (&args.baseline, &config.budget.baseline) {
            (Some(named), _) => named.clone(),
            (None, Some(named)) if folder.join(named).exists() || named.ends_with(".lock") => {
                folder.join(named).display().to_string()
            }
            (None, Some(named)) => named.clone(),
            (None, None) => folder.join(snapshot::NAME).display().to_string(),
        };
        let file = Path::new(&path);
        let is_lock = |path: &Path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("lock" | "toml")) || path.file_name().is_some_and(|name| name == snapshot::NAME)
        };
        if !is_lock(file) && (!args.update_baseline || file.exists()) {
            return Ok(Self::Image(path));
        }
        let lock = match Lock::read(file) {
            // What does not read is written anew.
            Err(_) if args.update_baseline => None,
            read => read?,
        };
        Ok(Self::File { path: file.to_path_buf(), lock: lock.unwrap_or_default().image })
    }

    fn name(&self) -> String {
        match self {
            Self::File { path, .. } => files::shown(path),
            Self::Image(name) => name.clone(),
        }
    }

    /// Why it cannot be compared with.
    fn lack(&self) -> String {
        match self {
            Self::File { path, lock } if lock.is_empty() && !path.exists() => {
                format!("there is no {}", files::shown(path))
            }
            Self::File { path, lock } if !lock.is_empty() => {
                let known: Vec<&str> = lock.keys().map(String::as_str).collect();
                format!("{} knows {} only", files::shown(path), known.join(", "))
            }
            _ => format!("{} has nothing of it", self.name()),
        }
    }

    fn find(&self, global: &Global, target: &str, now: &Measured) -> Result<Option<Snapshot>> {
        match self {
            Self::File { lock, .. } => Ok(lock.get(target).cloned()),
            Self::Image(name) => {
                let source = image_source::open(global, name, None)?;
                let found = inspect(&source).map_err(|error| image_source::explain(&error))?;
                let mut beside = image_source::beside(global, name, &found, None, None)?;
                // The same base image below both is known from the one that has a Dockerfile.
                let base = now.report.base.layers;
                let same =
                    found.layers.iter().zip(&now.found.layers).take_while(|(a, b)| a.diff_id == b.diff_id).count();
                if same >= base {
                    beside.base = Some((base, now.report.base.by.unwrap_or("store"), now.report.base.name.clone()));
                }
                Ok(Some(Snapshot::of(&ImageReport::new(&found, &beside), &found, LEAST)))
            }
        }
    }
}

fn judge(target: &Target, now: &Measured, before: Option<&Snapshot>, baseline: &Baseline) -> Verdict {
    let mending = now.dockerfile.as_ref().map(|file| &file.mending);
    let mut growth = before.map(|before| growth::between(before, &now.snapshot, &now.report, mending));
    if let (Some(growth), Some(before)) = (&mut growth, before) {
        growth.instructions.extend(checks::context_row(before, &now.snapshot, now.dockerfile.as_ref()));
    }
    let checks = checks::all(&target.limits, now, before);
    Verdict {
        name: target.name.clone(),
        image: now.report.id.clone(),
        dockerfile: now.dockerfile.as_ref().map(|file| files::shown(&file.path)),
        size: now.report.size,
        compressed: now.report.compressed,
        layers: now.report.layers.len(),
        avoidable: now.report.avoidable_bytes,
        context: now.snapshot.context,
        baseline: before.map(|_| baseline.name()),
        passed: checks.iter().all(|check| check.passed),
        checks,
        growth,
        causes: now.report.causes.iter().filter(|cause| !cause.base).take(10).cloned().collect(),
    }
}
