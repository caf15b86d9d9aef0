//! Which configuration holds for a folder: each folder above many files is looked into once.

use super::{Config, NAME, hadolint, read};
use miette::Result;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The configuration files that hold for a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The nearest `plimsoll.toml` from the folder upwards.
    pub(super) ours: Option<PathBuf>,
    /// The nearest file of hadolint.
    pub(super) theirs: Option<PathBuf>,
}

/// Finds configuration files; what is known of a folder holds for those below it.
#[derive(Debug, Default)]
pub(super) struct Nearest {
    /// Folders as they were named, without links.
    real: HashMap<PathBuf, PathBuf>,
    known: HashMap<PathBuf, Found>,
}

impl Nearest {
    /// What holds for `folder`.
    pub(super) fn of(&mut self, folder: &Path) -> Found {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        let real = self.real(&absolute);
        self.at(&real)
    }

    /// An absolute path without links: those of its parent are followed once for all that stands in it.
    fn real(&mut self, path: &Path) -> PathBuf {
        if let Some(real) = self.real.get(path) {
            return real.clone();
        }
        let followed = || std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let is_plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        let real = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if is_plain => {
                let place = self.real(parent).join(name);
                let is_link = std::fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_symlink());
                if is_link { followed() } else { place }
            }
            _ => followed(),
        };
        self.real.insert(path.to_path_buf(), real.clone());
        real
    }

    fn at(&mut self, folder: &Path) -> Found {
        if let Some(found) = self.known.get(folder) {
            return found.clone();
        }
        let above = folder.parent().map(|above| self.at(above)).unwrap_or_default();
        let ours = Some(folder.join(NAME)).filter(|path| path.is_file());
        let theirs = || hadolint::NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        let found = match ours.or(above.ours) {
            // Where there is one of ours nobody asks for the other.
            Some(ours) => Found { ours: Some(ours), theirs: None },
            None => Found { ours: None, theirs: theirs().or(above.theirs) },
        };
        self.known.insert(folder.to_path_buf(), found.clone());
        found
    }
}

/// The configurations of many files, each read once.
pub struct Configs<'n> {
    named: Option<&'n Path>,
    nearest: Nearest,
    /// By folder as it was named. Byte by byte is quicker than part by part, and a folder named in two ways is no harm.
    known: HashMap<OsString, Arc<Config>>,
    read: HashMap<Option<PathBuf>, Arc<Config>>,
}

impl<'n> Configs<'n> {
    /// With the file that was named, which then holds everywhere.
    pub fn new(named: Option<&'n Path>) -> Self {
        Self { named, nearest: Nearest::default(), known: HashMap::new(), read: HashMap::new() }
    }

    /// What holds for lint in `folder`.
    pub fn of(&mut self, folder: &Path) -> Result<Arc<Config>> {
        if let Some(config) = self.known.get(folder.as_os_str()) {
            return Ok(Arc::clone(config));
        }
        let config = self.look_up(folder)?;
        self.known.insert(folder.as_os_str().to_owned(), Arc::clone(&config));
        Ok(config)
    }

    fn look_up(&mut self, folder: &Path) -> Result<Arc<Config>> {
        let file = match self.named {
            Some(named) => Some(named.to_path_buf()),
            None => {
                let found = self.nearest.of(folder);
                found.ours.or(found.theirs)
            }
        };
        if let Some(config) = self.read.get(&file) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(file.as_deref().map_or_else(|| Ok(Config::default()), read)?);
        self.read.insert(file, Arc::clone(&config));
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{load, load_for_lint};

    #[test]
    fn a_file_of_ours_above_counts_more_than_one_of_hadolint_beside() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join(".hadolint.yaml"), "ignored: [DL3008]\n").unwrap();
        assert_eq!(load_for_lint(None, &inner).unwrap().lint.ignore, ["DL3008"]);
        std::fs::write(folder.path().join(NAME), "[lint]\nignore = [\"DL3009\"]\n").unwrap();
        assert_eq!(load_for_lint(None, &inner).unwrap().lint.ignore, ["DL3009"]);
    }

    #[test]
    fn only_lint_reads_a_file_of_hadolint() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".hadolint.yaml"), "ignored: [\n").unwrap();
        assert!(load_for_lint(None, folder.path()).is_err());
        assert!(load(None, folder.path()).unwrap().path.is_none());
    }

    #[test]
    fn links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("real/inner")).unwrap();
        std::fs::write(folder.path().join("real").join(NAME), "").unwrap();
        std::os::unix::fs::symlink("real/inner", folder.path().join("link")).unwrap();
        let found = Nearest::default().of(&folder.path().join("link/../inner"));
        assert!(found.ours.is_some_and(|path| path.ends_with("real/plimsoll.toml")));
    }
}
