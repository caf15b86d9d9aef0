//! Findings that are known and put up with: a file of them, so that only new ones are told.
//!
//! A finding is known again by its file, its rule and the text of the instruction it is in, not by its line: it stays known
//! when lines above it move, and becomes new when its instruction is edited.

use crate::files;
use crate::report::finding::{Checked, Finding};
use miette::{Result, miette};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Where a finding is, apart from its line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    file: String,
    rule: String,
    instruction: String,
}

/// The file on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    findings: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    rule: String,
    instruction: String,
    count: usize,
}

/// A baseline and where it is kept. Files in it are named from its folder on.
pub struct Baseline {
    path: PathBuf,
    folder: PathBuf,
    known: BTreeMap<Key, usize>,
}

impl Baseline {
    /// Reads it. One that is not there is empty if it is about to be written, otherwise an error.
    pub fn read(path: &Path, to_be_written: bool) -> Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = std::fs::canonicalize(folder).map_err(|error| files::unreadable(folder, &error))?;
        let mut known = BTreeMap::new();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let written: Written = serde_json::from_str(&text).map_err(|error| {
                    miette!(
                        help = "`--update-baseline` writes it; a broken one may be removed first",
                        "failed to read the baseline {}: {error}",
                        path.display()
                    )
                })?;
                if written.version != 1 {
                    return Err(miette!(
                        help = "it was written by another version of plimsoll; `--update-baseline` writes it anew",
                        "failed to read the baseline {}: its version is {}",
                        path.display(),
                        written.version
                    ));
                }
                for entry in written.findings {
                    let key = Key { file: entry.file, rule: entry.rule, instruction: entry.instruction };
                    *known.entry(key).or_default() += entry.count;
                }
            }
            Err(error) if to_be_written && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(miette!(
                    help = "`--update-baseline` writes it",
                    "failed to read the baseline {}: {error}",
                    path.display()
                ));
            }
        }
        Ok(Self { path: path.to_path_buf(), folder, known })
    }

    /// Takes known findings away. Says how many of the baseline are in none of the files any more.
    pub fn hide_known(&self, files: &mut [Checked]) -> usize {
        let mut left = self.known.clone();
        let mut looked_at = BTreeSet::new();
        for file in files {
            let name = self.name_of(&file.file);
            file.findings.retain(|finding| {
                let count = left.get_mut(&key(&name, &file.text, finding));
                match count {
                    Some(count) if *count > 0 => {
                        *count -= 1;
                        false
                    }
                    _ => true,
                }
            });
            looked_at.insert(name);
        }
        left.iter().filter(|(key, _)| looked_at.contains(&key.file)).map(|(_, count)| count).sum()
    }

    /// Writes what was found as known. What it says of files that were not looked at stays, if they are still there.
    pub fn update(&self, files: &[Checked]) -> Result<usize> {
        let looked_at: BTreeSet<String> = files.iter().map(|file| self.name_of(&file.file)).collect();
        let mut known = self.known.clone();
        known.retain(|key, _| !looked_at.contains(&key.file) && self.folder.join(&key.file).exists());
        for file in files {
            let name = self.name_of(&file.file);
            for finding in &file.findings {
                *known.entry(key(&name, &file.text, finding)).or_default() += 1;
            }
        }
        let total = known.values().sum();
        let findings = known
            .into_iter()
            .map(|(key, count)| Entry { file: key.file, rule: key.rule, instruction: key.instruction, count })
            .collect();
        let mut text = serde_json::to_string_pretty(&Written { version: 1, findings })
            .map_err(|error| miette!("failed to write the baseline {}: {error}", self.path.display()))?;
        text.push('\n');
        files::write_atomically(&self.path, text.as_bytes())?;
        Ok(total)
    }

    /// How a file is called from the baseline's folder on, wherever the command was started.
    fn name_of(&self, file: &str) -> String {
        let Ok(absolute) = std::fs::canonicalize(file) else { return file.replace('\\', "/") };
        let mut up = String::new();
        let mut folder = self.folder.as_path();
        loop {
            if let Ok(rest) = absolute.strip_prefix(folder) {
                let parts = rest.components().filter_map(|part| match part {
                    Component::Normal(name) => Some(name.to_string_lossy()),
                    _ => None,
                });
                return up + &parts.collect::<Vec<_>>().join("/");
            }
            let Some(above) = folder.parent() else { return absolute.to_string_lossy().into_owned() };
            folder = above;
            up.push_str("../");
        }
    }
}

fn key(file: &str, text: &str, finding: &Finding) -> Key {
    // Blanks and line ends at the ends of lines are no change.
    let lines = finding.instruction.of(text).lines().map(str::trim_end);
    let bytes = lines.flat_map(|line| line.bytes().chain([b'\n']));
    Key { file: file.to_owned(), rule: finding.rule.clone(), instruction: crate::report::lint::hash(bytes) }
}
