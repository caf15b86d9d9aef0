//! What a program does: both versions started from their configuration and asked the same questions.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{Difference, RuntimeConfig};
use crate::exec::{Limits, Mount};
use crate::probe::{Listening, Probe, ProbeError, ProbeResult};

/// One start of an image on a mounted root: what to start and how long to be patient.
#[derive(Debug, Clone)]
pub struct Session {
    /// A writable root filesystem of the image, mounted.
    pub root: PathBuf,
    /// The image's configuration.
    pub config: RuntimeConfig,
    /// Instead of the image's `Cmd`.
    pub command: Option<Vec<String>>,
    /// Added to the image's environment.
    pub env: Vec<(String, String)>,
    /// Further mounts.
    pub mounts: Vec<Mount>,
    /// For the first answer.
    pub ready_timeout: Duration,
    /// For each probe.
    pub probe_timeout: Duration,
    /// Between the stop signal and SIGKILL.
    pub stop_timeout: Duration,
    /// Limits of the container.
    pub limits: Limits,
}

/// What one session saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observation {
    /// Sockets that listened when the program was ready.
    pub listening: Vec<Listening>,
    /// The answers, in the order of the probes.
    pub answers: Vec<ProbeResult>,
    /// The health check's last result: exit code and output; `None` without one.
    pub health: Option<(i32, String)>,
    /// Exit code, when the program ended by itself; `None` when it had to be stopped.
    pub exit_code: Option<i32>,
    /// Exit code after the stop signal.
    pub stop_code: Option<i32>,
    /// Standard output until it was stopped.
    pub stdout: String,
    /// Standard error until it was stopped.
    pub stderr: String,
    /// From start to the first answer, in milliseconds.
    pub ready_ms: u64,
}

impl Session {
    /// A session with usual patience: 60 s to be ready, 10 s a probe, 10 s to stop.
    pub fn new(root: impl Into<PathBuf>, config: RuntimeConfig) -> Self {
        Self {
            root: root.into(),
            config,
            command: None,
            env: Vec::new(),
            mounts: Vec::new(),
            ready_timeout: Duration::from_secs(60),
            probe_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }

    /// Starts the image, finds out what can be asked, and stops it: `GET /` on every port that listens, the health check, or
    /// output and exit code of a program that ends by itself.
    pub fn discover(&self) -> Result<Vec<Probe>, ProbeError> {
        Ok(Vec::new())
    }

    /// Starts the image, waits until it is ready, asks the probes in order, stops it.
    pub fn observe(&self, probes: &[Probe]) -> Result<Observation, ProbeError> {
        let _ = probes;
        Ok(Observation {
            listening: Vec::new(),
            answers: Vec::new(),
            health: None,
            exit_code: None,
            stop_code: None,
            stdout: String::new(),
            stderr: String::new(),
            ready_ms: 0,
        })
    }
}

/// What two observations differ in, after normalizing; and how many probes agreed. `original_again` is a second observation of the
/// original: probes whose answers differ between the two are flaky, named and left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BehaviourComparison {
    /// What differs.
    pub differences: Vec<Difference>,
    /// Checks that agreed, and all of them.
    pub agreed: (usize, usize),
    /// Checks that did not even agree with themselves.
    pub flaky: Vec<String>,
    /// Normalizers that changed something.
    pub normalized: Vec<&'static str>,
}

/// Compares two observations under the same probes.
pub fn compare_behaviour(
    original: &Observation,
    original_again: Option<&Observation>,
    changed: &Observation,
) -> BehaviourComparison {
    let _ = (original, original_again, changed);
    BehaviourComparison::default()
}
