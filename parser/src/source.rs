//! The author's bytes, and lines and columns for people.

use crate::text::TextRange;

/// A file as it came from the disk, with text of the same length to parse.
///
/// BuildKit reads bytes and never asks for UTF-8. Each byte that is no part of a valid character is read here as the
/// one ASCII byte `0x1A` (SUB), so that every range of the text is a range of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The bytes, where they are not the text's own.
    bytes: Option<Vec<u8>>,
    text: String,
    invalid: Vec<TextRange>,
}

/// What stands in the text for a byte that is no UTF-8.
pub const SUBSTITUTE: u8 = 0x1A;

impl Source {
    /// Takes the file's bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => return Self { bytes: None, text, invalid: Vec::new() },
            Err(error) => error.into_bytes(),
        };
        let mut text = String::with_capacity(bytes.len());
        let mut invalid: Vec<TextRange> = Vec::new();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            let start = text.len();
            for _ in chunk.invalid() {
                text.push(char::from(SUBSTITUTE));
            }
            if start < text.len() {
                let range = TextRange::new(start, text.len());
                match invalid.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => invalid.push(range),
                }
            }
        }
        Self { bytes: Some(bytes), text, invalid }
    }

    /// What is parsed. As long as the file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the file is not UTF-8.
    #[must_use]
    pub fn invalid(&self) -> &[TextRange] {
        &self.invalid
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.text.as_bytes())
    }
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<u32>,
}

impl<'t> LineIndex<'t> {
    /// Finds the lines of `text`. A line ends with `\n`.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let after = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| TextRange::at(at + 1).start);
        Self { text, starts: std::iter::once(0).chain(after).collect() }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    #[must_use]
    pub fn line_col(&self, offset: u32) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.starts.get(line as usize - 1).map_or(0, |start| *start as usize);
        let mut end = (offset as usize).clamp(start, self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(start..end).unwrap_or_default();
        (line, 1 + TextRange::at(before.chars().count()).start)
    }

    /// The line a byte stands in, from 1.
    #[must_use]
    pub fn line(&self, offset: u32) -> u32 {
        TextRange::at(self.starts.partition_point(|start| *start <= offset)).start.max(1)
    }

    /// How many lines there are; a last line without an end counts, an empty one after the last end does too.
    #[must_use]
    pub fn line_count(&self) -> u32 {
        TextRange::at(self.starts.len()).start
    }

    /// A line (from 1) without its end.
    #[must_use]
    pub fn line_range(&self, line: u32) -> TextRange {
        let index = (line as usize).saturating_sub(1);
        let Some(start) = self.starts.get(index).map(|start| *start as usize) else {
            return TextRange::at(self.text.len());
        };
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| *next as usize);
        let content = self.text.get(start..end).unwrap_or_default();
        TextRange::new(start, start + content.trim_end_matches(['\n', '\r']).len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_keep_the_length() {
        let source = Source::new(b"RUN \xff\xfe caf\xc3\xa9 \xe2\x82\n".to_vec());
        assert_eq!(source.text(), "RUN \u{1a}\u{1a} caf\u{e9} \u{1a}\u{1a}\n");
        assert_eq!(source.invalid(), [TextRange::new(4, 6), TextRange::new(13, 15)]);
        assert_eq!(source.bytes(), b"RUN \xff\xfe caf\xc3\xa9 \xe2\x82\n");
    }

    #[test]
    fn columns_count_characters() {
        let text = "FROM a\r\nRUN \u{e9}\u{e8} b\nX";
        let lines = LineIndex::new(text);
        assert_eq!(lines.line_col(0), (1, 1));
        assert_eq!(lines.line_col(8), (2, 1));
        assert_eq!(lines.line_col(17), (2, 8));
        assert_eq!(lines.line_col(13), (2, 5), "inside a character: where it begins");
        assert_eq!(lines.line_col(999), (3, 2));
        assert_eq!(lines.line_range(1).of(text), "FROM a");
        assert_eq!(lines.line_range(3).of(text), "X");
        assert_eq!(lines.line_count(), 3);
    }
}
