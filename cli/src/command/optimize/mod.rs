//! `plimsoll optimize`: the main job. Rewrites, builds both, runs both, shows the ladder.

mod climb;
mod made;
mod noise;
mod rebuild;

use crate::certificate::Certificate;
use crate::command::build_args::BuildArgs;
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::report::ladder::{self, Format, Report};
use crate::{Global, files};
use miette::{Result, WrapErr, miette};
use plimsoll_optimizer::Files;
use plimsoll_optimizer::ladder::Options;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Make the image smaller and prove that the program is the same
///
/// Reads the Dockerfile, .dockerignore and build context of DIR and rewrites them in steps. With --verify every step is
/// built and run beside the original, and only what is smaller and behaves the same is kept. Without --write the change
/// is shown as a diff and nothing on disk is touched.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The build context
    #[arg(value_name = "DIR", default_value = ".")]
    context: PathBuf,
    /// Build and run the original and every step, and keep only what is proven
    #[arg(long)]
    verify: bool,
    /// Write the new Dockerfile and .dockerignore
    #[arg(long)]
    write: bool,
    /// Which steps: safe changes only declared paths, verified may change more where the proof passes
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// Only these steps, by name
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,
    /// Not these steps
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    skip: Vec<String>,
    /// Stop once the image is this small, such as 50MB
    #[arg(long, value_name = "SIZE", value_parser = crate::terminal::parse_size)]
    target_size: Option<u64>,
    /// Try no further step after so long, such as 10min
    #[arg(long, value_name = "TIME", value_parser = config::parse_duration)]
    budget_time: Option<Duration>,
    /// Ask this too, besides what plimsoll.toml asks: "GET /path", "POST :8080/path", "tcp 5432", "exec COMMAND", stdout
    #[arg(long, value_name = "PROBE", requires = "verify", value_parser = config::parse_probe)]
    pub probe: Vec<config::Probe>,
    /// Prove this rewritten Dockerfile instead of plimsoll's own steps; nothing may differ but what --may-change names. Given
    /// several times, each is held against the original
    #[arg(long, value_name = "FILE", requires = "verify", conflicts_with_all = ["only", "skip", "level"])]
    candidate: Vec<PathBuf>,
    /// Paths (globs, from the root) in which the candidate's image may differ; `config:NAME` for a field of its config
    #[arg(long, value_name = "GLOB", requires = "candidate")]
    may_change: Vec<String>,
    /// Write what was compared here, as JSON that `plimsoll verify` repeats
    #[arg(long, value_name = "FILE", requires = "verify")]
    proof: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    pub build: BuildArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Level {
    Safe,
    Verified,
}

/// What one run of the command works on.
pub(crate) struct Job<'a> {
    pub global: &'a Global,
    pub args: &'a Args,
    pub config: &'a Config,
    pub context: &'a Path,
    pub dockerfile: &'a Path,
    pub original: Files,
    pub ignore_path: PathBuf,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let id_map = if args.verify { Some(crate::place::enter()?) } else { None };
    let mut config = config::load(global.config.as_deref(), &args.context)?;
    config.probe.extend(args.probe.iter().cloned());
    let dockerfile = files::dockerfile_of(&args.context, args.build.file.as_deref())?;
    let ignore_path = ignore_path(&args.context, &dockerfile);
    let original = read_files(&dockerfile, &ignore_path)?;
    let job = Job {
        global,
        args: &args,
        config: &config,
        context: &args.context,
        dockerfile: &dockerfile,
        original,
        ignore_path,
    };
    let mut report = match id_map {
        Some(id_map) => climb::proven(&job, &id_map)?,
        None => climb::unproven(&job)?,
    };
    if args.write && report.steps.iter().any(|step| step.outcome == "taken") && args.candidate.is_empty() {
        write(&job, &report)?;
        report.written = true;
    }
    if let Some(path) = &args.proof {
        Certificate::of(&job, &report)?.write(path)?;
    }
    crate::terminal::out!("{}", ladder::render(args.format, &report, global.color.stdout()));
    Ok(exit(&report, !args.candidate.is_empty()))
}

/// The ignore file in force: the one named after the Dockerfile has priority.
pub fn ignore_path(context: &Path, dockerfile: &Path) -> PathBuf {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    let own = PathBuf::from(own);
    if own.is_file() { own } else { context.join(".dockerignore") }
}

fn read_files(dockerfile: &Path, ignore: &Path) -> Result<Files> {
    let text = |path: &Path| -> Result<String> {
        let bytes = files::read(path)?;
        String::from_utf8(bytes).map_err(|error| {
            miette!(
                help = "rewriting needs text; convert the file to UTF-8",
                "failed to read {}: byte {} is not UTF-8",
                path.display(),
                error.utf8_error().valid_up_to()
            )
        })
    };
    let dockerignore = if ignore.exists() { Some(text(ignore)?) } else { None };
    Ok(Files { dockerfile: text(dockerfile)?, dockerignore })
}

fn write(job: &Job<'_>, report: &Report) -> Result<()> {
    if let Some(text) = &report.files.dockerignore
        && job.original.dockerignore.as_deref() != Some(text)
    {
        files::write_atomically(&job.ignore_path, text.as_bytes())?;
    }
    if report.files.dockerfile != job.original.dockerfile {
        files::write_atomically(job.dockerfile, report.files.dockerfile.as_bytes())
            .wrap_err("the ignore file is written, the Dockerfile is not")?;
    }
    Ok(())
}

fn exit(report: &Report, candidate: bool) -> Exit {
    if candidate && report.steps.iter().any(|step| !step.differences.is_empty()) {
        return Exit::Differ;
    }
    if report.result.verified { Exit::Clean } else { Exit::Findings }
}

impl Job<'_> {
    /// Which moves are tried, the command line before the file.
    pub fn options(&self) -> Result<Options> {
        let pick = |line: &[String], file: &[String]| if line.is_empty() { file.to_vec() } else { line.to_vec() };
        let level = match (self.args.level, self.config.optimize.level.as_deref()) {
            (Some(Level::Safe), _) | (None, Some("safe")) => plimsoll_optimizer::Level::Safe,
            (Some(Level::Verified), _) | (None, Some("verified")) => plimsoll_optimizer::Level::Unsafe,
            // What nobody proves must be safe by itself.
            (None, None) if !self.args.verify => plimsoll_optimizer::Level::Safe,
            (None, None) => plimsoll_optimizer::Level::Unsafe,
            (None, Some(other)) => {
                return Err(miette!(help = "use \"safe\" or \"verified\"", "failed to read optimize.level: `{other}`"));
            }
        };
        let only = pick(&self.args.only, &self.config.optimize.only);
        let skip = pick(&self.args.skip, &self.config.optimize.skip);
        let known: Vec<&str> = plimsoll_optimizer::moves::ALL.iter().map(|step| step.name()).collect();
        if let Some(unknown) = only.iter().chain(&skip).find(|name| !known.contains(&name.as_str())) {
            return Err(miette!(help = format!("the steps are {}", known.join(", ")), "no step is called `{unknown}`"));
        }
        Ok(Options { level, only, skip })
    }
}
