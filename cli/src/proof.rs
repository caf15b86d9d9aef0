//! The proof: two images from one store, run under the same probes, compared in config, tree and behaviour.

use crate::config::Config;
use crate::mask;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use plimsoll_runtime::compare::behaviour::{self, Observation, Session};
use plimsoll_runtime::compare::{Allowed, Comparison, TreeOptions, compare_configs, compare_trees};
use plimsoll_runtime::image::Image;
use plimsoll_runtime::probe::Probe;
use plimsoll_runtime::snapshot::Snapshots;
use plimsoll_runtime::store::Store;
use std::time::Duration;

/// What every image is started with and asked.
pub struct Prover<'a> {
    snapshots: Snapshots,
    config: &'a Config,
    probes: Vec<Probe>,
    names: Vec<String>,
}

/// The original as it was seen: twice, so that an answer that never repeats is not held against anybody.
pub struct Seen {
    image: Image,
    first: Observation,
    second: Observation,
}

impl<'a> Prover<'a> {
    /// With the probes that the configuration names; without any they are found by [`Prover::look`].
    pub fn new(store: &Store, config: &'a Config) -> Result<Self> {
        if let Some(service) = config.service.first() {
            return Err(miette!(
                help = "prove it without its services: give probes that need none",
                "failed to start the service `{}`: several containers at once cannot be proven yet",
                service.name
            ));
        }
        let snapshots = Snapshots::new(store).into_diagnostic()?;
        let mut prover = Self { snapshots, config, probes: Vec::new(), names: Vec::new() };
        for (index, probe) in config.probe.iter().enumerate() {
            let read = read_probe(probe, index)?;
            prover.names.push(probe.name.clone().unwrap_or_else(|| read.title()));
            prover.probes.push(read);
        }
        Ok(prover)
    }

    /// How the probes are called, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn session(&self, root: &std::path::Path, image: &Image) -> Session {
        let mut session = Session::new(root, image.config.config.clone());
        session.command.clone_from(&self.config.container.command);
        session.env = self.config.container.env.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        session.ready_timeout = self.config.optimize.ready_timeout.unwrap_or(Duration::from_secs(60));
        if let Some(longest) = self.config.probe.iter().filter_map(|probe| probe.timeout).max() {
            session.probe_timeout = longest;
        }
        session
    }

    /// Finds probes where none are configured: what is exposed or listens, the health check, the output.
    pub fn look(&mut self, image: &Image) -> Result<()> {
        if !self.probes.is_empty() {
            return Ok(());
        }
        let active = self.snapshots.prepare(&image.layers).into_diagnostic().wrap_err("failed to mount the image")?;
        self.probes = self
            .session(active.root(), image)
            .discover()
            .map_err(|error| miette!(help = NO_ANSWER, "failed to find out what to ask the container: {error}"))?;
        self.names = self.probes.iter().map(Probe::title).collect();
        Ok(())
    }

    /// Starts the image once and asks everything.
    pub fn observe(&self, image: &Image) -> Result<Observation> {
        let active = self.snapshots.prepare(&image.layers).into_diagnostic().wrap_err("failed to mount the image")?;
        let session = self.session(active.root(), image);
        let mut seen = session.observe(&self.probes).map_err(|error| miette!(help = NO_ANSWER, "{error}"))?;
        for (probe, answer) in self.config.probe.iter().zip(&mut seen.answers) {
            mask::answer(&mut answer.answer, &probe.ignore);
        }
        Ok(seen)
    }

    /// What the configuration leaves out of the comparison, as reports name it.
    pub fn ignored(&self) -> impl Iterator<Item = String> {
        let probes = self.names.iter().zip(&self.config.probe);
        probes.flat_map(|(name, probe)| probe.ignore.iter().map(move |pattern| format!("{pattern} in `{name}`")))
    }

    /// The original: run twice.
    pub fn original(&mut self, image: &Image) -> Result<Seen> {
        self.look(image)?;
        let first = self.observe(image).wrap_err("the original image does not answer, so nothing can be proven")?;
        let second = self.observe(image).wrap_err("the original image answered once, then no more")?;
        for (name, answer) in self.names.iter().zip(&first.answers) {
            if let Some(problem) = answer.unmet() {
                return Err(miette!(
                    help = "mend the probe in plimsoll.toml, or the program",
                    "the original does not answer the probe `{name}` as it expects: {problem}"
                ));
            }
        }
        Ok(Seen { image: image.clone(), first, second })
    }

    /// Compares `changed` with the original, modulo what is allowed.
    pub fn compare(&self, original: &Seen, changed: &Image, allowed: &Allowed) -> Result<Comparison> {
        let mut comparison = self.compare_static(&original.image, changed, allowed)?;
        match self.observe(changed) {
            Ok(observation) => {
                let seen = behaviour::compare_behaviour(&original.first, Some(&original.second), &observation);
                comparison.behaviour = seen.differences;
                comparison.agreed = seen.agreed;
                comparison.flaky = seen.flaky;
                for name in seen.normalized {
                    if !comparison.normalized.contains(&name) {
                        comparison.normalized.push(name);
                    }
                }
            }
            Err(error) => {
                let total = self.probes.len();
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
        // Where everything may change, the trees say nothing.
        if !allowed.paths.iter().any(|glob| glob == "/**" || glob == "**") {
            let before =
                self.snapshots.view(&original.layers).into_diagnostic().wrap_err("failed to mount the original")?;
            let after =
                self.snapshots.view(&changed.layers).into_diagnostic().wrap_err("failed to mount the result")?;
            let (tree, declared) =
                compare_trees(before.root(), after.root(), allowed, &TreeOptions { fold: true }).into_diagnostic()?;
            comparison.tree = Some(tree);
            comparison.declared.extend(declared);
        }
        Ok(comparison)
    }
}

const NO_ANSWER: &str = "try the image with `plimsoll run`; say what to ask in [[probe]] of plimsoll.toml, and raise \
                         optimize.ready-timeout for a program that starts slowly";

/// A probe of the configuration as the prober takes it.
fn read_probe(probe: &crate::config::Probe, index: usize) -> Result<Probe> {
    let number = index + 1;
    let wrong = |what: &str| {
        miette!(help = "docs/configuration.md shows each kind", "failed to read [[probe]] number {number}: {what}")
    };
    let kinds = [probe.http.is_some(), probe.tcp.is_some(), probe.exec.is_some(), probe.stdout == Some(true)];
    if kinds.iter().filter(|kind| **kind).count() != 1 {
        return Err(wrong("exactly one of http, tcp, exec and stdout must be there"));
    }
    if let Some(port) = probe.tcp {
        return Ok(Probe::Tcp { port });
    }
    if let Some(args) = &probe.exec {
        return Ok(Probe::Exec { args: args.clone() });
    }
    let Some(http) = &probe.http else { return Ok(Probe::Output) };
    let (method, path) = http.split_once(' ').unwrap_or(("GET", http));
    if !path.trim_start().starts_with('/') || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(wrong("http is a method and a path, such as \"GET /health\""));
    }
    Ok(Probe::Http {
        method: method.to_owned(),
        port: probe.port.unwrap_or_default(),
        path: path.trim().to_owned(),
        headers: probe.headers.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        body: probe.body.clone(),
        expect_status: probe.status,
        expect_body: None,
    })
}
