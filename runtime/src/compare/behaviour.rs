//! What a program does: both versions started from their configuration and asked the same questions.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::Serialize;

use super::{Difference, DifferenceKind, RuntimeConfig, normalize};
use crate::exec::{
    self, Container, DEFAULT_PATH, EtcFiles, ExecError, Limits, Mount, Network, Outcome, Process, SetupStep, User,
};
use crate::probe::{self, Answer, HttpAnswer, Listening, Probe, ProbeError, ProbeResult};

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
    /// For the first answer, and for a program that ends by itself.
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
    /// Sockets that listened when the program was ready, those on ports that the kernel picked left out.
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

/// Ports from here on are picked by the kernel, and other ones at each start.
const PICKED_PORTS: u16 = 32768;
/// A program that exposes nothing and listens to nothing this long is taken to be none that listens.
const QUIET: Duration = Duration::from_secs(10);
/// Hostname of both versions.
const HOSTNAME: &str = "plimsoll";

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

    /// Starts the image, finds out what can be asked, and stops it: `GET /` on every port that listens, a connection where no
    /// HTTP is spoken, or output and exit code of a program that ends by itself. The health check needs no probe.
    pub fn discover(&self) -> Result<Vec<Probe>, ProbeError> {
        let mut container = exec::spawn(&self.process()?)?;
        let exposed = self.exposed();
        let patience = if exposed.is_empty() { self.ready_timeout.min(QUIET) } else { self.ready_timeout };
        match probe::wait_for_any_port(&mut container, patience) {
            Ok(_) => {}
            // Whatever it was to do, it is done; or it goes on without listening.
            Err(ProbeError::Exited { .. }) => return Ok(vec![Probe::Output]),
            Err(ProbeError::NeverAnswered { .. }) if exposed.is_empty() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
        settle(&mut container, &exposed, self.ready_timeout)?;
        let listening = probe::listening(&container)?;
        let ports: BTreeSet<u16> = listening
            .iter()
            .map(|socket| socket.port)
            .filter(|port| *port < PICKED_PORTS || exposed.contains(port))
            .collect();
        let mut probes = Vec::new();
        for port in ports {
            let get = Probe::get(port, "/");
            let speaks_http = matches!(probe::ask(&mut container, &get, self.probe_timeout)?, Answer::Http(_));
            probes.push(if speaks_http { get } else { Probe::Tcp { port } });
        }
        container.stop(self.stop_signal(), self.stop_timeout)?;
        Ok(probes)
    }

    /// Starts the image, waits until it is ready, asks the probes in order, stops it. Port 0 in a probe means the first port that
    /// is exposed, or else listens.
    pub fn observe(&self, probes: &[Probe]) -> Result<Observation, ProbeError> {
        let started = Instant::now();
        let mut container = exec::spawn(&self.process()?)?;
        let wants_end = probes.iter().any(|probe| matches!(probe, Probe::Output));
        let wants_service = probes.iter().any(|probe| !matches!(probe, Probe::Output));
        let mut listening = Vec::new();
        let mut probes = probes.to_vec();
        if wants_service {
            self.wait_until_ready(&mut container, &mut probes)?;
            listening = probe::listening(&container)?;
            let exposed = self.exposed();
            listening.retain(|socket| socket.port < PICKED_PORTS || exposed.contains(&socket.port));
        }
        let ready_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let health = if wants_end && !wants_service { None } else { self.check_health(&container)? };
        let mut answers = Vec::new();
        for probe in &probes {
            let answer = match probe {
                Probe::Exec { args } => probe::run_inside(&container, self.inside(args.clone())?, self.probe_timeout)?,
                Probe::Output => probe::ask(&mut container, probe, self.ready_timeout)?,
                _ => probe::ask(&mut container, probe, self.probe_timeout)?,
            };
            answers.push(ProbeResult { probe: probe.clone(), answer });
        }
        if probes.is_empty() {
            // A program that neither listens nor was to be asked: what it does in a while.
            container.wait_timeout(QUIET.min(self.ready_timeout))?;
        }
        let (outcome, exit_code, stop_code) = match container.wait_timeout(Duration::ZERO)? {
            Some(outcome) => {
                let code = outcome.status.code();
                (outcome, Some(code), None)
            }
            None => {
                let outcome = self.stop(&mut container)?;
                let code = outcome.status.code();
                (outcome, None, Some(code))
            }
        };
        Ok(Observation {
            listening,
            answers,
            health,
            exit_code,
            stop_code,
            stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
            ready_ms,
        })
    }

    fn stop(&self, container: &mut Container) -> Result<Outcome, ExecError> {
        container.stop(self.stop_signal(), self.stop_timeout)
    }

    /// The process that `docker run` would start, in a network of its own.
    fn process(&self) -> Result<Process, ProbeError> {
        let config = &self.config;
        let mut args = config.entrypoint.clone().unwrap_or_default();
        args.extend(self.command.clone().or_else(|| config.cmd.clone()).unwrap_or_default());
        if args.is_empty() {
            return Err(ProbeError::NoCommand);
        }
        let mut process = self.inside(args)?;
        process.network = Network::Private;
        process.etc_files = EtcFiles::Run;
        process.hostname = HOSTNAME.to_owned();
        process.mounts.clone_from(&self.mounts);
        process.limits = Limits { time: None, ..self.limits };
        Ok(process)
    }

    /// A process with the image's environment, user and directory.
    fn inside(&self, args: Vec<String>) -> Result<Process, ProbeError> {
        let mut process = Process::new(&self.root, args);
        let user = self.user()?;
        for pair in &self.config.env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            process.set_env(name, value);
        }
        for (name, value) in [("PATH", DEFAULT_PATH), ("HOSTNAME", HOSTNAME), ("HOME", &user.home)] {
            if process.env_value(name).is_none() {
                process.set_env(name, value);
            }
        }
        for (name, value) in &self.env {
            process.set_env(name, value);
        }
        process.user = user;
        if !self.config.working_dir.is_empty() {
            process.cwd.clone_from(&self.config.working_dir);
        }
        Ok(process)
    }

    fn user(&self) -> Result<User, ProbeError> {
        Ok(exec::lookup_user(&self.root, &self.config.user)?)
    }

    /// Exposed TCP ports, sorted.
    fn exposed(&self) -> Vec<u16> {
        let port = |text: &String| match text.split_once('/') {
            Some((port, "tcp")) => port.parse().ok(),
            Some(_) => None,
            None => text.parse().ok(),
        };
        let mut ports: Vec<u16> = self.config.exposed_ports.iter().filter_map(port).collect();
        ports.sort_unstable();
        ports
    }

    fn stop_signal(&self) -> Signal {
        let name = self.config.stop_signal.as_deref().unwrap_or("SIGTERM");
        signal_named(name).unwrap_or(Signal::SIGTERM)
    }

    /// Waits for the ports that the probes ask, after giving port 0 a number.
    fn wait_until_ready(&self, container: &mut Container, probes: &mut [Probe]) -> Result<(), ProbeError> {
        let deadline = Instant::now() + self.ready_timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let asks_any = probes.iter().any(|probe| port_of(probe) == Some(0));
        if asks_any {
            let port = match self.exposed().first() {
                Some(port) => *port,
                None => probe::wait_for_any_port(container, left())?.first().map_or(0, |socket| socket.port),
            };
            for probe in probes.iter_mut() {
                if let Probe::Http { port: number, .. } | Probe::Tcp { port: number } = probe
                    && *number == 0
                {
                    *number = port;
                }
            }
        }
        let ports: BTreeSet<u16> = probes.iter().filter_map(port_of).collect();
        for port in &ports {
            probe::wait_for_port(container, *port, left())?;
        }
        if ports.is_empty() {
            // Commands alone are asked: of a service, when it is up.
            let exposed = self.exposed();
            if let Some(port) = exposed.first() {
                probe::wait_for_port(container, *port, left())?;
            }
            return Ok(());
        }
        settle(container, &self.exposed(), Duration::from_millis(300))
    }

    /// Runs the image's health check until it passes or has failed as often as it may.
    fn check_health(&self, container: &Container) -> Result<Option<(i32, String)>, ProbeError> {
        let Some(check) = &self.config.healthcheck else { return Ok(None) };
        let args = match check.test.split_first() {
            Some((kind, args)) if kind == "CMD" && !args.is_empty() => args.to_vec(),
            Some((kind, [text])) if kind == "CMD-SHELL" => {
                let shell = self.config.shell.clone().filter(|shell| !shell.is_empty());
                let mut args = shell.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
                args.push(text.clone());
                args
            }
            _ => return Ok(None),
        };
        let seconds = |nanoseconds: i64, usual: u64| match u64::try_from(nanoseconds) {
            Ok(0) | Err(_) => Duration::from_secs(usual),
            Ok(nanoseconds) => Duration::from_nanos(nanoseconds),
        };
        let timeout = seconds(check.timeout, 30);
        let deadline =
            Instant::now() + seconds(check.start_period, 0).max(Duration::from_secs(5)).min(self.ready_timeout);
        loop {
            let (code, output) = match probe::run_inside(container, self.inside(args.clone())?, timeout)? {
                Answer::Exec { code, stdout, stderr } => (code, stdout + &stderr),
                Answer::Failed { reason } => (-1, reason),
                _ => return Ok(None),
            };
            if code == 0 || Instant::now() >= deadline {
                return Ok(Some((code, output)));
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

/// `SIGTERM`, `TERM` or `15`.
fn signal_named(name: &str) -> Option<Signal> {
    if let Ok(number) = name.parse::<i32>() {
        return Signal::try_from(number).ok();
    }
    let name = name.to_ascii_uppercase();
    let full = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    full.parse().ok()
}

fn port_of(probe: &Probe) -> Option<u16> {
    match probe {
        Probe::Http { port, .. } | Probe::Tcp { port } => Some(*port),
        Probe::Exec { .. } | Probe::Output => None,
    }
}

/// Waits until all exposed ports listen, and no more come for a while.
fn settle(container: &mut Container, exposed: &[u16], patience: Duration) -> Result<(), ProbeError> {
    let deadline = Instant::now() + patience.min(Duration::from_secs(5));
    let mut before = Vec::new();
    loop {
        let now = probe::listening(container)?;
        let all = exposed.iter().all(|port| now.iter().any(|socket| socket.port == *port));
        if (all && now == before) || Instant::now() >= deadline {
            return Ok(());
        }
        before = now;
        if container.wait_timeout(Duration::from_millis(50))?.is_some() {
            return Ok(());
        }
    }
}

/// What two observations differ in, after normalizing; and how many checks agreed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BehaviourComparison {
    /// What differs.
    pub differences: Vec<Difference>,
    /// Checks that agreed, and all of them.
    pub agreed: (usize, usize),
    /// Checks that did not even agree with themselves.
    pub flaky: Vec<String>,
    /// Normalizers without which answers that agree would not.
    pub normalized: Vec<&'static str>,
}

/// Compares two observations under the same probes. `original_again` is a second observation of the original: checks whose answers
/// differ between the two are flaky, named and left out.
pub fn compare_behaviour(
    original: &Observation,
    original_again: Option<&Observation>,
    changed: &Observation,
) -> BehaviourComparison {
    let mut comparison = BehaviourComparison::default();
    let again = original_again.map(checks);
    let (before, after) = (checks(original), checks(changed));
    for (index, check) in before.iter().enumerate() {
        let Some(other) = after.get(index) else { continue };
        let mut used = Vec::new();
        let flaky =
            again.as_ref().and_then(|again| again.get(index)).is_some_and(|again| !check.agrees(again, &mut used));
        if flaky {
            comparison.flaky.push(check.subject.clone());
            continue;
        }
        comparison.agreed.1 += 1;
        if check.agrees(other, &mut used) {
            comparison.agreed.0 += 1;
            for name in used {
                if !comparison.normalized.contains(&name) {
                    comparison.normalized.push(name);
                }
            }
        } else {
            comparison.differences.push(Difference {
                subject: check.subject.clone(),
                kind: DifferenceKind::Answer,
                before: Some(check.shown.clone()),
                after: Some(other.shown.clone()),
                bytes: 0,
            });
        }
    }
    comparison
}

/// One thing that is compared.
struct Check {
    subject: String,
    /// Compared after normalizing.
    text: String,
    /// For a report.
    shown: String,
}

impl Check {
    fn new(subject: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { subject: subject.into(), shown: shorten(&text), text }
    }

    fn agrees(&self, other: &Self, used: &mut Vec<&'static str>) -> bool {
        if self.text == other.text {
            return true;
        }
        let ((left, left_used), (right, right_used)) = (normalize(&self.text), normalize(&other.text));
        used.extend(left_used);
        used.extend(right_used);
        left == right
    }
}

/// The longest text that a report shows of an answer.
const SHOWN: usize = 600;

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

fn checks(seen: &Observation) -> Vec<Check> {
    let mut checks: Vec<Check> =
        seen.answers.iter().map(|result| Check::new(result.probe.title(), answer_text(&result.answer))).collect();
    let served = seen.answers.iter().any(|result| !matches!(result.probe, Probe::Output));
    if served {
        let sockets: Vec<String> = seen
            .listening
            .iter()
            .map(|socket| std::net::SocketAddr::new(socket.address, socket.port).to_string())
            .collect();
        checks.push(Check::new("listening ports", sockets.join(" ")));
    }
    let health = match &seen.health {
        Some((0, _)) => Some("healthy".to_owned()),
        Some((code, output)) => Some(format!("unhealthy: exit code {code}\n{output}")),
        None => None,
    };
    checks.extend(health.map(|health| Check::new("health check", health)));
    // A program whose whole output was asked for has told it already.
    if !seen.answers.iter().any(|result| matches!(result.probe, Probe::Output)) {
        let end = match (seen.exit_code, seen.stop_code) {
            (Some(code), _) => format!("ended by itself with exit code {code}"),
            (None, Some(code)) => format!("ran until it was stopped, exit code {code}"),
            (None, None) => "ran".to_owned(),
        };
        checks.push(Check::new("end", end));
        checks.push(Check::new("standard output", seen.stdout.clone()));
        checks.push(Check::new("standard error", seen.stderr.clone()));
    }
    checks
}

fn answer_text(answer: &Answer) -> String {
    match answer {
        Answer::Http(HttpAnswer { status, headers, body }) => {
            let kind = headers.get("content-type").map_or("none", String::as_str);
            let location = headers.get("location").map(|to| format!("\nlocation: {to}")).unwrap_or_default();
            let body = match std::str::from_utf8(body) {
                Ok(text) => text.to_owned(),
                // Every byte counts, though nobody reads them.
                Err(_) => format!("{} bytes, {}", body.len(), crate::digest::Digest::of(body)),
            };
            format!("status {status}, {kind}{location}\n{body}")
        }
        Answer::Connected => "accepts connections".to_owned(),
        Answer::Exec { code, stdout, stderr } => format!("exit code {code}\n{stdout}\n{stderr}"),
        Answer::Failed { reason } => format!("no answer: {reason}"),
    }
}

impl From<exec::UserError> for ProbeError {
    fn from(error: exec::UserError) -> Self {
        Self::User(error)
    }
}

impl ProbeError {
    /// Whether the container never came to run: the image names a program or user that it does not have.
    pub fn is_start(&self) -> bool {
        matches!(
            self,
            Self::NoCommand | Self::User(_) | Self::Exec(ExecError { step: SetupStep::Exec | SetupStep::User, .. })
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn seen(body: &str, stderr: &str) -> Observation {
        let answer = HttpAnswer {
            status: 200,
            headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
            body: body.as_bytes().to_vec(),
        };
        Observation {
            listening: vec![Listening { port: 8080, address: [0, 0, 0, 0].into() }],
            answers: vec![ProbeResult { probe: Probe::get(8080, "/"), answer: Answer::Http(answer) }],
            health: Some((0, "ok at 13:00:00".to_owned())),
            exit_code: None,
            stop_code: Some(143),
            stdout: String::new(),
            stderr: stderr.to_owned(),
            ready_ms: 5,
        }
    }

    #[test]
    fn the_same_but_for_times() {
        let first = seen("{}", "2026-11-22 13:29:46 started\n");
        let other = seen("{}", "2026-11-22 13:30:01 started\n");
        let comparison = compare_behaviour(&first, Some(&first), &other);
        assert_eq!(comparison.agreed, (6, 6));
        assert_eq!(comparison.normalized, ["times"]);
        assert!(comparison.differences.is_empty() && comparison.flaky.is_empty());
    }

    #[test]
    fn a_changed_answer_is_told() {
        let comparison = compare_behaviour(&seen("{\"v\":1}", ""), None, &seen("{\"v\":2}", ""));
        assert_eq!(comparison.agreed, (5, 6));
        let [difference] = comparison.differences.as_slice() else { panic!("{comparison:?}") };
        assert_eq!(difference.subject, "GET :8080/");
        assert_eq!(difference.after.as_deref(), Some("status 200, application/json\n{\"v\":2}"));
    }

    #[test]
    fn what_does_not_agree_with_itself_is_left_out_by_name() {
        let comparison = compare_behaviour(&seen("a", ""), Some(&seen("b", "")), &seen("c", ""));
        assert_eq!((comparison.flaky.as_slice(), comparison.agreed), (&["GET :8080/".to_owned()][..], (5, 5)));
    }

    #[test]
    fn names_of_signals() {
        for name in ["SIGINT", "INT", "int", "2"] {
            assert_eq!(signal_named(name), Some(Signal::SIGINT));
        }
        assert_eq!(signal_named("NOSUCH"), None);
    }
}
