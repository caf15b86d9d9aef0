//! Climbing the ladder: each step built, measured, proven, and kept or dropped.

use super::made::Layers;
use super::noise::Noise;
use super::{Job, rebuild};
use crate::builder::Builder;
use crate::packages;
use crate::proof::{Prover, Seen};
use crate::report::ladder::{self, BuiltIn, Outcome, Report, Rung};
use crate::report::treemap::Node;
use crate::terminal;
use miette::{IntoDiagnostic, Result, WrapErr};
use plimsoll_analyzer::context::Listing;
use plimsoll_optimizer::Files;
use plimsoll_optimizer::diff::unified;
use plimsoll_optimizer::ladder::{Ladder, Outcome as Tried, Surroundings};
use plimsoll_runtime::build::Built;
use plimsoll_runtime::compare::{Allowed, Comparison, Difference, DifferenceKind};
use plimsoll_runtime::digest::Digest;
use plimsoll_runtime::store::Store;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

/// Text files up to this size are shown to moves.
const SMALL: u64 = 1 << 20;

/// Bytes by which a step for faster rebuilds may make the image larger: what a further COPY costs in directory entries.
const TOLERATED: u64 = 64 << 10;

/// Every step built and run.
pub(super) fn proven(job: &Job<'_>, id_map: &str) -> Result<Report> {
    let started = Instant::now();
    let mut builder = Builder::new(job.global, &job.args.build, job.config, job.context, job.dockerfile)?;
    let before = builder.build_step("original", &job.original).wrap_err("the original does not build")?;
    let mut prover = Prover::new(builder.store(), job.config)?.with_services(job.global, &job.args.build)?;
    builder.say("original: running it twice");
    let seen = prover.original(&before.image)?;
    let listing = builder.listing(&job.original)?;
    let mut report = empty(job, id_map);
    report.probes = prover.names().to_vec();
    report.services = prover.services();
    report.original = rung("original", "original", &before, None);
    let original_steps = rebuild::made(&before);
    let mut climber = Climber {
        job,
        builder,
        prover,
        seen,
        size: before.image.size(),
        steps: original_steps.clone(),
        noise: None,
        report,
        normalized: BTreeSet::new(),
    };
    let (files, digest) = if job.args.candidate.is_empty() {
        climber.climb(&listing, &before, started)?
    } else {
        climber.candidates(&job.args.candidate)?
    };
    if job.args.candidate.is_empty() && digest.is_some() && !climber.is_late(started) {
        let steps = [&original_steps, &climber.steps];
        climber.report.rebuild = rebuild::measure(job, &mut climber.builder, &listing, &files, steps)?;
    }
    let ignored: Vec<String> = climber.prover.ignored().collect();
    let remembered = climber.prover.remembered();
    let Climber { mut report, size, builder, normalized, .. } = climber;
    // Where nothing was asked, or every answer was flaky, nothing is proven.
    let proven =
        |step: &Rung| step.differences.is_empty() && step.agreed.is_some_and(|(same, all)| all > 0 && same == all);
    let mut taken = report.steps.iter().filter(|step| step.outcome == "taken").peekable();
    report.result.verified = (job.args.candidate.is_empty() || taken.peek().is_some()) && taken.all(proven);
    report.stand_ins = builder.stand_ins();
    report.remembered = remembered;
    report.normalized = normalized.into_iter().chain(ignored).collect();
    if let Some(digest) = &digest {
        let image = builder.store().image(&digest.parse().into_diagnostic()?).into_diagnostic()?;
        report.packages = Some(packages::change(builder.store(), &before.image, &image)?);
    }
    report.result.digest = digest.unwrap_or_else(|| before.image.manifest.to_string());
    if job.args.format == ladder::Format::Html {
        report.trees = Some(trees(builder.store(), &report)?);
    }
    finish(job, &mut report, files, size, started);
    Ok(report)
}

struct Climber<'a> {
    job: &'a Job<'a>,
    builder: Builder<'a>,
    prover: Prover<'a>,
    seen: Seen,
    size: u64,
    /// What the steps of the image reached so far made.
    steps: BTreeSet<Digest>,
    noise: Option<Noise>,
    report: Report,
    normalized: BTreeSet<String>,
}

impl Climber<'_> {
    /// All moves in order. Gives the files that were reached and the digest of their image.
    fn climb(&mut self, listing: &Listing, before: &Built, started: Instant) -> Result<(Files, Option<String>)> {
        let context = self.job.context;
        let read = |path: &str| read_small(context, listing, path);
        let store_has = self.builder.available();
        let available = |image: &str| store_has(image);
        let surroundings = Surroundings { listing, read: &read, available: &available };
        let base = self.builder.base_facts();
        let layers = Layers::of(self.builder.store(), &self.job.original.dockerfile, before);
        let made = |index: usize| layers.made(index);
        let ladder = Ladder::new(self.job.original.clone(), surroundings, self.job.options()?);
        let mut ladder = ladder.knowing(&base).knowing_layers(&made);
        let target = self.job.args.target_size.or(self.job.config.optimize.target_size);
        let mut digest = None;
        while let Some(step) = ladder.next() {
            if let Some(target) = target.filter(|target| self.size <= *target) {
                ladder.reject(format!(
                    "not tried: {} is within --target-size {}",
                    terminal::size(self.size),
                    terminal::size(target)
                ));
                continue;
            }
            if let Some(budget) = self.budget().filter(|_| self.is_late(started)) {
                ladder.reject(format!("not tried: --budget-time {} is used up", terminal::duration(budget)));
                continue;
            }
            let built = match self.builder.try_step(&step.title, &step.files)? {
                Ok(built) => built,
                Err(reason) => {
                    ladder.reject(format!("it does not build: {reason}"));
                    continue;
                }
            };
            let mut made = rung(step.name, &step.title, &built, Some(self.size));
            made.notes.clone_from(&step.notes);
            let size = built.image.size();
            if size > self.size + if step.for_rebuilds { TOLERATED } else { 0 } {
                ladder.reject(format!("{} larger than without it", terminal::size(size - self.size)));
                self.keep(made, "dropped");
                continue;
            }
            if size == self.size && !step.for_rebuilds {
                ladder.reject("it saves nothing here");
                self.keep(made, "dropped");
                continue;
            }
            let allowed = Allowed {
                config: step.config_changes.iter().map(config_name).collect(),
                paths: step.may_change.clone(),
                programs: step.programs.clone(),
            };
            let comparison = self.prove(&step.title, &built, &allowed)?;
            fill(&mut made, &comparison, allowed);
            if !comparison.same() {
                ladder.reject("it does not behave the same");
                self.keep(made, "dropped");
                continue;
            }
            ladder.accept(size);
            layers.move_on(&step.files.dockerfile, &built);
            self.size = size;
            self.steps = rebuild::made(&built);
            digest = made.digest.clone();
            self.keep(made, "taken");
        }
        self.settle(ladder.tried());
        Ok((ladder.files().clone(), digest))
    }

    /// Files that somebody else wrote, each held against the original. Gives the last one that is the same program.
    fn candidates(&mut self, paths: &[PathBuf]) -> Result<(Files, Option<String>)> {
        let mut reached = (self.job.original.clone(), None);
        let mut size = self.size;
        for path in paths {
            let bytes = crate::files::read(path)?;
            let files = Files {
                dockerfile: String::from_utf8_lossy(&bytes).into_owned(),
                dockerignore: self.job.original.dockerignore.clone(),
            };
            let made = self.candidate(&path.display().to_string(), &files)?;
            if made.outcome == "taken" {
                size = made.size.unwrap_or(size);
                reached = (files, made.digest.clone());
            }
            self.report.steps.push(made);
        }
        self.size = size;
        Ok(reached)
    }

    fn candidate(&mut self, title: &str, files: &Files) -> Result<Rung> {
        let built = match self.builder.build_step(title, files) {
            Ok(built) => built,
            Err(error) => {
                let mut made = Rung::unbuilt("candidate", title, "dropped", "it does not build");
                made.differences.push(Difference {
                    subject: "the build".to_owned(),
                    kind: DifferenceKind::Answer,
                    before: Some("an image".to_owned()),
                    after: Some(error.to_string()),
                    bytes: 0,
                });
                return Ok(made);
            }
        };
        let (config, paths): (Vec<String>, Vec<String>) =
            self.job.args.may_change.iter().cloned().partition(|glob| glob.starts_with("config:"));
        let config = config.iter().filter_map(|name| name.strip_prefix("config:")).map(str::to_owned).collect();
        let allowed = Allowed { config, paths, programs: vec!["/".to_owned()] };
        let comparison = self.prove(title, &built, &allowed)?;
        let mut made = rung("candidate", title, &built, Some(self.size));
        fill(&mut made, &comparison, allowed);
        if !comparison.same() {
            made.outcome = "dropped";
            made.reason = Some("it is not the same".to_owned());
        }
        Ok(made)
    }

    fn prove(&mut self, title: &str, built: &Built, allowed: &Allowed) -> Result<Comparison> {
        self.builder.say(&format!("{title}: running it"));
        let mut comparison = self.prover.compare(&self.seen, &built.image, allowed)?;
        if !comparison.same() {
            self.look_for_noise()?;
            if let Some(noise) = &self.noise {
                noise.take_out(&mut comparison);
            }
        }
        self.normalized.extend(comparison.normalized.iter().map(ToString::to_string));
        for probe in &comparison.flaky {
            if !self.report.flaky.contains(probe) {
                self.report.flaky.push(probe.clone());
            }
        }
        Ok(comparison)
    }

    /// What two builds of the original differ in, found out when it first matters.
    fn look_for_noise(&mut self) -> Result<()> {
        if self.noise.is_some() {
            return Ok(());
        }
        self.builder.say("original: building it a second time, to tell what is not the step's doing");
        let noise = match self.builder.build_again("original again", &self.job.original)? {
            Ok(again) => {
                let own = self.prover.compare(&self.seen, &again.image, &Allowed::default())?;
                Noise::between_builds(own)
            }
            Err(reason) => {
                self.builder.say(&format!("original: it does not build a second time: {reason}"));
                Noise::default()
            }
        };
        self.report.noise = noise.differences().cloned().collect();
        self.noise = Some(noise);
        Ok(())
    }

    fn budget(&self) -> Option<Duration> {
        self.job.args.budget_time.or(self.job.config.optimize.budget_time)
    }

    fn is_late(&self, started: Instant) -> bool {
        self.budget().is_some_and(|budget| started.elapsed() > budget)
    }

    fn keep(&mut self, mut rung: Rung, outcome: &'static str) {
        rung.outcome = outcome;
        self.report.steps.push(rung);
    }

    /// What the ladder says of moves that were never built goes into the report too, in the ladder's order.
    fn settle(&mut self, tried: &[plimsoll_optimizer::ladder::Tried]) {
        let mut built: Vec<Rung> = std::mem::take(&mut self.report.steps);
        for step in tried {
            let (outcome, reason) = match &step.outcome {
                Tried::Taken { .. } => ("taken", None),
                Tried::Dropped { reason } => ("dropped", Some(reason)),
                Tried::NotApplicable { reason } => ("not-applicable", Some(reason)),
                Tried::Skipped { reason } => ("skipped", Some(reason)),
                Tried::Pending => ("dropped", None),
            };
            let place = built.iter().position(|rung| rung.name == step.name);
            let mut rung = match place {
                Some(index) => built.remove(index),
                None => Rung::unbuilt(step.name, &step.title, outcome, ""),
            };
            rung.outcome = outcome;
            rung.reason = reason.cloned();
            self.report.steps.push(rung);
        }
    }
}

/// The moves alone, unbuilt: what `--verify` would try.
pub(super) fn unproven(job: &Job<'_>) -> Result<Report> {
    let started = Instant::now();
    let listing = crate::builder::listing(job.context)?;
    let read = |path: &str| read_small(job.context, &listing, path);
    let available = |_: &str| false;
    let surroundings = Surroundings { listing: &listing, read: &read, available: &available };
    let mut ladder = Ladder::new(job.original.clone(), surroundings, job.options()?);
    while ladder.next().is_some() {
        ladder.accept(0);
    }
    let mut report = empty(job, "nothing was built");
    for step in ladder.tried() {
        let (outcome, reason) = match &step.outcome {
            Tried::Taken { .. } => ("taken", String::new()),
            Tried::Dropped { reason } => ("dropped", reason.clone()),
            Tried::NotApplicable { reason } => ("not-applicable", reason.clone()),
            Tried::Skipped { reason } => ("skipped", reason.clone()),
            Tried::Pending => ("dropped", String::new()),
        };
        report.steps.push(Rung::unbuilt(step.name, &step.title, outcome, &reason));
    }
    let files = ladder.files().clone();
    finish(job, &mut report, files, 0, started);
    Ok(report)
}

/// Bytes by path of the original and of the result.
fn trees(store: &Store, report: &Report) -> Result<(Node, Node)> {
    let tree = |digest: &str| -> Result<Node> {
        let image = store.image(&digest.parse().into_diagnostic()?).into_diagnostic()?;
        crate::proof::bytes_by_path(store, &image)
    };
    Ok((tree(report.original.digest.as_deref().unwrap_or_default())?, tree(&report.result.digest)?))
}

fn empty(job: &Job<'_>, id_map: &str) -> Report {
    Report {
        version: 1,
        context: job.context.display().to_string(),
        dockerfile: job.dockerfile.display().to_string(),
        id_map: id_map.to_owned(),
        stand_ins: Vec::new(),
        probes: Vec::new(),
        services: Vec::new(),
        remembered: 0,
        flaky: Vec::new(),
        noise: Vec::new(),
        original: Rung::unbuilt("original", "original", "taken", ""),
        steps: Vec::new(),
        result: Outcome { size: 0, digest: String::new(), factor: 1.0, verified: false, seconds: 0.0 },
        diff: String::new(),
        files: ladder::Files { dockerfile: String::new(), dockerignore: None },
        normalized: Vec::new(),
        rebuild: None,
        packages: None,
        written: false,
        trees: None,
    }
}

fn finish(job: &Job<'_>, report: &mut Report, files: Files, size: u64, started: Instant) {
    let old = &job.original;
    let name = diff_name(job.dockerfile);
    report.diff = unified(&format!("a/{name}"), &format!("b/{name}"), &old.dockerfile, &files.dockerfile);
    if let Some(ignore) = &files.dockerignore {
        let name = diff_name(&job.ignore_path);
        let before = old.dockerignore.as_deref();
        let old_name = if before.is_some() { format!("a/{name}") } else { "/dev/null".to_owned() };
        report.diff.push_str(&unified(&old_name, &format!("b/{name}"), before.unwrap_or_default(), ignore));
    }
    report.result.size = size;
    if size > 0 {
        report.result.factor = report.original.size.unwrap_or(size) as f64 / size as f64;
    }
    report.result.seconds = started.elapsed().as_secs_f64();
    report.files = ladder::Files { dockerfile: files.dockerfile, dockerignore: files.dockerignore };
}

/// As `patch -p1` and `git apply` want it: without a leading `./` or `/`.
fn diff_name(path: &Path) -> String {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .collect::<PathBuf>()
        .display()
        .to_string()
}

fn rung(name: &str, title: &str, built: &Built, before: Option<u64>) -> Rung {
    let size = built.image.size();
    let saved =
        before.map(|before| i64::try_from(before).unwrap_or(i64::MAX) - i64::try_from(size).unwrap_or(i64::MAX));
    let cached = built.steps.iter().filter(|step| step.cached).count();
    Rung {
        name: name.to_owned(),
        title: title.to_owned(),
        outcome: "taken",
        reason: None,
        size: Some(size),
        saved,
        digest: Some(built.image.manifest.to_string()),
        layers: Some(built.image.layers.len()),
        agreed: None,
        built: Some(BuiltIn {
            seconds: built.steps.iter().map(|step| step.duration.as_secs_f64()).sum(),
            executed: built.steps.len() - cached,
            cached,
        }),
        differences: Vec::new(),
        declared: 0,
        may_change: Vec::new(),
        config_may_change: Vec::new(),
        notes: Vec::new(),
    }
}

fn fill(rung: &mut Rung, comparison: &Comparison, allowed: Allowed) {
    rung.may_change = allowed.paths;
    rung.config_may_change = allowed.config;
    rung.agreed = Some(comparison.agreed);
    rung.declared = comparison.declared.len();
    rung.differences = comparison
        .config
        .iter()
        .chain(comparison.tree.iter().flatten())
        .chain(&comparison.behaviour)
        .cloned()
        .collect();
}

fn config_name(change: &plimsoll_optimizer::moves::ConfigChange) -> String {
    let field = format!("{:?}", change.field);
    change.key.as_ref().map_or(field.clone(), |key| format!("{field}.{key}"))
}

/// The text of a small file of the context; nothing for links, large files and what is not text.
fn read_small(context: &Path, listing: &Listing, path: &str) -> Option<String> {
    let entry = listing.get(path)?;
    if entry.kind != plimsoll_analyzer::context::EntryKind::File || entry.size > SMALL {
        return None;
    }
    std::fs::read_to_string(context.join(path)).ok()
}
