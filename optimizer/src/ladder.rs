//! The ladder: moves taken one at a time, each on top of those that proved worth it.
//!
//! What a step is worth is measured by whoever asks: [`Ladder::next`] gives files, [`Ladder::accept`] and
//! [`Ladder::reject`] take the answer.

use crate::apply::Level;
use crate::files::Files;
use crate::moves::{self, BaseFacts, ConfigChange, Input, Made, Move};
use plimsoll_analyzer::context::Listing;

/// Which moves are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Moves that promise less stay out.
    pub level: Level,
    /// Only moves of these names; all when empty.
    pub only: Vec<String>,
    /// No move of these names.
    pub skip: Vec<String>,
}

/// What moves read besides the files.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Everything in the context's directory, before any ignore file.
    pub listing: &'a Listing,
    /// The text of a small file of the context, by its path there.
    pub read: &'a dyn Fn(&str) -> Option<String>,
    /// Whether an image of this name can be had.
    pub available: &'a dyn Fn(&str) -> bool,
}

/// A step to be built and measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The move's name.
    pub name: &'static str,
    /// Its line in the ladder.
    pub title: String,
    /// What the move does and what it relies on.
    pub explain: &'static str,
    /// The files, all accepted steps included.
    pub files: Files,
    /// Globs of paths in which this image may differ from the original, accepted steps included.
    pub may_change: Vec<String>,
    /// In what its config may differ from the original's, accepted steps included.
    pub config_changes: Vec<ConfigChange>,
    /// Paths whose programs have to find the libraries that they name, accepted steps included.
    pub programs: Vec<String>,
    /// Whether it is worth its layers in time to rebuild, so that a few bytes more do not speak against it.
    pub for_rebuilds: bool,
    /// What the author should know about this step.
    pub notes: Vec<String>,
}

/// One move and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The move's name.
    pub name: &'static str,
    /// Its line in the ladder.
    pub title: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Part of the result; the image is this large.
    Taken {
        /// Bytes of the image after it.
        size: u64,
    },
    /// Built and not kept.
    Dropped {
        /// Why, as told by whoever measured.
        reason: String,
    },
    /// Nothing to do, or not certain enough.
    NotApplicable {
        /// Why.
        reason: String,
    },
    /// Kept out by the options.
    Skipped {
        /// By which.
        reason: String,
    },
    /// Handed out and not answered yet.
    Pending,
}

/// The moves on their way.
pub struct Ladder<'a> {
    surroundings: Surroundings<'a>,
    base: &'a dyn Fn(&str) -> Option<BaseFacts>,
    made: &'a dyn Fn(usize) -> Option<Vec<Made>>,
    options: Options,
    files: Files,
    may_change: Vec<String>,
    config_changes: Vec<ConfigChange>,
    programs: Vec<String>,
    position: usize,
    pending: Option<Rung>,
    tried: Vec<Tried>,
}

impl<'a> Ladder<'a> {
    /// A ladder that begins at `files`.
    #[must_use]
    pub fn new(files: Files, surroundings: Surroundings<'a>, options: Options) -> Self {
        Self {
            surroundings,
            base: &|_| None,
            made: &|_| None,
            options,
            files,
            may_change: Vec::new(),
            config_changes: Vec::new(),
            programs: Vec::new(),
            position: 0,
            pending: None,
            tried: Vec::new(),
        }
    }

    /// The same, knowing the configs of base images.
    #[must_use]
    pub fn knowing(mut self, base: &'a dyn Fn(&str) -> Option<BaseFacts>) -> Self {
        self.base = base;
        self
    }

    /// The same, knowing the layers of the files that are accepted so far, by the place of the instruction.
    #[must_use]
    pub fn knowing_layers(mut self, made: &'a dyn Fn(usize) -> Option<Vec<Made>>) -> Self {
        self.made = made;
        self
    }

    /// The next step worth building. One that was not answered counts as dropped.
    #[expect(clippy::should_implement_trait, reason = "an answer is due between two of them, so it is no iterator")]
    pub fn next(&mut self) -> Option<Rung> {
        if self.pending.is_some() {
            self.reject("not measured");
        }
        while let Some(step) = moves::ALL.get(self.position) {
            self.position += 1;
            match self.try_move(*step) {
                Ok(rung) => {
                    self.tried.push(Tried { name: rung.name, title: rung.title.clone(), outcome: Outcome::Pending });
                    self.pending = Some(rung.clone());
                    return Some(rung);
                }
                Err(outcome) => {
                    self.tried.push(Tried { name: step.name(), title: step.title().to_owned(), outcome });
                }
            }
        }
        None
    }

    fn try_move(&self, step: &dyn Move) -> Result<Rung, Outcome> {
        let name = step.name();
        let named = |list: &[String]| list.iter().any(|item| item == name);
        let skipped = |reason: &str| Err(Outcome::Skipped { reason: reason.to_owned() });
        if named(&self.options.skip) {
            return skipped("left out by --skip");
        }
        if !self.options.only.is_empty() && !named(&self.options.only) {
            return skipped("not among --only");
        }
        let Surroundings { listing, read, available } = self.surroundings;
        let not_applicable = |reason: String| Outcome::NotApplicable { reason };
        let made = step
            .apply(&Input { files: &self.files, listing, read, available, base: self.base, made: self.made })
            .map_err(|reason| not_applicable(reason.to_string()))?;
        if made.files == self.files {
            return Err(not_applicable("nothing to do".to_owned()));
        }
        if step.level() > self.options.level {
            return skipped("needs a proof; the level asked for is safe");
        }
        if let Some(error) = breaks(&self.files.dockerfile, &made.files.dockerfile) {
            return Err(not_applicable(format!("the file it writes would not parse: {error}")));
        }
        let mut may_change = self.may_change.clone();
        may_change.extend(made.may_change);
        may_change.sort();
        may_change.dedup();
        let mut config_changes = self.config_changes.clone();
        config_changes.extend(made.config_changes);
        config_changes.sort();
        config_changes.dedup();
        let mut programs = self.programs.clone();
        programs.extend(made.programs);
        programs.sort();
        programs.dedup();
        Ok(Rung {
            name,
            title: made.title.unwrap_or_else(|| step.title().to_owned()),
            explain: step.explain(),
            files: made.files,
            may_change,
            config_changes,
            programs,
            for_rebuilds: step.for_rebuilds(),
            notes: made.notes,
        })
    }

    /// The step handed out last is part of the result; its image is `size` bytes.
    pub fn accept(&mut self, size: u64) {
        if let Some(rung) = self.pending.take() {
            self.files = rung.files;
            self.may_change = rung.may_change;
            self.config_changes = rung.config_changes;
            self.programs = rung.programs;
            self.answer(Outcome::Taken { size });
        }
    }

    /// The step handed out last is not part of the result.
    pub fn reject(&mut self, reason: impl Into<String>) {
        if self.pending.take().is_some() {
            self.answer(Outcome::Dropped { reason: reason.into() });
        }
    }

    fn answer(&mut self, outcome: Outcome) {
        if let Some(last) = self.tried.last_mut() {
            last.outcome = outcome;
        }
    }

    /// The files with every accepted step.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Every move so far and what came of it, in order.
    #[must_use]
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }
}

/// The message of the first syntax error of `new` when it has more of them than `old`.
fn breaks(old: &str, new: &str) -> Option<String> {
    let before = plimsoll_parser::parse(old).errors.len();
    let after = plimsoll_parser::parse(new).errors;
    if after.len() <= before {
        return None;
    }
    after.into_iter().next().map(|error| error.message)
}
