//! One container of a session: what it is started from, and the running thing.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::RuntimeConfig;
use crate::exec::{self, Container, DEFAULT_PATH, EtcFiles, ExecError, Limits, Mount, Network, Process, User};
use crate::image::Layer;
use crate::probe::{self, Answer, Probe, ProbeError};
use crate::rootfs::{self, DirTree};
use crate::snapshot::{Active, Snapshots};

/// Where a container's root filesystem comes from.
#[derive(Debug, Clone)]
pub enum Root {
    /// A writable directory of the host, mounted already.
    Mounted(PathBuf),
    /// These layers: every start gets a root of its own.
    Layers(Snapshots, Vec<Layer>),
}

impl From<PathBuf> for Root {
    fn from(path: PathBuf) -> Self {
        Self::Mounted(path)
    }
}

impl From<&Path> for Root {
    fn from(path: &Path) -> Self {
        Self::Mounted(path.to_owned())
    }
}

/// How one container is started.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its host name.
    pub name: String,
    /// Further names by which the others reach it.
    pub aliases: Vec<String>,
    /// Its root filesystem.
    pub root: Root,
    /// The image's configuration.
    pub config: RuntimeConfig,
    /// Instead of the image's `Entrypoint`.
    pub entrypoint: Option<Vec<String>>,
    /// Instead of the image's `Cmd`.
    pub command: Option<Vec<String>>,
    /// Added to the image's environment.
    pub env: Vec<(String, String)>,
    /// Further mounts.
    pub mounts: Vec<Mount>,
    /// Paths that outlive a restart, beside the volumes of the image.
    pub volumes: Vec<String>,
    /// Limits of the container.
    pub limits: Limits,
}

/// A container besides the one under test.
#[derive(Debug, Clone)]
pub struct Service {
    /// How it is started.
    pub member: Member,
    /// When the next one may start.
    pub ready: Ready,
    /// It runs the image under test, so that what it says is compared too.
    pub under_test: bool,
}

/// When a service is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// All exposed ports listen and the health check, if there is one, passes.
    Exposed,
    /// This probe is answered as it expects.
    Probe(Probe),
    /// It has ended with exit code 0.
    Ended,
}

impl Member {
    /// A container as `docker run` starts it.
    pub fn new(name: impl Into<String>, root: impl Into<Root>, config: RuntimeConfig) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
            root: root.into(),
            config,
            entrypoint: None,
            command: None,
            env: Vec::new(),
            mounts: Vec::new(),
            volumes: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// The process that `docker run` would start, in a network of its own.
    pub(super) fn process(&self, root: &Path, network: &Neighbours) -> Result<Process, ProbeError> {
        let config = &self.config;
        let entrypoint = self.entrypoint.clone();
        // As for docker: another entrypoint takes the image's command with it.
        let command = if entrypoint.is_some() { None } else { config.cmd.clone() };
        let mut args = entrypoint.or_else(|| config.entrypoint.clone()).unwrap_or_default();
        args.extend(self.command.clone().or(command).unwrap_or_default());
        if args.is_empty() {
            return Err(ProbeError::NoCommand);
        }
        let mut process = self.inside(root, args)?;
        process.network = Network::Private;
        process.namespace.clone_from(&network.namespace);
        process.extra_hosts.clone_from(&network.hosts);
        process.etc_files = EtcFiles::Run;
        process.mounts.clone_from(&self.mounts);
        process.limits = Limits { time: None, ..self.limits };
        Ok(process)
    }

    /// A process with the image's environment, user and directory.
    pub(super) fn inside(&self, root: &Path, args: Vec<String>) -> Result<Process, ProbeError> {
        let mut process = Process::new(root, args);
        let user = self.user(root)?;
        for pair in &self.config.env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            process.set_env(name, value);
        }
        for (name, value) in [("PATH", DEFAULT_PATH), ("HOSTNAME", &self.name), ("HOME", &user.home)] {
            if process.env_value(name).is_none() {
                process.set_env(name, value);
            }
        }
        for (name, value) in &self.env {
            process.set_env(name, value);
        }
        process.hostname.clone_from(&self.name);
        process.user = user;
        if !self.config.working_dir.is_empty() {
            process.cwd.clone_from(&self.config.working_dir);
        }
        Ok(process)
    }

    fn user(&self, root: &Path) -> Result<User, ProbeError> {
        Ok(exec::lookup_user(root, &self.config.user)?)
    }

    /// Exposed TCP ports, sorted.
    pub(super) fn exposed(&self) -> Vec<u16> {
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
        let number = exec::signal_named(name);
        number.and_then(|number| Signal::try_from(number).ok()).unwrap_or(Signal::SIGTERM)
    }

    /// The image's volumes and those asked for.
    fn kept_paths(&self) -> impl Iterator<Item = &String> {
        self.config.volumes.iter().chain(&self.volumes)
    }

    /// Starts it.
    pub(super) fn start(&self, network: Neighbours) -> Result<Running<'_>, ProbeError> {
        let (root, active) = self.fresh_root()?;
        let container = exec::spawn(&self.process(&root, &network)?)?;
        Ok(Running {
            container,
            member: self,
            network,
            root,
            volumes: BTreeMap::new(),
            roots: active.into_iter().collect(),
            earlier: Earlier::default(),
        })
    }

    fn fresh_root(&self) -> Result<(PathBuf, Option<Active>), ProbeError> {
        let (root, active) = match &self.root {
            Root::Mounted(path) => (path.clone(), None),
            Root::Layers(snapshots, layers) => {
                let active = snapshots.prepare(layers)?;
                (active.root().to_owned(), Some(active))
            }
        };
        // A volume is there when the program starts, whether the image has something in its place or not.
        if active.is_some() {
            for volume in self.kept_paths() {
                make_directory(&root, volume)?;
            }
        }
        Ok((root, active))
    }
}

/// Where a container stands among others.
#[derive(Debug, Clone, Default)]
pub(super) struct Neighbours {
    pub(super) namespace: Option<Arc<OwnedFd>>,
    pub(super) hosts: Vec<(String, String)>,
}

/// A container that was started, and what it leaves behind when it is started again.
pub(super) struct Running<'a> {
    // First, so that it ends before its root goes.
    pub(super) container: Container,
    pub(super) member: &'a Member,
    network: Neighbours,
    root: PathBuf,
    /// Volumes by their path inside: where they are on the host.
    volumes: BTreeMap<String, PathBuf>,
    roots: Vec<Active>,
    earlier: Earlier,
}

/// What runs before a restart wrote.
#[derive(Debug, Clone, Default)]
pub(super) struct Earlier {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// How a container ended.
pub(super) struct Ended {
    /// When it ended by itself.
    pub(super) exit_code: Option<i32>,
    /// When it was stopped.
    pub(super) stop_code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Running<'_> {
    /// Asks one question, as the image's user where it is a command.
    pub(super) fn ask(&mut self, probe: &Probe, timeout: Duration) -> Result<Answer, ProbeError> {
        let answer = match probe {
            Probe::Exec { args, .. } => {
                probe::run_inside(&self.container, self.member.inside(&self.root, args.clone())?, timeout)
            }
            _ => probe::ask(&mut self.container, probe, timeout),
        };
        // Whoever ended has no namespace to be asked in: that is an answer too.
        match answer {
            Err(error) => match self.container.wait_timeout(Duration::ZERO)? {
                Some(_) => Ok(Answer::Failed { reason: "the program has ended".to_owned() }),
                None => Err(error),
            },
            answer => answer,
        }
    }

    /// Stops it, and starts it again with a fresh root in which only its volumes are as they were: what happens to a service that is
    /// updated. A root that is the host's stays as it is.
    pub(super) fn restart(&mut self, patience: Duration) -> Result<(), ProbeError> {
        let outcome = self.container.stop(self.member.stop_signal(), patience)?;
        self.earlier.stdout.extend(outcome.stdout);
        self.earlier.stderr.extend(outcome.stderr);
        let before = self.root.clone();
        let (root, active) = self.member.fresh_root()?;
        if let Some(active) = active {
            for volume in self.member.kept_paths() {
                if !self.volumes.contains_key(volume) {
                    self.volumes.insert(volume.clone(), inside(&before, volume)?);
                }
            }
            self.roots.push(active);
        }
        self.root = root;
        let mut process = self.member.process(&self.root, &self.network)?;
        process.mounts.extend(self.volumes.iter().map(|(path, source)| Mount::bind(source, absolute(path), false)));
        self.container = exec::spawn(&process)?;
        Ok(())
    }

    /// The end: by itself, or because it is stopped now.
    pub(super) fn end(mut self, patience: Duration) -> Result<Ended, ExecError> {
        let (outcome, exit_code, stop_code) = match self.container.wait_timeout(Duration::ZERO)? {
            Some(outcome) => {
                let code = outcome.status.code();
                (outcome, Some(code), None)
            }
            None => {
                let outcome = self.container.stop(self.member.stop_signal(), patience)?;
                let code = outcome.status.code();
                (outcome, None, Some(code))
            }
        };
        let text = |earlier: Vec<u8>, last: &[u8]| String::from_utf8_lossy(&[&earlier, last].concat()).into_owned();
        Ok(Ended {
            exit_code,
            stop_code,
            stdout: text(self.earlier.stdout, &outcome.stdout),
            stderr: text(self.earlier.stderr, &outcome.stderr),
        })
    }
}

/// A path that an image may have written without its leading slash.
fn absolute(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

/// Where a path of the container is on the host.
fn inside(root: &Path, path: &str) -> Result<PathBuf, ProbeError> {
    let failed = |source| ProbeError::Io { what: format!("find the volume {path}"), source };
    let tree = DirTree::open(root).map_err(failed)?;
    let found = rootfs::resolve(&tree, Path::new(path), true).map_err(failed)?;
    Ok(root.join(found.path))
}

/// Makes a volume's directory where the image has none.
fn make_directory(root: &Path, path: &str) -> Result<(), ProbeError> {
    let place = inside(root, path)?;
    if File::open(&place).is_ok() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o755).create(&place);
    made.map_err(|source| ProbeError::Io { what: format!("make the volume {path}"), source })
}
