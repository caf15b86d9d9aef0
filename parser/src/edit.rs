//! Edits of the author's file.

use crate::text::TextRange;

/// Replaces a range of the original text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What goes; empty for an insertion.
    pub range: TextRange,
    /// What comes in its place.
    pub text: String,
}

impl Edit {
    /// Puts `text` at `offset`.
    #[must_use]
    pub fn insert(offset: u32, text: impl Into<String>) -> Self {
        Self { range: TextRange { start: offset, end: offset }, text: text.into() }
    }
    /// Takes `range` out.
    #[must_use]
    pub fn delete(range: TextRange) -> Self {
        Self { range, text: String::new() }
    }
    /// Puts `text` in the place of `range`.
    #[must_use]
    pub fn replace(range: TextRange, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }
}
