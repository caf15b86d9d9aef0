//! Containers that go on after the command that started them: a folder each, with a process of ours that keeps it.
//!
//! The keeper holds a lock on the folder for as long as the container runs, so that nobody has to trust a process ID. What
//! other commands want of a container they ask over a socket in the folder ([`Request`]); a program that is to run inside is
//! handed the descriptors of whoever asked.

mod keeper;
mod wire;

pub use keeper::Keeper;
pub use wire::{Answer, Inside, Request, ask};

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError};

const RECORD: &str = "container.json";
const LOCK: &str = "lock";
const ENDED: &str = "ended";
const LOG: &str = "log";
const SOCKET: &str = "control";

/// What is known of a container since its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What its user calls it.
    pub name: String,
    /// The image's name as it was given.
    pub image: String,
    /// Its program and arguments.
    pub command: Vec<String>,
    /// When it started, in seconds since 1970.
    pub started: u64,
    /// `-p` as it was given.
    pub ports: Vec<String>,
    /// The signal that asks it to stop.
    pub stop_signal: i32,
    /// How long it may take to, where that was said.
    pub stop_seconds: Option<u64>,
    /// Whether nothing is to be left of it.
    pub remove: bool,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// Whether a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Running,
    /// It does not. Nothing is known of its end where its keeper was killed.
    Ended(Option<Ended>),
}

/// The containers of a store.
#[derive(Clone, Debug)]
pub struct Containers {
    root: PathBuf,
}

/// The folder of one container.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// A container that was started.
#[derive(Clone, Debug)]
pub struct Container {
    /// Where it is kept.
    pub folder: Folder,
    /// What is known of it.
    pub record: Record,
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl Containers {
    /// Those of this store.
    pub fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { root: store.private_dir("containers")? })
    }

    /// A folder for a new one, and its ID.
    pub fn create(&self) -> io::Result<(Folder, String)> {
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = Folder { path: self.root.join(&id) };
        // What a program writes, and who may run another beside it, is its owner's business.
        fs::DirBuilder::new().mode(0o700).create(&folder.path)?;
        Ok((folder, id))
    }

    /// All that were started, the latest first. What is left of one that never came so far is taken away.
    pub fn list(&self) -> io::Result<Vec<Container>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let folder = Folder { path: entry?.path() };
            match folder.record() {
                Some(record) => found.push(Container { folder, record }),
                None if folder.is_old() && !folder.is_running() => folder.remove()?,
                None => {}
            }
        }
        found.sort_by(|a, b| (b.record.started, &b.record.id).cmp(&(a.record.started, &a.record.id)));
        Ok(found)
    }

    /// The one of this name or with an ID that begins so, where there is exactly one.
    pub fn find(&self, name: &str) -> io::Result<Option<Container>> {
        let mut all = self.list()?;
        if let Some(at) = all.iter().position(|one| one.record.name == name || one.record.id == name) {
            return Ok(Some(all.swap_remove(at)));
        }
        let mut begins = all.into_iter().filter(|one| !name.is_empty() && one.record.id.starts_with(name));
        Ok(begins.next().filter(|_| begins.next().is_none()))
    }
}

impl Folder {
    /// The folder at a path that [`path`](Self::path) gave.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file with what the program wrote.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// What is known of the container; nothing before it runs.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.path.join(RECORD)).ok()?).ok()
    }

    /// Whether its keeper lives.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let Ok(lock) = File::open(self.path.join(LOCK)) else { return false };
        matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Whether the container runs.
    #[must_use]
    pub fn state(&self) -> State {
        // In this order: one that ends in between is then told as ended, with its code.
        if self.is_running() {
            return State::Running;
        }
        State::Ended(fs::read(self.path.join(ENDED)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Waits until it has ended. Of one that leaves nothing behind the end is not known then.
    pub fn wait(&self) -> io::Result<Option<Ended>> {
        let lock = match File::open(self.path.join(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        lock.lock_shared()?;
        Ok(match self.state() {
            State::Ended(ended) => ended,
            State::Running => None,
        })
    }

    /// Takes away what is left of it.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Whether whoever made it had time enough to start something.
    fn is_old(&self) -> bool {
        let made = fs::metadata(&self.path).and_then(|meta| meta.modified());
        made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > Duration::from_secs(3600)))
    }

    /// Writes a file whole or not at all.
    fn write(&self, name: &str, what: &impl Serialize) -> io::Result<()> {
        let temporary = self.path.join(format!("{name}.new"));
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(what)?)?;
        fs::rename(temporary, self.path.join(name))
    }
}
