//! Places of a logical text asked for one after another.

use super::Logical;
use crate::text::{Text, TextRange};
use std::borrow::Cow;
use std::ops::Range;

/// Maps places of a logical text into the file; quick when they are asked for more or less in order.
#[derive(Clone, Debug)]
pub struct Cursor<'t, 's> {
    logical: &'t Logical<'s>,
    /// The piece that held the last place asked for: its index, its extent and the way from there to the file.
    index: usize,
    start: usize,
    stop: usize,
    file: usize,
    text: Option<&'s str>,
}

impl<'s> Logical<'s> {
    /// A reader of places in this text.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_, 's> {
        let text = match &self.text {
            Cow::Borrowed(text) => Some(*text),
            Cow::Owned(_) => None,
        };
        let mut cursor =
            Cursor { logical: self, index: 0, start: 0, stop: self.text.len(), file: self.start as usize, text };
        cursor.take(0);
        cursor
    }
}

impl<'s> Cursor<'_, 's> {
    fn take(&mut self, index: usize) {
        let Some(piece) = self.logical.pieces.get(index) else { return };
        self.index = index;
        self.start = piece.at as usize;
        self.stop = piece.end();
        self.file = piece.file as usize;
        self.text = Some(piece.text);
    }

    fn seek(&mut self, offset: usize) {
        if offset >= self.start && offset < self.stop || self.logical.pieces.is_empty() {
            return;
        }
        if offset >= self.stop {
            self.take(self.index + 1);
            if offset >= self.start && offset < self.stop {
                return;
            }
        }
        let next = self.logical.pieces.partition_point(|piece| piece.at as usize <= offset);
        self.take(next.saturating_sub(1));
    }

    /// As [`Logical::offset`].
    pub fn offset(&mut self, offset: usize) -> usize {
        if offset >= self.logical.text.len() {
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
        if let (Some(text), Some(start)) = (self.text, range.start.checked_sub(self.start))
            && let Some(text) = text.get(start..range.end.saturating_sub(self.start))
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
            let part = self.text?.get(from..to).filter(|part| !part.is_empty())?;
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
                && let (Some(text), Some(from)) = (self.text, range.start.checked_sub(self.start))
                && let Some(value) = text.get(from..range.end - self.start)
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
        let joined = Logical::joined([(&file[0..4], 0), (&file[12..18], 12), (&file[20..27], 20)]);
        for logical in [joined, Logical::whole(file, 7)] {
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
