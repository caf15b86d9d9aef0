//! Which packages of apt the last stage needs.

use super::Ecosystem;
use crate::bases::BaseImage;
use crate::chain::{Link, Word};
use crate::moves::NotApplicable;
use crate::moves::packages::{Runtime, runtime_of};
use crate::moves::unneeded::packages;
use plimsoll_parser::{Edit, TextRange};
use std::collections::BTreeSet;

/// What apt installs and what of it the last stage needs.
#[derive(Default)]
pub(super) struct Apt {
    /// Edits of package lists with the index of their RUN.
    pub(super) edits: Vec<(usize, Edit)>,
    pub(super) left_behind: Vec<String>,
    pub(super) libraries: Vec<String>,
    /// Whether no package at all is installed in the last stage.
    pub(super) nothing_stays: bool,
    stays: usize,
    /// Packages named so far that stay.
    named: BTreeSet<String>,
}

impl Apt {
    /// Whether a command is one of apt's or cleans up behind it.
    pub(super) fn is_part(link: &Link) -> bool {
        matches!(link.program(), "apt-get" | "apt")
            || (link.program() == "rm"
                && link.args().iter().all(|word| {
                    word.text.starts_with('-')
                        || word.text.starts_with("/var/lib/apt/")
                        || word.text.starts_with("/var/cache/apt")
                }))
    }

    /// Takes note of what one of its commands installs.
    pub(super) fn read(
        &mut self,
        index: usize,
        link: &Link,
        base: &BaseImage,
        ecosystem: &dyn Ecosystem,
    ) -> Result<(), NotApplicable> {
        if !matches!(link.program(), "apt-get" | "apt") || link.verb() != "install" {
            return Ok(());
        }
        let names: Vec<(usize, &Word)> =
            packages(link).into_iter().filter_map(|at| Some((at, link.words.get(at)?))).collect();
        if let Some((_, word)) = names.iter().find(|(_, word)| !word.known) {
            return Err(NotApplicable::because(format!("{} hides which packages are installed", word.text)));
        }
        let all: BTreeSet<&str> = names.iter().map(|(_, word)| word.text.as_str()).collect();
        for (at, word) in names {
            let Some(before) = link.words.get(at - 1) else { continue };
            let whole = TextRange { start: before.range.end, end: word.range.end };
            let put = |new: &[&str], named: &mut BTreeSet<String>| {
                let new: Vec<&str> = new
                    .iter()
                    .copied()
                    .filter(|package| !all.contains(package) && named.insert((*package).to_owned()))
                    .collect();
                new.join(" ")
            };
            let run_time = match ecosystem.leaves(&word.text) {
                true => Runtime::Nothing,
                false => runtime_of(&word.text, base.release()),
            };
            let replacement = match run_time {
                Runtime::Same => {
                    self.named.insert(word.text.clone());
                    self.stays += 1;
                    continue;
                }
                Runtime::Nothing => {
                    ecosystem.implied(&word.text).map(|package| put(&[package], &mut self.named)).unwrap_or_default()
                }
                Runtime::Libraries(libraries) => {
                    self.libraries.extend(libraries.iter().map(|library| (*library).to_owned()));
                    put(libraries, &mut self.named)
                }
            };
            self.left_behind.push(word.text.clone());
            self.edits.push((
                index,
                if replacement.is_empty() {
                    Edit::delete(whole)
                } else {
                    self.stays += 1;
                    Edit::replace(word.range, replacement)
                },
            ));
        }
        self.nothing_stays = self.stays == 0;
        Ok(())
    }
}
