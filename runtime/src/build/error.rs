//! What can stop a build. Every error names the file and the line it is about, why, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use plimsoll_parser::TextRange;

use crate::engine::EngineError;
use crate::exec::ExecError;
use crate::snapshot::SnapshotError;
use crate::store::StoreError;

/// A place in a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// The bytes it is about.
    pub range: TextRange,
    /// The instruction, continuations joined.
    pub instruction: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// One thing wrong with the text of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// What stopped a build.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no Dockerfile, or it cannot be read.
    #[error("failed to read the Dockerfile {}: {source}", path.display())]
    NoDockerfile {
        /// Where it was looked for.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The context, or something in it, cannot be read.
    #[error("failed to read {} of the build context: {source}", path.display())]
    Context {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The Dockerfile is wrong.
    #[error("failed to read {}: {}", file.display(), list(errors))]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Everything that is wrong, in the order of the file.
        errors: Vec<FileError>,
    },
    /// No stage of that name.
    #[error("failed to find the stage `{name}` in {}", file.display())]
    Target {
        /// The file.
        file: PathBuf,
        /// What was asked for.
        name: String,
        /// The stages there are.
        known: Vec<String>,
    },
    /// An image that is needed cannot be had.
    #[error("{place}: failed to find the image {image}: {}", tried.join("; "))]
    Base {
        /// Who needs it.
        place: Box<Place>,
        /// Which.
        image: String,
        /// Where it was looked for, and the answers.
        tried: Vec<String>,
        /// What to do.
        help: Option<String>,
    },
    /// An instruction that means nothing here.
    #[error("{place}: {message}")]
    Instruction {
        /// Where.
        place: Box<Place>,
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// Something to be copied is not there.
    #[error("{place}: failed to find {source_path} in {origin}")]
    NotFound {
        /// Where.
        place: Box<Place>,
        /// What was to be copied.
        source_path: String,
        /// The build context, a stage or an image.
        origin: String,
        /// The ignore file leaves it out.
        ignored: bool,
        /// A name that is there and looks like it.
        similar: Option<String>,
    },
    /// Something cannot be copied to where it should go.
    #[error("{place}: failed to copy to {}: {reason}", path.display())]
    Copy {
        /// Where.
        place: Box<Place>,
        /// The path in the image.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A process of a RUN failed.
    #[error("{place}: {command} ended with {status}")]
    Step {
        /// Where.
        place: Box<Place>,
        /// What ran.
        command: String,
        /// `exit code 3`, or the signal that ended it.
        status: String,
        /// Its exit code as a shell would have it.
        code: i32,
        /// The last lines it wrote.
        output: Vec<String>,
        /// There was next to no space left when it failed.
        disk_full: bool,
    },
    /// A process of a RUN could not be started.
    #[error("{place}: {source}")]
    Exec {
        /// Where.
        place: Box<Place>,
        /// Why not.
        source: ExecError,
    },
    /// Something that an address names cannot be had.
    #[error("{place}: failed to fetch {url}: {reason}")]
    Fetch {
        /// Where.
        place: Box<Place>,
        /// The address.
        url: String,
        /// Why not.
        reason: String,
    },
    /// A layer cannot be made.
    #[error("{place}: failed to {source}")]
    Layer {
        /// Where.
        place: Box<Place>,
        /// Why not.
        source: SnapshotError,
    },
    /// Unpacked layers cannot be kept.
    #[error("failed to {0}")]
    Snapshot(#[source] SnapshotError),
    /// Another engine failed.
    #[error("failed to {0}")]
    Engine(#[from] EngineError),
    /// The store failed.
    #[error("failed to {0}")]
    Store(#[from] StoreError),
}

fn list(errors: &[FileError]) -> String {
    let lines: Vec<String> =
        errors.iter().map(|error| format!("line {}: {}", error.place.line, error.message)).collect();
    lines.join("; ")
}

impl BuildError {
    /// The place in the Dockerfile it is about.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Base { place, .. }
            | Self::Instruction { place, .. }
            | Self::NotFound { place, .. }
            | Self::Copy { place, .. }
            | Self::Step { place, .. }
            | Self::Exec { place, .. }
            | Self::Fetch { place, .. }
            | Self::Layer { place, .. } => Some(place),
            Self::Syntax { errors, .. } => errors.first().map(|error| &error.place),
            Self::NoDockerfile { .. }
            | Self::Context { .. }
            | Self::Target { .. }
            | Self::Engine(_)
            | Self::Store(_)
            | Self::Snapshot(_) => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        if self.is_disk_full() {
            return Some(
                "the disk is full: free some space, `plimsoll prune` may help; what was built so far is kept"
                    .to_owned(),
            );
        }
        match self {
            Self::NoDockerfile { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("name the file with -f, or write a Dockerfile in the context".to_owned())
            }
            Self::NoDockerfile { .. } => Some("make it readable for this user".to_owned()),
            Self::Context { source, path } if source.kind() == io::ErrorKind::NotFound => {
                Some(format!("{} is not there, or was removed while it was read", path.display()))
            }
            Self::Context { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("make it readable for this user, or leave it out with .dockerignore".to_owned())
            }
            Self::Syntax { errors, .. } => errors.first().and_then(|error| error.help.clone()),
            Self::Target { known, .. } if known.is_empty() => Some("no stage of this file has a name".to_owned()),
            Self::Target { known, .. } => Some(format!("its stages are {}", known.join(", "))),
            Self::Base { help: Some(help), .. } => Some(help.clone()),
            Self::Base { image, .. } => Some(format!(
                "check the spelling of {image}, the network and your credentials; `plimsoll load` brings an image in from a file"
            )),
            Self::Instruction { help, .. } => help.clone(),
            Self::NotFound { ignored: true, source_path, .. } => {
                Some(format!("{source_path} is there, but .dockerignore leaves it out"))
            }
            Self::NotFound { similar: Some(similar), .. } => Some(format!("did you mean {similar}?")),
            Self::NotFound { .. } => Some("paths are relative to the context's root".to_owned()),
            Self::Step { code: 127, .. } => {
                Some("the command was not found: install it in an earlier step, or check PATH and spelling".to_owned())
            }
            Self::Exec { source, .. } => source.help().map(str::to_owned),
            Self::Layer { source, .. } | Self::Snapshot(source) => source.help(),
            Self::Engine(error) => error.help(),
            Self::Store(error) => error.help(),
            _ => None,
        }
    }

    /// Whether there is no space left.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let mut error: Option<&dyn std::error::Error> = Some(self);
        while let Some(current) = error {
            if let Some(io) = current.downcast_ref::<io::Error>()
                && matches!(io.raw_os_error(), Some(nix::libc::ENOSPC | nix::libc::EDQUOT))
            {
                return true;
            }
            error = current.source();
        }
        match self {
            Self::Step { output, disk_full, .. } => {
                *disk_full || output.iter().any(|line| line.contains("No space left on device"))
            }
            _ => false,
        }
    }

    /// The file it is about, when there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Syntax { file, .. } | Self::Target { file, .. } => Some(file),
            Self::NoDockerfile { path, .. } => Some(path),
            _ => self.place().map(|place| place.file.as_path()),
        }
    }
}
