//! The proof: two images from one store, run under the same probes, compared in config, tree and behaviour.

use crate::Global;
use crate::command::build_args::BuildArgs;
use crate::config::Config;
use crate::mask;
use crate::probes::{self, Asked};
use crate::remembered::{self, Remembered};
use crate::report::treemap::Node;
use crate::services::{self, Services, Told};
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use plimsoll_runtime::compare::behaviour::{self, Member, Observation, Root, Session};
use plimsoll_runtime::compare::{Allowed, Comparison, TreeOptions, compare_configs, compare_libraries, compare_trees};
use plimsoll_runtime::digest::Digest;
use plimsoll_runtime::image::Image;
use plimsoll_runtime::probe::{ProbeError, Question};
use plimsoll_runtime::snapshot::Snapshots;
use plimsoll_runtime::store::Store;
use std::time::Duration;

/// What every image is started with and asked.
pub struct Prover<'a> {
    snapshots: Snapshots,
    config: &'a Config,
    services: Services,
    remembered: Remembered,
    asked: Vec<Asked>,
    names: Vec<String>,
}

/// The original as it was seen: twice, so that an answer that never repeats is not held against anybody.
pub struct Seen {
    image: Image,
    circumstances: Option<Digest>,
    first: Observation,
    second: Observation,
}

impl<'a> Prover<'a> {
    /// With the probes that the configuration names; without any they are found by [`Prover::look`].
    pub fn new(store: &Store, config: &'a Config) -> Result<Self> {
        let snapshots = Snapshots::new(store).into_diagnostic()?;
        let mut prover = Self {
            snapshots,
            config,
            services: Services::default(),
            remembered: Remembered::new(store),
            asked: Vec::new(),
            names: Vec::new(),
        };
        prover.ask(probes::read_all(config)?);
        Ok(prover)
    }

    fn ask(&mut self, asked: Vec<Asked>) {
        self.names = asked.iter().map(|asked| asked.name.clone()).collect();
        self.asked = asked;
    }

    /// Makes the images of the services that the configuration names; without this none is started.
    pub fn with_services(mut self, global: &Global, args: &BuildArgs) -> Result<Self> {
        self.services = Services::prepare(global, args, self.config, self.snapshots.store())?;
        Ok(if args.no_cache { self.anew() } else { self })
    }

    /// Takes nothing from earlier runs.
    pub fn anew(mut self) -> Self {
        self.remembered.refuse();
        self
    }

    /// How many comparisons are those of an earlier run.
    pub fn remembered(&self) -> usize {
        self.remembered.used()
    }

    /// Everything that a proof depends on besides the two images.
    fn circumstances(&self, image: &Image) -> Result<Option<Digest>> {
        let session = self.session(image)?;
        let members: Vec<&Member> =
            session.services.iter().map(|service| &service.member).chain([&session.app]).collect();
        Ok(Remembered::circumstances(self.config, &self.services(), &members))
    }

    /// The services that are started beside every image.
    pub fn services(&self) -> Vec<Told> {
        self.services.told()
    }

    /// How the probes are called, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn session(&self, image: &Image) -> Result<Session> {
        let container = &self.config.container;
        let root = Root::Layers(self.snapshots.clone(), image.layers.clone());
        let mut session = Session::new(root, image.config.config.clone());
        if let Some(name) = &container.name {
            session.app.name.clone_from(name);
        }
        session.app.aliases.clone_from(&container.aliases);
        session.app.command.clone_from(&container.command);
        session.app.env = container.env.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let volumes = services::read_volumes(self.config, &container.volumes);
        (session.app.mounts, session.app.volumes) =
            volumes.map_err(|what| miette!(help = "docs/configuration.md", "failed to read [container]: {what}"))?;
        session.services = self.services.beside(&self.snapshots, image)?;
        session.ready_timeout = self.config.optimize.ready_timeout.unwrap_or(Duration::from_secs(60));
        if let Some(longest) = self.config.probe.iter().filter_map(|probe| probe.timeout).max() {
            session.probe_timeout = longest;
        }
        Ok(session)
    }

    /// Finds probes where none are configured: what is exposed or listens, the health check, the output.
    pub fn look(&mut self, image: &Image) -> Result<()> {
        if !self.asked.is_empty() {
            return Ok(());
        }
        let found = self
            .session(image)?
            .discover()
            .map_err(|error| miette!(help = help(&error), "failed to find out what to ask the container: {error}"))?;
        self.ask(found.into_iter().map(Asked::from).collect());
        Ok(())
    }

    /// Starts the image once and asks everything.
    pub fn observe(&self, image: &Image) -> Result<Observation> {
        self.observe_once(image)?.map_err(|error| miette!(help = help(&error), "{error}"))
    }

    fn observe_once(&self, image: &Image) -> Result<Result<Observation, ProbeError>> {
        let questions: Vec<Question> = self.asked.iter().map(|asked| asked.question.clone()).collect();
        let mut seen = match self.session(image)?.observe_all(&questions) {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(error)),
        };
        for (asked, answer) in self.asked.iter().zip(&mut seen.answers) {
            mask::answer(&mut answer.answer, &asked.ignore);
        }
        Ok(Ok(seen))
    }

    /// A changed image: what it answers, or why it does not. A service that is not its own and fails says nothing about it: once it
    /// may be chance, twice is an error.
    fn observe_changed(&self, image: &Image) -> Result<Result<Observation, ProbeError>> {
        let seen = self.observe_once(image)?;
        match &seen {
            Err(error) if self.is_others(error) => {
                let again = self.observe_once(image)?;
                match again {
                    Err(error) if self.is_others(&error) => Err(miette!(help = help(&error), "{error}")),
                    again => Ok(again),
                }
            }
            _ => Ok(seen),
        }
    }

    /// Whether a service that does not run the image under test is to blame.
    fn is_others(&self, error: &ProbeError) -> bool {
        match error {
            ProbeError::Service { name, .. } => !self.services.is_under_test(name),
            ProbeError::Among { source, .. } => self.is_others(source),
            ProbeError::Network(_) | ProbeError::Root(_) => true,
            _ => false,
        }
    }

    /// What the configuration leaves out of the comparison, as reports name it.
    pub fn ignored(&self) -> impl Iterator<Item = String> {
        let asked = self.asked.iter();
        asked.flat_map(|asked| asked.ignore.iter().map(move |pattern| format!("{pattern} in `{}`", asked.name)))
    }

    /// The original: run twice.
    pub fn original(&mut self, image: &Image) -> Result<Seen> {
        let circumstances = self.circumstances(image)?;
        let known = self.remembered.original(circumstances.as_ref(), image);
        let (first, second) = match known {
            Some(known) => {
                if self.asked.is_empty() {
                    self.ask(known.questions.into_iter().map(|question| Asked::from(question.probe)).collect());
                }
                (known.first, known.second)
            }
            None => {
                self.look(image)?;
                let first =
                    self.observe(image).wrap_err("the original image does not answer, so nothing can be proven")?;
                let second = self.observe(image).wrap_err("the original image answered once, then no more")?;
                let questions = self.asked.iter().map(|asked| asked.question.clone()).collect();
                let seen = remembered::Original { questions, first, second };
                self.remembered.keep_original(circumstances.as_ref(), image, &seen);
                (seen.first, seen.second)
            }
        };
        for (name, answer) in self.names.iter().zip(&first.answers) {
            if let Some(problem) = answer.unmet() {
                return Err(miette!(
                    help = "mend the probe in plimsoll.toml, or the program",
                    "the original does not answer the probe `{name}` as it expects: {problem}"
                ));
            }
        }
        Ok(Seen { image: image.clone(), circumstances, first, second })
    }

    /// Compares `changed` with the original, modulo what is allowed.
    pub fn compare(&self, original: &Seen, changed: &Image, allowed: &Allowed) -> Result<Comparison> {
        let pair = original.circumstances.as_ref();
        let pair = pair.map(|circumstances| remembered::pair(circumstances, &original.image, changed, allowed));
        if let Some(known) = self.remembered.comparison(pair.as_ref()) {
            return Ok(known);
        }
        let mut comparison = self.compare_static(&original.image, changed, allowed)?;
        let mut lasting = true;
        match self.observe_changed(changed)? {
            Ok(observation) => {
                let compare =
                    |seen: &Observation| behaviour::compare_behaviour(&original.first, Some(&original.second), seen);
                let mut seen = compare(&observation);
                // A busy machine may not let a program end in time; one that never does will not the second time either.
                if !seen.differences.is_empty()
                    && seen.differences.iter().all(was_killed)
                    && let Ok(again) = self.observe_changed(changed)?
                {
                    seen = compare(&again);
                }
                comparison.behaviour = seen.differences;
                comparison.agreed = seen.agreed;
                // A shell that passed no signal on had to be killed; a program of its own need not be.
                let direct = allowed.config.iter().any(|field| field == "Cmd" || field == "Entrypoint");
                if direct && observation.exit_code.is_none() {
                    let (ends, others) =
                        std::mem::take(&mut comparison.behaviour).into_iter().partition::<Vec<_>, _>(|difference| {
                            difference.subject == "end" && original.first.stop_code == Some(KILLED)
                        });
                    comparison.behaviour = others;
                    comparison.agreed.0 += ends.len();
                    comparison.declared.extend(ends);
                }
                comparison.flaky = seen.flaky;
                for name in seen.normalized {
                    if !comparison.normalized.iter().any(|known| known == name) {
                        comparison.normalized.push(name.to_owned());
                    }
                }
            }
            Err(error) => {
                // It may have been a busy machine.
                lasting = !is_slow(&error);
                let total = self.asked.len();
                comparison.behaviour = vec![plimsoll_runtime::compare::Difference {
                    subject: "the container".to_owned(),
                    kind: plimsoll_runtime::compare::DifferenceKind::Answer,
                    before: Some("every probe".to_owned()),
                    after: Some(format!("nothing: {error}")),
                    bytes: 0,
                }];
                comparison.agreed = (0, total);
            }
        }
        if lasting {
            self.remembered.keep_comparison(pair.as_ref(), &comparison);
        }
        Ok(comparison)
    }

    /// Config and tree alone.
    pub fn compare_static(&self, original: &Image, changed: &Image, allowed: &Allowed) -> Result<Comparison> {
        let mut comparison = Comparison::default();
        let mut allowed = allowed.clone();
        // What a base image says of itself alone is no part of the program.
        allowed.config.push(format!("Labels.{}", crate::builder::STAND_IN));
        let allowed = &allowed;
        let (config, declared) = compare_configs(&original.config.config, &changed.config.config, allowed);
        comparison.config = config;
        comparison.declared = declared;
        if !allowed.programs.is_empty() {
            let before =
                self.snapshots.view(&original.layers).into_diagnostic().wrap_err("failed to mount the original")?;
            let after =
                self.snapshots.view(&changed.layers).into_diagnostic().wrap_err("failed to mount the result")?;
            let gone = compare_libraries(before.root(), after.root(), &allowed.programs);
            comparison.tree.get_or_insert_default().extend(gone);
        }
        // Where everything may change, the trees say nothing.
        if !allowed.paths.iter().any(|glob| glob == "/**" || glob == "**") {
            let before =
                self.snapshots.view(&original.layers).into_diagnostic().wrap_err("failed to mount the original")?;
            let after =
                self.snapshots.view(&changed.layers).into_diagnostic().wrap_err("failed to mount the result")?;
            let (tree, declared) =
                compare_trees(before.root(), after.root(), allowed, &TreeOptions { fold: true }).into_diagnostic()?;
            comparison.tree.get_or_insert_default().extend(tree);
            comparison.declared.extend(declared);
        }
        Ok(comparison)
    }
}

/// The files of an image and their bytes, by folder, as far down as a drawing shows them.
pub fn bytes_by_path(store: &Store, image: &Image) -> Result<Node> {
    let snapshots = Snapshots::new(store).into_diagnostic()?;
    let view = snapshots.view(&image.layers).into_diagnostic().wrap_err("failed to mount the image")?;
    let mut root = Node { name: "the image".to_owned(), ..Node::default() };
    for entry in walkdir::WalkDir::new(view.root()).into_iter().filter_map(Result::ok) {
        if entry.file_type().is_file()
            && let (Ok(path), Ok(metadata)) = (entry.path().strip_prefix(view.root()), entry.metadata())
        {
            root.add(&path.to_string_lossy(), metadata.len());
        }
    }
    root.simplify(4, 0.002);
    Ok(root)
}

/// The exit code of a program that SIGKILL ended.
const KILLED: i32 = 137;

const NO_ANSWER: &str = "try the image with `plimsoll run`; say what to ask in [[probe]] of plimsoll.toml, and raise \
                         optimize.ready-timeout for a program that starts slowly";

/// Whether a program was asked to stop and did not in the time it had.
fn was_killed(difference: &plimsoll_runtime::compare::Difference) -> bool {
    difference.subject == "end" && difference.after.as_ref().is_some_and(|after| after.ends_with("exit code 137"))
}

fn is_slow(error: &ProbeError) -> bool {
    match error {
        ProbeError::NeverAnswered { .. } => true,
        ProbeError::Service { source, .. } | ProbeError::Among { source, .. } => is_slow(source),
        _ => false,
    }
}

fn help(error: &ProbeError) -> &'static str {
    match error {
        ProbeError::Service { .. } => "try it with `plimsoll run`; `ready` of [[service]] says what is waited for",
        ProbeError::Network(error) => error.help().unwrap_or(NO_ANSWER),
        ProbeError::Among { source, .. } => help(source),
        _ => NO_ANSWER,
    }
}
