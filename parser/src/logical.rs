//! Logical text: what is left of an instruction when continuations and the comments between them are taken out,
//! with the way back from each of its bytes to the author's file.

mod cursor;

pub use cursor::Cursor;

use crate::text::{Text, TextRange};
use std::borrow::Cow;
use std::ops::Range;

/// Joined text that remembers where each of its bytes came from.
///
/// Text that stands in the file in one piece is borrowed and costs no allocation; so is every part of joined text
/// that crosses no join.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Logical<'s> {
    /// The joined text; borrowed from the file where nothing had to be joined.
    pub text: Cow<'s, str>,
    /// The runs of consecutive bytes it was joined from, ascending in both fields; none when it stands in one piece.
    pieces: Vec<Piece<'s>>,
    /// Offset in the file of the first byte.
    start: u32,
    /// Offset in the file after the last byte.
    end: u32,
}

/// From `at` in the logical text on, bytes stand one after another in the file from `file` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece<'s> {
    at: u32,
    file: u32,
    /// The file's own bytes of this run.
    text: &'s str,
}

impl Piece<'_> {
    fn end(&self) -> usize {
        self.at as usize + self.text.len()
    }
}

impl<'s> Logical<'s> {
    /// Text that stands in the file in one piece, from `start` on.
    #[must_use]
    pub fn whole(text: &'s str, start: usize) -> Self {
        let range = TextRange::new(start, start + text.len());
        Self { text: Cow::Borrowed(text), pieces: Vec::new(), start: range.start, end: range.end }
    }

    /// Text joined from `parts`, each a piece of the file and its offset there, in order.
    #[must_use]
    pub fn joined(parts: impl IntoIterator<Item = (&'s str, usize)>) -> Self {
        let mut parts = parts.into_iter().filter(|(text, _)| !text.is_empty());
        let Some((first, start)) = parts.next() else { return Self::default() };
        let Some((second, second_start)) = parts.next() else { return Self::whole(first, start) };
        let mut text = String::with_capacity(4 * (first.len() + second.len()));
        let mut pieces = Vec::with_capacity(4);
        let head = [(first, start), (second, second_start)];
        for (part, offset) in head.into_iter().chain(parts) {
            pieces.push(Piece { at: offset32(text.len()), file: offset32(offset), text: part });
            text.push_str(part);
        }
        Self::from_pieces(Cow::Owned(text), pieces)
    }

    /// The same with the length of the text and the number of its parts known, so that nothing grows.
    pub(crate) fn joined_exactly(len: usize, parts: impl ExactSizeIterator<Item = (&'s str, usize)>) -> Self {
        let mut text = String::with_capacity(len);
        let mut pieces = Vec::with_capacity(parts.len());
        for (part, offset) in parts {
            pieces.push(Piece { at: offset32(text.len()), file: offset32(offset), text: part });
            text.push_str(part);
        }
        Self::from_pieces(Cow::Owned(text), pieces)
    }

    fn from_pieces(text: Cow<'s, str>, pieces: Vec<Piece<'s>>) -> Self {
        let start = pieces.first().map_or(0, |piece| piece.file);
        let end = pieces.last().map_or(start, |piece| piece.file + offset32(piece.text.len()));
        Self { text, pieces, start, end }
    }

    /// Whether it stands in the file in one piece.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Where the byte at `offset` of the logical text stands in the file. At the end of the text, where the file goes on.
    #[must_use]
    pub fn offset(&self, offset: usize) -> usize {
        if offset >= self.text.len() {
            return self.end as usize;
        }
        match self.piece_at(offset) {
            Some(piece) => piece.file as usize + (offset - piece.at as usize),
            None => self.start as usize + offset,
        }
    }

    /// The piece that holds the byte at `offset`; none when the text stands in one piece.
    fn piece_at(&self, offset: usize) -> Option<&Piece<'s>> {
        let next = self.pieces.partition_point(|piece| piece.at as usize <= offset);
        self.pieces.get(next.checked_sub(1)?)
    }

    /// The range in the file, from the first byte of `range` to just after its last one.
    #[must_use]
    #[inline]
    pub fn range(&self, range: Range<usize>) -> TextRange {
        if self.pieces.is_empty() {
            let place = |offset: usize| self.start.saturating_add(offset32(offset)).min(self.end);
            let start = place(range.start);
            return TextRange { start, end: place(range.end).max(start) };
        }
        self.range_over_pieces(range)
    }

    fn range_over_pieces(&self, range: Range<usize>) -> TextRange {
        let start = self.offset(range.start);
        if range.end <= range.start {
            return TextRange::at(start);
        }
        TextRange::new(start, self.offset(range.end - 1) + 1)
    }

    /// The whole of it as a range of the file.
    #[must_use]
    pub fn full_range(&self) -> TextRange {
        TextRange { start: self.start, end: self.end }
    }

    /// A part of the logical text with its place in the file.
    #[must_use]
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Text<'s> {
        if let Cow::Borrowed(text) = self.text
            && self.pieces.is_empty()
        {
            let start = self.start.saturating_add(offset32(range.start)).min(self.end);
            let part = text.get(range).unwrap_or_default();
            let end = start.saturating_add(offset32(part.len())).min(self.end);
            return Text { value: Cow::Borrowed(part), range: TextRange { start, end } };
        }
        self.slice_over_pieces(range)
    }

    fn slice_over_pieces(&self, range: Range<usize>) -> Text<'s> {
        let place = self.range(range.clone());
        let value = match &self.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
            Cow::Owned(text) => match self.in_file(range.clone()) {
                Some(text) => Cow::Borrowed(text),
                None => Cow::Owned(text.get(range).unwrap_or_default().to_owned()),
            },
        };
        Text { value, range: place }
    }

    /// The file's own text of `range`, where it stands there in one piece.
    fn in_file(&self, range: Range<usize>) -> Option<&'s str> {
        let piece = self.piece_at(range.start)?;
        let start = piece.at as usize;
        piece.text.get(range.start - start..range.end.checked_sub(start)?)
    }

    /// A part of the logical text that keeps the way back into the file.
    #[must_use]
    pub fn sub(&self, range: Range<usize>) -> Logical<'s> {
        let range = range.start..range.end.max(range.start);
        let part = self.slice(range.clone());
        if self.pieces.is_empty() || matches!(part.value, Cow::Borrowed(_)) {
            return Logical { text: part.value, pieces: Vec::new(), start: part.range.start, end: part.range.end };
        }
        let first = self.pieces.partition_point(|piece| piece.end() <= range.start);
        let last = self.pieces.partition_point(|piece| (piece.at as usize) < range.end);
        let within = self.pieces.get(first..last).unwrap_or_default();
        let pieces = within
            .iter()
            .map(|piece| {
                let skip = range.start.saturating_sub(piece.at as usize);
                let keep = piece.text.len().min(range.end.saturating_sub(piece.at as usize));
                Piece {
                    at: offset32((piece.at as usize + skip) - range.start),
                    file: piece.file + offset32(skip),
                    text: piece.text.get(skip..keep).unwrap_or_default(),
                }
            })
            .collect();
        Logical { text: part.value, pieces, start: part.range.start, end: part.range.end }
    }

    /// The whole of it with its place in the file.
    #[must_use]
    pub fn to_text(&self) -> Text<'s> {
        self.slice(0..self.text.len())
    }
}

/// Offsets are kept in 32 bits; a file beyond that is read as if it ended there.
fn offset32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "RUN echo one \\\n# why\n  two \\\n  three";

    fn joined() -> Logical<'static> {
        Logical::joined([(&FILE[0..13], 0), (&FILE[21..27], 21), (&FILE[29..36], 29)])
    }

    #[test]
    fn every_byte_knows_where_it_came_from() {
        let logical = joined();
        assert_eq!(logical.text, "RUN echo one   two   three");
        for (offset, byte) in logical.text.bytes().enumerate() {
            assert_eq!(FILE.as_bytes()[logical.offset(offset)], byte);
        }
        assert_eq!(logical.offset(logical.text.len()), FILE.len());
        assert_eq!(logical.full_range(), TextRange::new(0, FILE.len()));
    }

    #[test]
    fn parts_that_cross_no_join_are_borrowed() {
        let logical = joined();
        assert!(matches!(logical.slice(4..8).value, Cow::Borrowed("echo")));
        let two = logical.text.find("two").unwrap();
        assert!(matches!(logical.slice(two..two + 3).value, Cow::Borrowed("two")));
        assert!(matches!(logical.slice(4..two + 3).value, Cow::Owned(_)));
    }

    #[test]
    fn a_part_keeps_the_way_back() {
        let logical = joined();
        for start in 0..=logical.text.len() {
            for end in start..=logical.text.len() {
                let part = logical.sub(start..end);
                assert_eq!(part.text, logical.text[start..end]);
                for offset in 0..part.text.len() {
                    assert_eq!(part.offset(offset), logical.offset(start + offset));
                }
                assert_eq!(part.full_range(), logical.range(start..end));
            }
        }
    }
}
