//! Logical text: what is left of an instruction when continuations and the comments between them are taken out,
//! with the way back from each of its bytes to the author's file.

mod cursor;

pub use cursor::Cursor;

use crate::text::{Text, TextRange};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Joined text that remembers where each of its bytes came from.
///
/// Text that stands in the file in one piece is borrowed and costs no allocation; so is every part of joined text
/// that crosses no join.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Logical<'s> {
    /// The joined text; borrowed from the file where nothing had to be joined.
    pub text: Joined<'s>,
    /// Offset in the file of the first byte.
    start: u32,
    /// Offset in the file after the last byte.
    end: u32,
}

/// The text of a [`Logical`]: read it as a `str`.
#[derive(Clone)]
pub struct Joined<'s>(Repr<'s>);

#[derive(Clone)]
enum Repr<'s> {
    /// It stands in the file in one piece.
    File(&'s str),
    /// It was joined, and this is `from..to` of what came of it. Parts of one text share it.
    Parts { whole: Arc<Parts<'s>>, from: u32, to: u32 },
}

/// A stretch of the file and where it begins there.
pub type Stretch<'s> = (&'s str, usize);

/// Text joined from pieces of the file.
struct Parts<'s> {
    text: Box<str>,
    /// The runs of consecutive bytes it was joined from, ascending in both fields.
    pieces: Box<[Piece]>,
    /// The stretch of the file they stand in.
    file: Stretch<'s>,
}

/// From `at` in the joined text on, bytes stand one after another in the file from `file` on.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: u32,
    file: u32,
}

impl Parts<'_> {
    /// Where a piece ends in the joined text.
    fn end(&self, index: usize) -> usize {
        self.pieces.get(index + 1).map_or(self.text.len(), |next| next.at as usize)
    }

    /// The piece that holds the byte at `offset`, and its index.
    fn piece_at(&self, offset: usize) -> Option<(Piece, usize)> {
        let next = self.pieces.partition_point(|piece| piece.at as usize <= offset);
        let index = next.checked_sub(1)?;
        Some((*self.pieces.get(index)?, index))
    }
}

impl<'s> Logical<'s> {
    /// Text that stands in the file in one piece, from `start` on.
    #[must_use]
    pub fn whole(text: &'s str, start: usize) -> Self {
        let range = TextRange::new(start, start + text.len());
        Self { text: Joined(Repr::File(text)), start: range.start, end: range.end }
    }

    /// Text joined from `parts`, each a piece of the file and its offset there, in order; all of them lie in `file`.
    #[must_use]
    pub fn joined(file: Stretch<'s>, parts: impl IntoIterator<Item = (&'s str, usize)>) -> Self {
        let mut parts = parts.into_iter().filter(|(text, _)| !text.is_empty());
        let Some((first, start)) = parts.next() else { return Self::default() };
        let Some((second, second_start)) = parts.next() else { return Self::whole(first, start) };
        let head = [(first, start), (second, second_start)];
        let parts: Vec<_> = head.into_iter().chain(parts).collect();
        let len = parts.iter().map(|(text, _)| text.len()).sum();
        Self::joined_exactly(file, len, parts.into_iter())
    }

    /// The same with the length of the text and the number of its parts known, so that nothing grows.
    pub(crate) fn joined_exactly(
        file: Stretch<'s>,
        len: usize,
        parts: impl ExactSizeIterator<Item = (&'s str, usize)>,
    ) -> Self {
        let mut text = String::with_capacity(len);
        let mut pieces = Vec::with_capacity(parts.len());
        let mut end = 0;
        for (part, offset) in parts {
            pieces.push(Piece { at: offset32(text.len()), file: offset32(offset) });
            text.push_str(part);
            end = offset + part.len();
        }
        let start = pieces.first().map_or(0, |piece| piece.file);
        let to = offset32(text.len());
        let whole = Arc::new(Parts { text: text.into_boxed_str(), pieces: pieces.into_boxed_slice(), file });
        Self { text: Joined(Repr::Parts { whole, from: 0, to }), start, end: offset32(end) }
    }

    /// Whether it stands in the file in one piece.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self.text.0, Repr::File(_))
    }

    /// Where the byte at `offset` of the logical text stands in the file. At the end of the text, where the file goes on.
    #[must_use]
    pub fn offset(&self, offset: usize) -> usize {
        if offset >= self.text.len() {
            return self.end as usize;
        }
        if let Repr::Parts { whole, from, .. } = &self.text.0 {
            let offset = offset + *from as usize;
            if let Some((piece, _)) = whole.piece_at(offset) {
                return piece.file as usize + (offset - piece.at as usize);
            }
        }
        self.start as usize + offset
    }

    /// The range in the file, from the first byte of `range` to just after its last one.
    #[must_use]
    #[inline]
    pub fn range(&self, range: Range<usize>) -> TextRange {
        match &self.text.0 {
            Repr::File(_) => {
                let place = |offset: usize| self.start.saturating_add(offset32(offset)).min(self.end);
                let start = place(range.start);
                TextRange { start, end: place(range.end).max(start) }
            }
            Repr::Parts { .. } => self.range_over_pieces(range),
        }
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
        match &self.text.0 {
            Repr::File(text) => {
                let start = self.start.saturating_add(offset32(range.start)).min(self.end);
                let part = text.get(range).unwrap_or_default();
                let end = start.saturating_add(offset32(part.len())).min(self.end);
                Text { value: Cow::Borrowed(part), range: TextRange { start, end } }
            }
            Repr::Parts { whole, from, .. } => self.slice_over_pieces(whole, *from as usize, range),
        }
    }

    fn slice_over_pieces(&self, whole: &Parts<'s>, from: usize, range: Range<usize>) -> Text<'s> {
        if range.start < range.end
            && let Some((text, start)) = whole.in_file(from + range.start, from + range.end)
        {
            return Text { value: Cow::Borrowed(text), range: TextRange::new(start, start + text.len()) };
        }
        let value = self.text.get(range.clone()).unwrap_or_default();
        let value = if value.is_empty() { Cow::Borrowed("") } else { Cow::Owned(value.to_owned()) };
        Text { value, range: self.range_over_pieces(range) }
    }

    /// A part of the logical text that keeps the way back into the file.
    #[must_use]
    pub fn sub(&self, range: Range<usize>) -> Logical<'s> {
        let range = range.start..range.end.max(range.start);
        if let Repr::Parts { whole, from, .. } = &self.text.0
            && self.text.get(range.clone()).is_some_and(|part| !part.is_empty())
        {
            let (start, end) = (*from as usize + range.start, *from as usize + range.end);
            if let Some((text, place)) = whole.in_file(start, end) {
                return Logical::whole(text, place);
            }
            let text = Joined(Repr::Parts { whole: Arc::clone(whole), from: offset32(start), to: offset32(end) });
            let place = self.range_over_pieces(range);
            return Logical { text, start: place.start, end: place.end };
        }
        let part = self.slice(range);
        let text = match part.value {
            Cow::Borrowed(text) => text,
            Cow::Owned(_) => "",
        };
        Logical { text: Joined(Repr::File(text)), start: part.range.start, end: part.range.end }
    }

    /// The whole of it with its place in the file.
    #[must_use]
    pub fn to_text(&self) -> Text<'s> {
        self.slice(0..self.text.len())
    }
}

impl<'s> Parts<'s> {
    /// The file's own text of `start..end` with its place there, where it stands there in one piece.
    fn in_file(&self, start: usize, end: usize) -> Option<(&'s str, usize)> {
        let (piece, index) = self.piece_at(start)?;
        if end > self.end(index) {
            return None;
        }
        let place = piece.file as usize + (start - piece.at as usize);
        let within = place.checked_sub(self.file.1)?;
        Some((self.file.0.get(within..within + end.checked_sub(start)?)?, place))
    }
}

impl Joined<'_> {
    /// The text.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::File(text) => text,
            Repr::Parts { whole, from, to } => whole.text.get(*from as usize..*to as usize).unwrap_or_default(),
        }
    }

    /// Where each of its pieces begins in it and in the file; none where it stands there in one piece.
    fn pieces(&self) -> impl Iterator<Item = (usize, usize)> {
        let (whole, from, to) = match &self.0 {
            Repr::File(_) => (None, 0, 0),
            Repr::Parts { whole, from, to } => (Some(whole), *from as usize, *to as usize),
        };
        let pieces = whole
            .into_iter()
            .flat_map(|whole| whole.pieces.iter().enumerate().map(|(index, piece)| (piece, whole.end(index))));
        let within = pieces.filter(move |(piece, end)| *end > from && (piece.at as usize) < to);
        within.map(move |(piece, _)| {
            let skip = from.saturating_sub(piece.at as usize);
            (piece.at as usize + skip - from, piece.file as usize + skip)
        })
    }
}

impl std::ops::Deref for Joined<'_> {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Default for Joined<'_> {
    fn default() -> Self {
        Self(Repr::File(""))
    }
}

impl PartialEq for Joined<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() && self.pieces().eq(other.pieces())
    }
}

impl Eq for Joined<'_> {}

impl PartialEq<&str> for Joined<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl std::fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}

impl std::fmt::Debug for Joined<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
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
        Logical::joined((FILE, 0), [(&FILE[0..13], 0), (&FILE[21..27], 21), (&FILE[29..36], 29)])
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
                assert_eq!(part.text.as_str(), &logical.text[start..end]);
                for offset in 0..part.text.len() {
                    assert_eq!(part.offset(offset), logical.offset(start + offset));
                }
                assert_eq!(part.full_range(), logical.range(start..end));
            }
        }
    }
}
