//! The certificate: what `optimize --verify --proof` compared, complete enough to compare it again.
//!
//! `docs/certificate.md` describes every field. Secrets of the build are not in it, and neither are results of builds:
//! whoever repeats the proof makes both images again, or has them.

use crate::command::optimize::Job;
use crate::report::ladder::{Report, Rung};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_optimizer::Files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the shape that is written, and the only one that is read.
const VERSION: u32 = 1;

/// What was compared and what came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Version of this shape.
    pub version: u32,
    /// The program that made it.
    pub plimsoll: String,
    /// The build context, as it was named.
    pub context: PathBuf,
    /// The Dockerfile, as it was found.
    pub dockerfile: PathBuf,
    /// How owners were mapped.
    pub id_map: String,
    /// Base images that were stand-ins.
    pub stand_ins: Vec<String>,
    /// What the builds were given besides the files.
    pub build: Inputs,
    /// The text of `plimsoll.toml`, with its probes and services; none when everything was found by itself.
    pub config: Option<String>,
    /// Probes of the command line, as they were written there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// The program before.
    pub original: Version,
    /// The program after.
    pub result: Version,
    /// What was asked of both.
    pub probes: Vec<String>,
    /// Containers that were started beside every image, and their images' digests.
    #[serde(default)]
    pub services: Vec<crate::services::Told>,
    /// Those of the probes that the original did not answer the same twice.
    pub flaky: Vec<String>,
    /// Normalizers and noise lists that were used.
    pub normalized: Vec<String>,
    /// Every step that was kept, each compared with the original.
    pub steps: Vec<Compared>,
    /// Whether every comparison found the same program.
    pub verified: bool,
}

/// What a build was given besides the files.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// The stage.
    pub target: Option<String>,
    /// The platform.
    pub platform: Option<String>,
    /// Network of RUN steps.
    pub network: Option<String>,
}

/// One of the two programs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Digest of the image's manifest.
    pub digest: String,
    /// Bytes of its layers, uncompressed.
    pub size: u64,
    /// Text of the Dockerfile.
    pub dockerfile: String,
    /// Text of the ignore file.
    pub dockerignore: Option<String>,
}

/// One comparison with the original.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The step.
    pub name: String,
    /// Its line in the ladder.
    pub title: String,
    /// Digest of its image's manifest.
    pub digest: String,
    /// Bytes of the image's layers.
    pub size: u64,
    /// Checks that agreed.
    pub agreed: usize,
    /// All checks.
    pub checks: usize,
    /// Globs of paths in which it may differ.
    pub may_change: Vec<String>,
    /// Fields of the config in which it may differ.
    pub config_may_change: Vec<String>,
    /// Paths and fields that did differ as declared.
    pub declared: usize,
    /// What differed beyond that; empty in every step that was kept.
    pub differences: Vec<String>,
}

impl Certificate {
    /// What this run of `optimize` found out.
    pub fn of(job: &Job<'_>, report: &Report) -> Result<Self> {
        let original = Version {
            digest: report.original.digest.clone().unwrap_or_default(),
            size: report.original.size.unwrap_or_default(),
            dockerfile: job.original.dockerfile.clone(),
            dockerignore: job.original.dockerignore.clone(),
        };
        let result = Version {
            digest: report.result.digest.clone(),
            size: report.result.size,
            dockerfile: report.files.dockerfile.clone(),
            dockerignore: report.files.dockerignore.clone(),
        };
        let build = &job.args.build;
        Ok(Self {
            version: VERSION,
            plimsoll: env!("CARGO_PKG_VERSION").to_owned(),
            context: job.context.to_path_buf(),
            dockerfile: job.dockerfile.to_path_buf(),
            id_map: report.id_map.clone(),
            stand_ins: report.stand_ins.clone(),
            build: Inputs {
                args: build.build_args(job.config)?,
                target: build.target.clone().or_else(|| job.config.build.target.clone()),
                platform: build.platform.clone(),
                network: build.network.clone().or_else(|| job.config.build.network.clone()),
            },
            config: job.config.text.clone(),
            // Their names are what was written.
            asked: job.args.probe.iter().filter_map(|probe| probe.name.clone()).collect(),
            original,
            result,
            probes: report.probes.clone(),
            services: report.services.clone(),
            flaky: report.flaky.clone(),
            normalized: report.normalized.clone(),
            steps: report.steps.iter().filter(|step| step.agreed.is_some()).filter_map(Compared::of).collect(),
            verified: report.result.verified,
        })
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).into_diagnostic()? + "\n";
        crate::files::write_atomically(path, text.as_bytes())
    }

    /// Reads one; `-` is standard input.
    pub fn read(path: &Path) -> Result<Self> {
        const HELP: &str = "`plimsoll optimize DIR --verify --proof FILE` writes one";
        let bytes = crate::files::read(path)?;
        let wrong = |why: String| miette!(help = HELP, "failed to read the certificate {}: {why}", path.display());
        let shape: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        match shape.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(other) => return Err(wrong(format!("its version is {other}; this plimsoll reads version {VERSION}"))),
            None => return Err(wrong("it has no version".to_owned())),
        }
        serde_json::from_value(shape).map_err(|error| wrong(error.to_string()))
    }

    /// The comparison that led to the result.
    pub fn last(&self) -> Option<&Compared> {
        self.steps.iter().rev().find(|step| step.digest == self.result.digest)
    }
}

impl Version {
    /// Its texts, to be built.
    pub fn files(&self) -> Files {
        Files { dockerfile: self.dockerfile.clone(), dockerignore: self.dockerignore.clone() }
    }
}

impl Compared {
    fn of(rung: &Rung) -> Option<Self> {
        let (agreed, checks) = rung.agreed?;
        (rung.outcome == "taken").then(|| Self {
            name: rung.name.clone(),
            title: rung.title.clone(),
            digest: rung.digest.clone().unwrap_or_default(),
            size: rung.size.unwrap_or_default(),
            agreed,
            checks,
            may_change: rung.may_change.clone(),
            config_may_change: rung.config_may_change.clone(),
            declared: rung.declared,
            differences: rung.differences.iter().map(crate::report::ladder::difference_line).collect(),
        })
    }
}
