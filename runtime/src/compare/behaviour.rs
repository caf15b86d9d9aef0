//! What two versions did under the same questions, held against each other.

use serde::Serialize;

use super::{Difference, DifferenceKind, normalize};
use crate::exec::{self, ExecError, SetupStep};
use crate::probe::{Answer, HttpAnswer, Probe, ProbeError};

pub use super::member::{Member, Ready, Root, Service};
pub use super::session::{Observation, ServiceSeen, Session};

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
        seen.answers.iter().map(|result| Check::new(result.title(), answer_text(&result.answer))).collect();
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
    for service in &seen.services {
        let ServiceSeen { name, stdout, stderr } = service;
        checks.push(Check::new(format!("standard output of {name}"), stdout.clone()));
        checks.push(Check::new(format!("standard error of {name}"), stderr.clone()));
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
        Answer::Restarted => "started again".to_owned(),
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
    use crate::probe::{Listening, ProbeResult};
    use std::collections::BTreeMap;

    fn seen(body: &str, stderr: &str) -> Observation {
        let answer = HttpAnswer {
            status: 200,
            headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
            body: body.as_bytes().to_vec(),
        };
        Observation {
            listening: vec![Listening { port: 8080, address: [0, 0, 0, 0].into() }],
            answers: vec![ProbeResult { service: None, probe: Probe::get(8080, "/"), answer: Answer::Http(answer) }],
            services: Vec::new(),
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
}
