//! Places and pieces of the author's file.

use std::borrow::Cow;
use std::ops::Range;

/// A byte range of the file as its author wrote it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TextRange {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl TextRange {
    /// The range from `start` up to and without `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end.max(start)) }
    }
    /// An empty range at `offset`.
    #[must_use]
    pub fn at(offset: usize) -> Self {
        Self::new(offset, offset)
    }
    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }
    /// Whether no byte stands in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
    /// Whether every byte of `other` stands in it.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
    /// The smallest range that holds both.
    #[must_use]
    pub fn cover(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
    /// As indices of the text.
    #[must_use]
    pub fn to_usize(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
    /// The text that stands there, or nothing when the range is not of this text.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.to_usize()).unwrap_or_default()
    }
}

impl std::fmt::Debug for TextRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// A value and where it stands in the author's file.
///
/// `value` is what the builder reads: continuations are gone from it, so it may be shorter than its range.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Text<'s> {
    /// What the builder reads.
    pub value: Cow<'s, str>,
    /// From its first to its last byte in the file, continuations included.
    pub range: TextRange,
}

impl Text<'_> {
    /// What the builder reads.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.value
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.value
    }
}
