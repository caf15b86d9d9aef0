//! Places of a logical text asked for one after another.

use super::{Logical, Parts, Repr, Stretch};
use crate::text::{Text, TextRange};
use std::borrow::Cow;
use std::ops::Range;

/// Maps places of a logical text into the file; quick when they are asked for more or less in order.
#[derive(Clone)]
pub struct Cursor<'t, 's> {
    logical: &'t Logical<'s>,
    /// Length of the logical text.
    len: usize,
    /// What its pieces were joined to, and where it begins in that.
    whole: Option<&'t Parts<'s>>,
    from: usize,
    /// The piece that held the last place asked for: its index, its extent and the way from there to the file.
    index: usize,
    start: usize,
    stop: usize,
    file: usize,
    text: &'s str,
}

impl<'s> Logical<'s> {
    /// A reader of places in this text.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_, 's> {
        let len = self.text.len();
        let (whole, from, text) = match &self.text.0 {
            Repr::File(text) => (None, 0, *text),
            Repr::Parts { whole, from, .. } => (Some(&**whole), *from as usize, ""),
        };
        let file = self.start as usize;
        let mut cursor = Cursor { logical: self, len, whole, from, index: 0, start: 0, stop: len, file, text };
        cursor.find(0);
        cursor
    }
}

impl<'s> Cursor<'_, 's> {
    /// A stretch of the file in which everything of this text stands.
    #[must_use]
    pub fn stretch(&self) -> Stretch<'s> {
        self.whole.map_or((self.text, self.file), |whole| whole.file)
    }

    /// Makes the piece at `index` the one that is looked into.
    fn take(&mut self, index: usize) {
        let Some((whole, piece)) = self.whole.and_then(|whole| Some((whole, whole.pieces.get(index)?))) else { return };
        // A part of a joined text may begin inside of a piece, and end inside of one.
        let skip = self.from.saturating_sub(piece.at as usize);
        self.index = index;
        self.start = (piece.at as usize + skip).saturating_sub(self.from);
        self.stop = whole.end(index).saturating_sub(self.from).min(self.len);
        self.file = piece.file as usize + skip;
        let (text, base) = whole.file;
        let place = self.file.saturating_sub(base);
        self.text = text.get(place..place + self.stop.saturating_sub(self.start)).unwrap_or_default();
    }

    fn find(&mut self, offset: usize) {
        let Some(whole) = self.whole else { return };
        let next = whole.pieces.partition_point(|piece| piece.at as usize <= offset + self.from);
        self.take(next.saturating_sub(1));
    }

    fn seek(&mut self, offset: usize) {
        if offset >= self.start && offset < self.stop || self.whole.is_none() {
            return;
        }
        if offset >= self.stop {
            self.take(self.index + 1);
            if offset >= self.start && offset < self.stop {
                return;
            }
        }
        self.find(offset);
    }

    /// As [`Logical::offset`].
    pub fn offset(&mut self, offset: usize) -> usize {
        if offset >= self.len {
            return self.logical.end as usize;
        }
        self.seek(offset);
        self.file + offset.saturating_sub(self.start)
    }

    /// As [`Logical::range`].
    pub fn range(&mut self, range: Range<usize>) -> TextRange {
        let start = self.offset(range.start);
        if range.end <= range.start {
            return TextRange::at(start);
        }
        TextRange::new(start, self.offset(range.end - 1) + 1)
    }

    /// The value of [`Logical::slice`].
    pub fn value(&mut self, range: Range<usize>) -> Cow<'s, str> {
        if range.end <= range.start {
            return Cow::Borrowed("");
        }
        self.seek(range.start);
        if let Some(start) = range.start.checked_sub(self.start)
            && let Some(text) = self.text.get(start..range.end.saturating_sub(self.start))
        {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.logical.text.get(range).unwrap_or_default().to_owned())
    }

    /// The pieces of the file that make up `range`, each with its offset there; none where the text is not the file's own.
    pub fn parts(&mut self, range: Range<usize>) -> Option<Vec<(&'s str, usize)>> {
        let mut parts = Vec::new();
        let mut at = range.start;
        while at < range.end {
            self.seek(at);
            let from = at.checked_sub(self.start)?;
            let to = range.end.min(self.stop).checked_sub(self.start)?;
            let part = self.text.get(from..to).filter(|part| !part.is_empty())?;
            parts.push((part, self.file + from));
            at += part.len();
        }
        Some(parts)
    }

    /// As [`Logical::slice`].
    pub fn slice(&mut self, range: Range<usize>) -> Text<'s> {
        if range.start < range.end {
            self.seek(range.start);
            if range.end <= self.stop
                && let Some(from) = range.start.checked_sub(self.start)
                && let Some(value) = self.text.get(from..range.end - self.start)
            {
                let start = self.file + from;
                return Text { value: Cow::Borrowed(value), range: TextRange::new(start, start + value.len()) };
            }
        }
        Text { value: self.value(range.clone()), range: self.range(range) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_logical_text_says() {
        let file = "one \\\n# why\n  two \\\n  three";
        let joined = Logical::joined((file, 0), [(&file[0..4], 0), (&file[12..18], 12), (&file[20..27], 20)]);
        let part = joined.sub(2..15);
        for logical in [joined, part, Logical::whole(file, 7)] {
            let mut cursor = logical.cursor();
            for start in 0..=logical.text.len() {
                for end in start..=logical.text.len() {
                    assert_eq!(cursor.slice(start..end), logical.slice(start..end));
                }
                assert_eq!(cursor.offset(start), logical.offset(start));
            }
        }
    }
}
