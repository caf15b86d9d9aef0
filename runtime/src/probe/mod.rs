//! Asking a running container from inside its network namespace.

mod http;
mod net;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::exec::{Container, DEFAULT_PATH, ExecError, Outcome, Process, Status};

pub use net::Listening;

/// A question to a running program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Probe {
    /// An HTTP request, and what is expected of the answer beyond being the same in both images.
    Http {
        /// `GET` and so on.
        method: String,
        /// Port on the container's loopback device.
        port: u16,
        /// Path and query.
        path: String,
        /// Request headers.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Request body.
        #[serde(default)]
        body: Option<String>,
        /// The status it must have.
        #[serde(default)]
        expect_status: Option<u16>,
        /// Text its body must contain.
        #[serde(default)]
        expect_body: Option<String>,
    },
    /// A TCP connection is accepted.
    Tcp {
        /// Port on the container's loopback device.
        port: u16,
    },
    /// A command run inside the container.
    Exec {
        /// Program and arguments.
        args: Vec<String>,
        /// The exit code it must have.
        #[serde(default)]
        expect_code: Option<i32>,
    },
    /// The container is stopped and started again; its volumes stay.
    Restart,
    /// Whole standard output, standard error and exit code of the program itself.
    Output,
}

impl Probe {
    /// `GET path` on a port.
    pub fn get(port: u16, path: impl Into<String>) -> Self {
        Self::Http {
            method: "GET".to_owned(),
            port,
            path: path.into(),
            headers: Vec::new(),
            body: None,
            expect_status: None,
            expect_body: None,
        }
    }

    /// A command and its arguments.
    pub fn exec(args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Exec { args: args.into_iter().map(Into::into).collect(), expect_code: None }
    }

    /// How a report names it: `GET :8080/items`.
    pub fn title(&self) -> String {
        match self {
            Self::Http { method, port, path, .. } => format!("{method} :{port}{path}"),
            Self::Tcp { port } => format!("tcp :{port}"),
            Self::Exec { args, .. } => format!("exec {}", args.join(" ")),
            Self::Restart => "restart".to_owned(),
            Self::Output => "output and exit code".to_owned(),
        }
    }
}

/// A probe and whom it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// A service; nothing for the container under test.
    #[serde(default)]
    pub service: Option<String>,
    /// What is asked.
    pub probe: Probe,
}

impl Question {
    /// How a report names it: `db: tcp :3336`.
    pub fn title(&self) -> String {
        title(self.service.as_deref(), &self.probe)
    }
}

impl From<Probe> for Question {
    fn from(probe: Probe) -> Self {
        Self { service: None, probe }
    }
}

fn title(service: Option<&str>, probe: &Probe) -> String {
    service.map_or_else(|| probe.title(), |service| format!("{service}: {}", probe.title()))
}

/// What a [`Probe`] got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// The service that was asked; nothing for the container under test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What was asked.
    pub probe: Probe,
    /// What came back.
    pub answer: Answer,
}

impl ProbeResult {
    /// How a report names it.
    pub fn title(&self) -> String {
        title(self.service.as_deref(), &self.probe)
    }

    /// What the probe expects of the answer and did not get.
    pub fn unmet(&self) -> Option<String> {
        let (expect_status, expect_body) = match (&self.probe, &self.answer) {
            (Probe::Http { expect_status, expect_body, .. }, _) => (expect_status, expect_body),
            (Probe::Exec { expect_code: Some(wanted), .. }, Answer::Exec { code, stdout, stderr })
                if code != wanted =>
            {
                return Some(format!(
                    "exit code {code} instead of {wanted}{}",
                    tail((stdout.clone() + stderr).trim_end())
                ));
            }
            (Probe::Tcp { .. } | Probe::Exec { expect_code: Some(_), .. }, Answer::Failed { reason }) => {
                return Some(reason.clone());
            }
            _ => return None,
        };
        let answer = match &self.answer {
            Answer::Http(answer) => answer,
            Answer::Failed { reason } => return Some(reason.clone()),
            _ => return None,
        };
        if let Some(wanted) = expect_status.filter(|wanted| *wanted != answer.status) {
            return Some(format!("status {} instead of {wanted}", answer.status));
        }
        let body = String::from_utf8_lossy(&answer.body);
        expect_body
            .as_ref()
            .filter(|wanted| !body.contains(wanted.as_str()))
            .map(|wanted| format!("no `{wanted}` in the body"))
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Answer {
    /// An HTTP response.
    Http(HttpAnswer),
    /// The connection was accepted.
    Connected,
    /// The container runs again.
    Restarted,
    /// A command ended.
    Exec {
        /// Its exit code, 128 and up for signals.
        code: i32,
        /// Its standard output.
        stdout: String,
        /// Its standard error.
        stderr: String,
    },
    /// Nothing did.
    Failed {
        /// Why.
        reason: String,
    },
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body, decoded from chunks.
    #[serde(with = "body_text")]
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A body as JSON has it: its text, or, where it is none, its bytes in base64.
mod body_text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Body<'a> {
        Text(std::borrow::Cow<'a, str>),
        Bytes { base64: String },
    }

    pub(super) fn serialize<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(body) {
            Ok(text) => Body::Text(text.into()).serialize(serializer),
            Err(_) => Body::Bytes { base64: STANDARD.encode(body) }.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Body::deserialize(deserializer)? {
            Body::Text(text) => Ok(text.into_owned().into_bytes()),
            Body::Bytes { base64 } => STANDARD.decode(base64).map_err(serde::de::Error::custom),
        }
    }
}

/// A probe that could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The program ended before it answered.
    #[error("failed to reach {what}: the program exited with code {code}{}", tail(output))]
    Exited {
        /// Port or probe.
        what: String,
        /// Its exit code.
        code: i32,
        /// Its last lines.
        output: String,
    },
    /// Nothing answered.
    #[error("failed to reach {what}: no answer within {} s{}", waited.as_secs(), tail(output))]
    NeverAnswered {
        /// Port or probe.
        what: String,
        /// How long was waited.
        waited: Duration,
        /// The program's last lines.
        output: String,
    },
    /// The network namespace cannot be entered.
    #[error("failed to enter the network namespace of process {pid}: {errno}")]
    Namespace {
        /// Process 1 of the container.
        pid: i32,
        /// The kernel's answer.
        errno: nix::errno::Errno,
    },
    /// The connection failed.
    #[error("failed to {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The image says nothing to start.
    #[error("failed to start the image: it has neither entrypoint nor command")]
    NoCommand,
    /// A service that the program needs.
    #[error("failed to start the service `{name}`: {source}")]
    Service {
        /// Its name.
        name: String,
        /// Why not.
        source: Box<ProbeError>,
    },
    /// A probe names a service that is not there.
    #[error("failed to ask the service `{name}`: there is none of this name")]
    NoSuchService {
        /// The name.
        name: String,
    },
    /// The program did not answer, and it is not alone.
    #[error("{source}{}", logs.iter().map(|(name, lines)| format!("\nlast lines of the service `{name}`:\n{lines}")).collect::<String>())]
    Among {
        /// What went wrong.
        source: Box<ProbeError>,
        /// The services' names and last lines.
        logs: Vec<(String, String)>,
    },
    /// The containers cannot be joined.
    #[error("failed to make a network for the services: {0}")]
    Network(#[from] crate::exec::NetworkError),
    /// A root filesystem could not be mounted.
    #[error("failed to mount the image: {0}")]
    Root(#[from] crate::snapshot::SnapshotError),
    /// The image's user means nobody.
    #[error(transparent)]
    User(crate::exec::UserError),
    /// The container could not be started or waited for.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

fn tail(output: &str) -> String {
    if output.is_empty() { "; it wrote nothing".to_owned() } else { format!("; its last lines:\n{output}") }
}

/// Lines of the program's output that an error shows.
const LAST_LINES: usize = 20;

pub(crate) fn last_lines(container: &Container) -> String {
    let (stdout, stderr) = container.output_so_far();
    let text = [stdout, stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// Asks one question. A refused connection or a broken answer is an [`Answer::Failed`], not an error.
pub fn ask(container: &mut Container, probe: &Probe, timeout: Duration) -> Result<Answer, ProbeError> {
    let deadline = Instant::now() + timeout;
    match probe {
        Probe::Http { method, port, path, headers, body, .. } => {
            let host = format!("localhost:{port}");
            let request = http::Request { method, host: &host, path, headers, body: body.as_deref() };
            let answer = net::inside(container, || {
                let stream = net::connect(*port, deadline).map_err(http::HttpError::Io)?;
                http::exchange(stream, request)
            })?;
            Ok(match answer {
                Ok(answer) => Answer::Http(answer),
                Err(http::HttpError::Io(error)) => Answer::Failed { reason: io_reason(&error) },
                Err(http::HttpError::Malformed(problem)) => {
                    Answer::Failed { reason: format!("of the answer, {problem}") }
                }
            })
        }
        Probe::Tcp { port } => Ok(match net::inside(container, || net::connect(*port, deadline))? {
            Ok(_) => Answer::Connected,
            Err(error) => Answer::Failed { reason: io_reason(&error) },
        }),
        Probe::Exec { args, .. } => {
            let mut process = Process::new("/", args.iter().cloned());
            process.env = vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())];
            run_inside(container, process, timeout)
        }
        // Only whoever knows what the container was started from can do that.
        Probe::Restart => Ok(Answer::Failed { reason: "it cannot be started again from here".to_owned() }),
        Probe::Output => Ok(match container.wait_timeout(timeout)? {
            Some(outcome) => exec_answer(&outcome),
            None => Answer::Failed { reason: format!("it still runs after {} s", timeout.as_secs()) },
        }),
    }
}

/// Runs a further process in the container, as [`Probe::Exec`] does, with an environment, user and directory.
pub fn run_inside(container: &Container, mut process: Process, timeout: Duration) -> Result<Answer, ProbeError> {
    process.limits.time = Some(timeout);
    match container.run_inside(&process) {
        Ok(outcome) if outcome.status == Status::TimedOut => {
            Ok(Answer::Failed { reason: format!("it still runs after {} s", timeout.as_secs()) })
        }
        Ok(outcome) => Ok(exec_answer(&outcome)),
        // The program is missing, say: that is what the image answers.
        Err(error) => Ok(Answer::Failed { reason: error.to_string() }),
    }
}

fn exec_answer(outcome: &Outcome) -> Answer {
    Answer::Exec {
        code: outcome.status.code(),
        stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
    }
}

/// The same words for the same failure, whatever the machine's language.
fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => "no answer in time".to_owned(),
        kind => kind.to_string(),
    }
}

/// Waits until something accepts connections on the port, the program exits, or the time is over.
pub fn wait_for_port(container: &mut Container, port: u16, timeout: Duration) -> Result<(), ProbeError> {
    wait_until(container, &format!("port {port}"), timeout, |container| {
        // A connection without a question would be one that the author never thought of: a socket that listens is enough.
        Ok(listening(container)?.iter().any(|socket| socket.port == port))
    })
}

/// Waits until any port listens, and gives all that do.
pub fn wait_for_any_port(container: &mut Container, timeout: Duration) -> Result<Vec<Listening>, ProbeError> {
    wait_until(container, "any port", timeout, |container| Ok(!listening(container)?.is_empty()))?;
    listening(container)
}

/// What one round of waiting may count for.
const LONGEST_ROUND: Duration = Duration::from_secs(2);

fn wait_until(
    container: &mut Container,
    what: &str,
    timeout: Duration,
    mut done: impl FnMut(&Container) -> Result<bool, ProbeError>,
) -> Result<(), ProbeError> {
    let mut waited = Duration::ZERO;
    // Short naps first: many programs answer within milliseconds.
    let mut nap = Duration::from_millis(1);
    loop {
        let round = Instant::now();
        // A container that ended has no namespace to look into.
        let answered = match done(container) {
            Err(error) => container.wait_timeout(Duration::ZERO)?.is_none().then_some(error).map_or(Ok(false), Err)?,
            Ok(answered) => answered,
        };
        if answered {
            return Ok(());
        }
        if let Some(outcome) = container.wait_timeout(nap)? {
            let output = last_lines(container);
            return Err(ProbeError::Exited { what: what.to_owned(), code: outcome.status.code(), output });
        }
        // While this process or the machine slept, so did the container.
        waited += round.elapsed().min(LONGEST_ROUND);
        if waited >= timeout {
            let output = last_lines(container);
            return Err(ProbeError::NeverAnswered { what: what.to_owned(), waited: timeout, output });
        }
        nap = (nap * 2).min(Duration::from_millis(50));
    }
}

/// The TCP ports on which something in the container's network namespace listens, sorted.
pub fn listening(container: &Container) -> Result<Vec<Listening>, ProbeError> {
    net::listening(container).map_err(|source| ProbeError::Io { what: "list the listening ports".to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_being_written_down() {
        for body in [&b"{\"a\": 1}"[..], &[0xff, 0, 0xfe], b""] {
            let answer = HttpAnswer { status: 200, headers: BTreeMap::new(), body: body.to_vec() };
            let result = ProbeResult { service: None, probe: Probe::get(80, "/"), answer: Answer::Http(answer) };
            let text = serde_json::to_string(&result).expect("plain data");
            assert_eq!(serde_json::from_str::<ProbeResult>(&text).expect("what was written"), result);
        }
    }
}
