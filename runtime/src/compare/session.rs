//! What a program does: started from its configuration, with the services it needs, and asked.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::RuntimeConfig;
use super::member::{Member, Neighbours, Ready, Root, Running, Service};
use crate::exec::{Container, Switch};
use crate::probe::{self, Answer, Listening, Probe, ProbeError, ProbeResult, Question};

/// One start of an image: what to start, beside what, and how long to be patient.
#[derive(Debug, Clone)]
pub struct Session {
    /// The image under test.
    pub app: Member,
    /// What is started before it, in this order, each once the one before is ready.
    pub services: Vec<Service>,
    /// For the first answer, and for a program that ends by itself.
    pub ready_timeout: Duration,
    /// For each probe.
    pub probe_timeout: Duration,
    /// Between the stop signal and SIGKILL.
    pub stop_timeout: Duration,
}

/// What one session saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Services that run the image under test too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceSeen>,
    /// From start to the first answer, in milliseconds.
    pub ready_ms: u64,
}

/// What a service that runs the image under test wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSeen {
    /// Its name.
    pub name: String,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Ports from here on are picked by the kernel, and other ones at each start.
const PICKED_PORTS: u16 = 32768;
/// A program that exposes nothing and listens to nothing this long is taken to be none that listens.
const QUIET: Duration = Duration::from_secs(10);
/// Hostname of both versions.
const HOSTNAME: &str = "plimsoll";

/// Everything that runs in a session. The program goes before the services that it needs.
struct Pod<'a> {
    app: Running<'a>,
    services: Vec<Running<'a>>,
    _switch: Option<Switch>,
}

impl Session {
    /// A session with usual patience: 60 s to be ready, 10 s a probe, 10 s to stop.
    pub fn new(root: impl Into<Root>, config: RuntimeConfig) -> Self {
        Self {
            app: Member::new(HOSTNAME, root, config),
            services: Vec::new(),
            ready_timeout: Duration::from_secs(60),
            probe_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
        }
    }

    /// Starts the image, finds out what can be asked, and stops it: `GET /` on every port that listens, a connection where no
    /// HTTP is spoken, or output and exit code of a program that ends by itself. The health check needs no probe.
    pub fn discover(&self) -> Result<Vec<Probe>, ProbeError> {
        let mut pod = self.start()?;
        let found = self.look(&mut pod.app);
        let Pod { app, services, .. } = pod;
        let found = found.map_err(|error| among(error, &services))?;
        app.end(self.stop_timeout)?;
        Ok(found)
    }

    fn look(&self, app: &mut Running<'_>) -> Result<Vec<Probe>, ProbeError> {
        let exposed = self.app.exposed();
        let patience = if exposed.is_empty() { self.ready_timeout.min(QUIET) } else { self.ready_timeout };
        match probe::wait_for_any_port(&mut app.container, patience) {
            Ok(_) => {}
            // Whatever it was to do, it is done; or it goes on without listening.
            Err(ProbeError::Exited { .. }) => return Ok(vec![Probe::Output]),
            Err(ProbeError::NeverAnswered { .. }) if exposed.is_empty() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
        settle(&mut app.container, &exposed, self.ready_timeout)?;
        let listening = probe::listening(&app.container)?;
        let ports: BTreeSet<u16> = listening
            .iter()
            .map(|socket| socket.port)
            .filter(|port| *port < PICKED_PORTS || exposed.contains(port))
            .collect();
        let mut probes = Vec::new();
        for port in ports {
            let get = Probe::get(port, "/");
            let speaks_http = matches!(app.ask(&get, self.probe_timeout)?, Answer::Http(_));
            probes.push(if speaks_http { get } else { Probe::Tcp { port } });
        }
        Ok(probes)
    }

    /// Starts the image, waits until it is ready, asks the probes in order, stops it. Port 0 in a probe means the first port that
    /// is exposed, or else listens.
    pub fn observe(&self, probes: &[Probe]) -> Result<Observation, ProbeError> {
        let questions: Vec<Question> = probes.iter().cloned().map(Question::from).collect();
        self.observe_all(&questions)
    }

    /// The same with questions to services among them.
    pub fn observe_all(&self, questions: &[Question]) -> Result<Observation, ProbeError> {
        let started = Instant::now();
        let mut pod = self.start()?;
        let seen = self.ask_all(&mut pod, questions, started);
        let Pod { app, mut services, .. } = pod;
        let (listening, answers, health, ready_ms) = seen.map_err(|error| among(error, &services))?;
        let ended = app.end(self.stop_timeout)?;
        let mut seen = Vec::new();
        // In the order in which compose would take them down.
        while let Some(service) = services.pop() {
            let Some(known) = self.services.get(services.len()) else { continue };
            let name = known.member.name.clone();
            if known.under_test {
                let ended = service.end(self.stop_timeout)?;
                seen.push(ServiceSeen { name, stdout: ended.stdout, stderr: ended.stderr });
            }
        }
        seen.reverse();
        Ok(Observation {
            listening,
            answers,
            health,
            exit_code: ended.exit_code,
            stop_code: ended.stop_code,
            stdout: ended.stdout,
            stderr: ended.stderr,
            services: seen,
            ready_ms,
        })
    }

    #[expect(clippy::type_complexity, reason = "the parts of an observation that are known before the end")]
    fn ask_all(
        &self,
        pod: &mut Pod<'_>,
        questions: &[Question],
        started: Instant,
    ) -> Result<(Vec<Listening>, Vec<ProbeResult>, Option<(i32, String)>, u64), ProbeError> {
        let own = |question: &&Question| question.service.is_none();
        let wants_end = questions.iter().filter(own).any(|question| matches!(question.probe, Probe::Output));
        let wants_service = questions.iter().any(|question| !matches!(question.probe, Probe::Output));
        let mut listening = Vec::new();
        let mut questions = questions.to_vec();
        if wants_service {
            self.wait_until_ready(&mut pod.app, &mut questions)?;
            listening = probe::listening(&pod.app.container)?;
            let exposed = self.app.exposed();
            listening.retain(|socket| socket.port < PICKED_PORTS || exposed.contains(&socket.port));
        }
        let ready_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let health = if wants_end && !wants_service { None } else { self.check_health(&mut pod.app)? };
        let mut answers = Vec::new();
        for question in &questions {
            let answer = match (&question.service, &question.probe) {
                (service, Probe::Restart) => self.restart(pod, service.as_deref(), &questions)?,
                (None, Probe::Output) => pod.app.ask(&question.probe, self.ready_timeout)?,
                (None, probe) => pod.app.ask(probe, self.probe_timeout)?,
                (Some(name), probe) => pod.service(name)?.ask(probe, self.probe_timeout)?,
            };
            answers.push(ProbeResult { service: question.service.clone(), probe: question.probe.clone(), answer });
        }
        if questions.is_empty() {
            // A program that neither listens nor was to be asked: what it does in a while.
            pod.app.container.wait_timeout(QUIET.min(self.ready_timeout))?;
        }
        Ok((listening, answers, health, ready_ms))
    }

    /// Starts everything; the services are ready, the program itself need not be.
    fn start(&self) -> Result<Pod<'_>, ProbeError> {
        let (switch, places) = self.network()?;
        let mut places = places.into_iter();
        let mut services = Vec::new();
        for service in &self.services {
            let named = |source| ProbeError::Service { name: service.member.name.clone(), source: Box::new(source) };
            let mut running = service.member.start(places.next().unwrap_or_default()).map_err(named)?;
            let ready = self.wait_for_service(&mut running, &service.ready);
            if let Err(error) = ready {
                return Err(among(named(error), &services));
            }
            services.push(running);
        }
        let app = self.app.start(places.next().unwrap_or_default()).map_err(|error| among(error, &services))?;
        Ok(Pod { app, services, _switch: switch })
    }

    /// A place for every service and then for the program itself, each knowing the others by name.
    fn network(&self) -> Result<(Option<Switch>, Vec<Neighbours>), ProbeError> {
        if self.services.is_empty() {
            return Ok((None, Vec::new()));
        }
        let count = u8::try_from(self.services.len() + 1).unwrap_or(u8::MAX);
        let switch = Switch::new(count)?;
        let members = self.services.iter().map(|service| &service.member).chain([&self.app]);
        let hosts: Vec<(String, String)> = (0..count)
            .zip(members)
            .map(|(number, member)| {
                let names: Vec<&str> = [&member.name].into_iter().chain(&member.aliases).map(String::as_str).collect();
                (Switch::address(number).to_string(), names.join(" "))
            })
            .collect();
        let places = (0..count).map(|number| Neighbours {
            namespace: switch.namespace(number),
            // A container's own name means itself, also where it listens on one address only.
            hosts: hosts.clone(),
        });
        let places = places.collect();
        Ok((Some(switch), places))
    }

    fn wait_for_service(&self, running: &mut Running<'_>, ready: &Ready) -> Result<(), ProbeError> {
        let deadline = Instant::now() + self.ready_timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        match ready {
            Ready::Exposed => {
                for port in running.member.exposed() {
                    probe::wait_for_port(&mut running.container, port, left())?;
                }
                match self.check_health(running)? {
                    Some((code, output)) if code != 0 => Err(ProbeError::NeverAnswered {
                        what: "its health check".to_owned(),
                        waited: self.ready_timeout,
                        output,
                    }),
                    _ => Ok(()),
                }
            }
            Ready::Ended => match running.container.wait_timeout(left())? {
                Some(outcome) if outcome.success() => Ok(()),
                Some(outcome) => Err(ProbeError::Exited {
                    what: "its end".to_owned(),
                    code: outcome.status.code(),
                    output: probe::last_lines(&running.container),
                }),
                None => Err(ProbeError::NeverAnswered {
                    what: "its end".to_owned(),
                    waited: self.ready_timeout,
                    output: probe::last_lines(&running.container),
                }),
            },
            Ready::Probe(wanted) => {
                let mut wanted = Question::from(wanted.clone());
                let port = running.member.exposed().first().copied();
                if let (Some(number @ 0), Some(port)) = (port_mut(&mut wanted.probe), port) {
                    *number = port;
                }
                if let Some(port) = port_of(&wanted.probe).filter(|port| *port != 0) {
                    probe::wait_for_port(&mut running.container, port, left())?;
                }
                loop {
                    let answer = running.ask(&wanted.probe, self.probe_timeout)?;
                    let result = ProbeResult { service: None, probe: wanted.probe.clone(), answer };
                    let Some(problem) = result.unmet() else { return Ok(()) };
                    let output = probe::last_lines(&running.container);
                    if let Some(outcome) = running.container.wait_timeout(Duration::from_millis(100))? {
                        let code = outcome.status.code();
                        return Err(ProbeError::Exited { what: result.title(), code, output });
                    }
                    if left().is_zero() {
                        let what = format!("what makes it ready, {} ({problem})", result.title());
                        return Err(ProbeError::NeverAnswered { what, waited: self.ready_timeout, output });
                    }
                }
            }
        }
    }

    /// Stops one of them, starts it again and waits for it.
    fn restart(&self, pod: &mut Pod<'_>, name: Option<&str>, questions: &[Question]) -> Result<Answer, ProbeError> {
        match name {
            None => {
                pod.app.restart(self.stop_timeout)?;
                self.wait_until_ready(&mut pod.app, &mut questions.to_vec())?;
            }
            Some(name) => {
                let running = pod.service(name)?;
                running.restart(self.stop_timeout)?;
                if let Some(service) = self.services.iter().find(|service| service.member.name == name) {
                    self.wait_for_service(running, &service.ready)
                        .map_err(|source| ProbeError::Service { name: name.to_owned(), source: Box::new(source) })?;
                }
            }
        }
        Ok(Answer::Restarted)
    }

    /// Waits for the ports that the probes ask, after giving port 0 a number.
    fn wait_until_ready(&self, app: &mut Running<'_>, questions: &mut [Question]) -> Result<(), ProbeError> {
        let deadline = Instant::now() + self.ready_timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let container = &mut app.container;
        for question in questions.iter_mut() {
            let Some(name) = &question.service else { continue };
            let exposed = self.services.iter().find(|service| service.member.name == *name);
            if let (Some(number @ 0), Some(service)) = (port_mut(&mut question.probe), exposed) {
                *number = service.member.exposed().first().copied().unwrap_or_default();
            }
        }
        let mut own: Vec<&mut Probe> = questions
            .iter_mut()
            .filter(|question| question.service.is_none())
            .map(|question| &mut question.probe)
            .collect();
        if own.iter().any(|probe| port_of(probe) == Some(0)) {
            let port = match self.app.exposed().first() {
                Some(port) => *port,
                None => probe::wait_for_any_port(container, left())?.first().map_or(0, |socket| socket.port),
            };
            for probe in &mut own {
                if let Some(number @ 0) = port_mut(probe) {
                    *number = port;
                }
            }
        }
        let ports: BTreeSet<u16> = own.iter().filter_map(|probe| port_of(probe)).collect();
        for port in &ports {
            probe::wait_for_port(container, *port, left())?;
        }
        if ports.is_empty() {
            // Commands alone are asked: of a service, when it is up.
            let exposed = self.app.exposed();
            if let Some(port) = exposed.first() {
                probe::wait_for_port(container, *port, left())?;
            }
            return Ok(());
        }
        settle(container, &self.app.exposed(), Duration::from_millis(300))
    }

    /// Runs the image's health check until it passes or has failed as often as it may.
    fn check_health(&self, running: &mut Running<'_>) -> Result<Option<(i32, String)>, ProbeError> {
        let config = &running.member.config;
        let Some(check) = &config.healthcheck else { return Ok(None) };
        let args = match check.test.split_first() {
            Some((kind, args)) if kind == "CMD" && !args.is_empty() => args.to_vec(),
            Some((kind, [text])) if kind == "CMD-SHELL" => {
                let shell = config.shell.clone().filter(|shell| !shell.is_empty());
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
        let check = Probe::Exec { args, expect_code: None };
        loop {
            let (code, output) = match running.ask(&check, timeout)? {
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

impl<'a> Pod<'a> {
    fn service(&mut self, name: &str) -> Result<&mut Running<'a>, ProbeError> {
        let found = self.services.iter_mut().find(|running| running.member.name == name);
        found.ok_or_else(|| ProbeError::NoSuchService { name: name.to_owned() })
    }
}

/// The error with what the services said last, since one of them may be the reason.
fn among(error: ProbeError, services: &[Running<'_>]) -> ProbeError {
    let said = services.iter().map(|running| (running.member.name.clone(), probe::last_lines(&running.container)));
    let logs: Vec<(String, String)> = said.filter(|(_, lines)| !lines.is_empty()).collect();
    if logs.is_empty() { error } else { ProbeError::Among { source: Box::new(error), logs } }
}

fn port_of(probe: &Probe) -> Option<u16> {
    match probe {
        Probe::Http { port, .. } | Probe::Tcp { port } => Some(*port),
        Probe::Exec { .. } | Probe::Output | Probe::Restart => None,
    }
}

fn port_mut(probe: &mut Probe) -> Option<&mut u16> {
    match probe {
        Probe::Http { port, .. } | Probe::Tcp { port } => Some(port),
        Probe::Exec { .. } | Probe::Output | Probe::Restart => None,
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
