//! Logical text: what is left of an instruction when continuations and the comments between them are taken out,
//! with the way back from each of its bytes to the author's file.

use crate::text::{Text, TextRange};
use std::borrow::Cow;
use std::ops::Range;

/// Joined text that remembers where each of its bytes came from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Logical<'s> {
    /// The joined text; borrowed from the file where nothing had to be joined.
    pub text: Cow<'s, str>,
    /// Where runs of consecutive bytes begin, ascending in both fields, never empty when `text` is not.
    pieces: Vec<Piece>,
    /// Offset in the file after the last byte.
    end: u32,
}

/// From `at` in the logical text on, bytes stand one after another in the file from `file` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    at: u32,
    file: u32,
}

impl<'s> Logical<'s> {
    /// Text that stands in the file in one piece, from `start` on.
    #[must_use]
    pub fn whole(text: &'s str, start: usize) -> Self {
        let range = TextRange::new(start, start + text.len());
        Self { text: Cow::Borrowed(text), pieces: vec![Piece { at: 0, file: range.start }], end: range.end }
    }

    /// Text joined from `parts`, each a piece of the file and its offset there, in order.
    #[must_use]
    pub fn joined(parts: impl IntoIterator<Item = (&'s str, usize)>) -> Self {
        let mut joined = Self::default();
        for (text, start) in parts {
            let file = TextRange::new(start, start + text.len());
            if joined.pieces.is_empty() || joined.end != file.start {
                joined.pieces.push(Piece { at: u32::try_from(joined.text.len()).unwrap_or(u32::MAX), file: file.start });
            }
            if joined.text.is_empty() {
                joined.text = Cow::Borrowed(text);
            } else {
                joined.text.to_mut().push_str(text);
            }
            joined.end = file.end;
        }
        joined
    }

    /// Where the byte at `offset` of the logical text stands in the file. At the end of the text, where the file goes on.
    #[must_use]
    pub fn offset(&self, offset: usize) -> usize {
        if offset >= self.text.len() {
            return self.end as usize;
        }
        let next = self.pieces.partition_point(|piece| piece.at as usize <= offset);
        match next.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            Some(piece) => piece.file as usize + (offset - piece.at as usize),
            None => self.end as usize,
        }
    }

    /// The range in the file, from the first byte of `range` to just after its last one.
    #[must_use]
    pub fn range(&self, range: Range<usize>) -> TextRange {
        let start = self.offset(range.start);
        if range.end <= range.start {
            return TextRange::at(start);
        }
        TextRange::new(start, self.offset(range.end - 1) + 1)
    }

    /// A part of the logical text with its place in the file.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Text<'s> {
        let place = self.range(range.clone());
        let value = match &self.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().to_owned()),
        };
        Text { value, range: place }
    }

    /// A part of the logical text that keeps the way back into the file.
    #[must_use]
    pub fn sub(&self, range: Range<usize>) -> Logical<'s> {
        let part = self.slice(range.clone());
        let first = self.pieces.partition_point(|piece| piece.at as usize <= range.start).saturating_sub(1);
        let pieces = self.pieces.iter().skip(first).take_while(|piece| (piece.at as usize) < range.end.max(range.start + 1));
        let pieces = pieces
            .map(|piece| {
                let skip = (range.start as u32).saturating_sub(piece.at);
                Piece { at: piece.at.saturating_sub(range.start as u32), file: piece.file + skip }
            })
            .collect();
        Logical { text: part.value, pieces, end: part.range.end }
    }

    /// The whole of it with its place in the file.
    #[must_use]
    pub fn to_text(&self) -> Text<'s> {
        self.slice(0..self.text.len())
    }
}
