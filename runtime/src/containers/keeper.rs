//! The process that keeps a container.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, ENDED, Ended, Folder, Inside, LOCK, RECORD, Record, Request, now, wire};
use crate::exec::{self, Joiner, Outcome, Process, Signals};

/// What holds a container's folder; it counts as running until this is dropped.
#[derive(Debug)]
pub struct Keeper {
    folder: Folder,
    remove: bool,
    _lock: File,
}

/// What threads need to answer requests.
struct Served {
    joiner: Joiner,
    signals: Signals,
    process: Process,
    root: PathBuf,
    stop_signal: i32,
}

impl Keeper {
    /// Takes the folder. It fails where another process has it.
    pub fn new(folder: Folder) -> io::Result<Self> {
        let lock = File::create(folder.path().join(LOCK))?;
        lock.try_lock()?;
        Ok(Self { folder, remove: false, _lock: lock })
    }

    /// The folder it has.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Tells everybody that the container runs, and answers requests from now on.
    pub fn serve(&mut self, container: &exec::Container, process: &Process, record: &Record) -> io::Result<()> {
        self.remove = record.remove;
        let (joiner, signals) = (container.joiner(), container.signals());
        let failed = |error: exec::ExecError| io::Error::other(error.to_string());
        let served = Arc::new(Served {
            joiner: joiner.map_err(failed)?,
            signals: signals.map_err(failed)?,
            process: process.clone(),
            root: process.root.clone(),
            stop_signal: record.stop_signal,
        });
        let listener = wire::through(&self.folder, |path| UnixListener::bind(path))?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || served.answer(stream));
            }
        });
        self.folder.write(RECORD, record)
    }

    /// Writes down how the container ended, or takes its folder away where nothing is to be left.
    pub fn ended(self, outcome: &Outcome) -> io::Result<()> {
        if self.remove {
            return self.folder.remove();
        }
        self.folder.write(ENDED, &Ended { code: outcome.status.code(), at: now() })
    }
}

impl Served {
    fn answer(&self, mut stream: UnixStream) {
        // Whoever asked may have gone meanwhile; nobody else wants to know.
        let Ok((request, descriptors)) = wire::request(&mut stream) else { return };
        let answer = match request {
            Request::Run(inside) => self.run(inside, descriptors),
            Request::Signal(signal) => self.signal(signal),
            Request::Stop { seconds } => {
                let asked = self.signal(self.stop_signal);
                if self.signals.ends_within(Duration::from_secs(seconds)) { asked } else { self.signal(9) }
            }
        };
        let _ = wire::answer(&mut stream, &answer);
    }

    fn signal(&self, signal: i32) -> Answer {
        self.signals.send(signal).map_or_else(|error| Answer::Failed(error.to_string(), 1), |()| Answer::Done(0))
    }

    fn run(&self, inside: Inside, descriptors: Vec<OwnedFd>) -> Answer {
        let Ok(descriptors) = <[OwnedFd; 3]>::try_from(descriptors) else {
            return Answer::Failed("three descriptors are wanted".to_owned(), 125);
        };
        let mut process = self.process.clone();
        process.args = inside.args;
        process.terminal = inside.terminal;
        for (name, value) in inside.env {
            process.set_env(&name, value);
        }
        process.cwd = inside.cwd.unwrap_or(process.cwd);
        if let Some(user) = inside.user {
            match exec::lookup_user(&self.root, &user) {
                Ok(user) => {
                    process.set_env("HOME", user.home.clone());
                    process.user = user;
                }
                Err(error) => return Answer::Failed(error.to_string(), 126),
            }
        }
        match self.joiner.run(&process, descriptors) {
            Ok(outcome) => Answer::Done(outcome.status.code()),
            Err(error) => Answer::Failed(error.to_string(), error.exit_code()),
        }
    }
}
