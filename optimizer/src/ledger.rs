//! What was applied, what was not, and why.

use plimsoll_parser::TextRange;
use std::fmt;

/// The account of one pass, or of all passes up to a fixed point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Fixes that went in, in the order they did.
    pub applied: Vec<Applied>,
    /// Fixes that stayed out of the last pass.
    pub left: Vec<Left>,
}

/// A fix that went in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The rule's id.
    pub rule: &'static str,
    /// What the fix did.
    pub title: String,
    /// Where, in the text the pass began with.
    pub range: TextRange,
    /// Which pass, from 1 on.
    pub pass: usize,
    /// In what the built images may differ because of it.
    pub may_change: &'static [&'static str],
}

/// A fix that stayed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The rule's id.
    pub rule: &'static str,
    /// What the fix would have done.
    pub title: String,
    /// Where, in the text of the last pass.
    pub range: TextRange,
    /// Why it stayed out.
    pub why: Why,
}

/// Why a fix stayed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its range overlaps or touches that of a fix which went in before.
    Overlap {
        /// The rule whose fix went in.
        with: &'static str,
    },
    /// It promises less than was asked for.
    Unsafe,
    /// The author has to choose.
    Manual,
    /// An edit lies outside the text or inside a character.
    Misplaced,
    /// It went in and was taken back with all the others.
    Undone,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { with } => write!(f, "overlaps a fix of {with}"),
            Self::Unsafe => f.write_str("the images may differ in more than the fix declares"),
            Self::Manual => f.write_str("the author has to choose"),
            Self::Misplaced => f.write_str("it does not fit this text"),
            Self::Undone => f.write_str("taken back: fixes did not settle"),
        }
    }
}

impl Ledger {
    /// Every glob and config key in which the built images may differ, sorted, each once.
    #[must_use]
    pub fn may_change(&self) -> Vec<String> {
        let mut globs: Vec<String> =
            self.applied.iter().flat_map(|applied| applied.may_change.iter().map(|glob| (*glob).to_owned())).collect();
        globs.sort();
        globs.dedup();
        globs
    }
    /// The rules whose fixes went in, sorted, each once.
    #[must_use]
    pub fn rules(&self) -> Vec<&'static str> {
        let mut rules: Vec<&'static str> = self.applied.iter().map(|applied| applied.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }
}
