//! The reader: a place in the text, and what every part of the grammar needs from it.
//!
//! Nothing is read twice, but for a bounded look ahead, and each level of nesting counts against [`MAX_DEPTH`]; so time grows
//! with the text alone, and the stack does not grow with it.

use super::MAX_DEPTH;
use super::tree::{Note, NoteKind};
use crate::logical::{Cursor, Logical};
use crate::text::{Text, TextRange};
use std::borrow::Cow;
use std::ops::Range;

pub(super) struct Reader<'t, 's> {
    pub(super) logical: &'t Logical<'s>,
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    /// The next byte.
    pub(super) pos: usize,
    /// Where reading ends: the end of the text, or of the backquotes or the here-document being read.
    pub(super) end: usize,
    pub(super) cursor: Cursor<'t, 's>,
    pub(super) depth: usize,
    /// What closes the commands around the present place.
    pub(super) open: Closers,
    /// Behind the line that ends here, the text goes on there: here-documents stand between.
    pub(super) jump: Option<Jump>,
    /// Up to here no `]` closes a `[`.
    pub(super) no_bracket_before: usize,
    pub(super) comments: Vec<TextRange>,
    pub(super) notes: Vec<Note>,
}

/// Where here-documents stand.
#[derive(Clone, Copy)]
pub(super) struct Jump {
    /// The line end before them.
    pub(super) line_end: usize,
    /// Behind the last of them.
    pub(super) resume: usize,
}

/// Words and operators that close something, as a set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Closers(u16);

impl Closers {
    pub(super) const NONE: Self = Self(0);
    pub(super) const THEN: Self = Self(1);
    pub(super) const ELSE: Self = Self(1 << 1);
    pub(super) const ELIF: Self = Self(1 << 2);
    pub(super) const FI: Self = Self(1 << 3);
    pub(super) const DO: Self = Self(1 << 4);
    pub(super) const DONE: Self = Self(1 << 5);
    pub(super) const ESAC: Self = Self(1 << 6);
    pub(super) const BRACE: Self = Self(1 << 7);
    pub(super) const PAREN: Self = Self(1 << 8);
    /// `;;`, `;&`, `;;&`
    pub(super) const ARM: Self = Self(1 << 9);

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What a byte means outside quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// Stands for itself.
    Plain,
    /// Ends a word.
    Meta,
    /// Begins something inside a word.
    Special,
}

pub(super) const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Plain; 256];
    let mut index = 0;
    while index < 256 {
        // The index is below 256, so nothing is cut off.
        let byte = index as u8;
        let class = match byte {
            b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => Class::Meta,
            b'\\' | b'\'' | b'"' | b'$' | b'`' | b'*' | b'?' | b'[' | b'+' | b'@' | b'!' | b'\r' => Class::Special,
            _ => Class::Plain,
        };
        let (_, rest) = table.split_at_mut(index);
        if let [slot, ..] = rest {
            *slot = class;
        }
        index += 1;
    }
    table
}

pub(super) fn class(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Plain)
}

impl<'t, 's> Reader<'t, 's> {
    pub(super) fn new(logical: &'t Logical<'s>, depth: usize) -> Self {
        Self {
            logical,
            text: &logical.text,
            bytes: logical.text.as_bytes(),
            pos: 0,
            end: logical.text.len(),
            cursor: logical.cursor(),
            depth,
            open: Closers::NONE,
            jump: None,
            no_bracket_before: 0,
            comments: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The byte at `at`, a zero byte at the end. (A zero byte in the text stands for itself in a word; whoever needs to know
    /// asks [`Reader::at_end`].)
    pub(super) fn byte_at(&self, at: usize) -> u8 {
        if at < self.end { self.bytes.get(at).copied().unwrap_or(0) } else { 0 }
    }

    pub(super) fn byte(&self) -> u8 {
        self.byte_at(self.pos)
    }

    pub(super) fn at_end(&self) -> bool {
        self.pos >= self.end
    }

    pub(super) fn starts_with(&self, what: &[u8]) -> bool {
        self.bytes.get(self.pos..self.end).is_some_and(|rest| rest.starts_with(what))
    }

    pub(super) fn eat(&mut self, what: &[u8]) -> bool {
        let found = self.starts_with(what);
        if found {
            self.pos += what.len();
        }
        found
    }

    /// What stands between two places.
    pub(super) fn slice_of(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    /// A range of the file. An empty one stands behind the byte before it, so that it lies in what it ends.
    pub(super) fn range(&mut self, start: usize, end: usize) -> TextRange {
        if end <= start && start > 0 {
            return TextRange::at(self.cursor.offset(start - 1) + 1);
        }
        self.cursor.range(start..end)
    }

    pub(super) fn value(&mut self, start: usize, end: usize) -> Cow<'s, str> {
        self.cursor.value(start..end)
    }

    pub(super) fn slice(&mut self, start: usize, end: usize) -> Text<'s> {
        if end <= start {
            return Text { value: Cow::Borrowed(""), range: self.range(start, end) };
        }
        self.cursor.slice(start..end)
    }

    pub(super) fn note(&mut self, kind: NoteKind, start: usize, end: usize, message: impl Into<String>) {
        let range = self.range(start, end);
        self.notes.push(Note { kind, range, message: message.into() });
    }

    /// Reads something one level deeper, or says that it is too deep.
    pub(super) fn deeper<T>(&mut self, start: usize, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            self.note(NoteKind::TooDeep, start, self.pos, "nested too deeply to be read");
            return None;
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        Some(read)
    }

    /// Reads up to `end` as if the text ended there.
    pub(super) fn within<T>(&mut self, end: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = (self.end, self.jump.take(), self.open);
        self.end = end.min(self.end);
        self.open = Closers::NONE;
        let read = read(self);
        (self.end, self.jump, self.open) = outer;
        read
    }

    /// The same for text of its own (backquotes with escapes in them).
    pub(super) fn absorb(&mut self, other: Reader<'_, 's>) {
        self.comments.extend(other.comments);
        self.notes.extend(other.notes);
    }

    /// Skips blanks and joined lines; a comment too where `comments` may stand.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.byte() {
                b' ' | b'\t' => self.pos += 1,
                b'\\' if self.byte_at(self.pos + 1) == b'\n' => self.pos += 2,
                b'\\' if self.byte_at(self.pos + 1) == b'\r' && self.byte_at(self.pos + 2) == b'\n' => self.pos += 3,
                b'\r' if matches!(self.byte_at(self.pos + 1), b'\n' | 0) => self.pos += 1,
                b'#' => self.comment(),
                _ => return,
            }
        }
    }

    fn comment(&mut self) {
        let start = self.pos;
        let rest = self.bytes.get(start..self.end).unwrap_or_default();
        self.pos = memchr::memchr(b'\n', rest).map_or(self.end, |at| start + at);
        let range = self.range(start, self.pos);
        self.comments.push(range);
    }

    /// Takes a line end and the here-documents behind it.
    pub(super) fn newline(&mut self) {
        let at = self.pos;
        self.pos += 1;
        if let Some(jump) = self.jump.take_if(|jump| jump.line_end <= at)
            && jump.line_end == at
        {
            self.pos = jump.resume;
        }
    }

    /// Skips blanks, comments and line ends.
    pub(super) fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if self.byte() != b'\n' {
                return;
            }
            self.newline();
        }
    }

    /// Whether a word ends at `at`.
    pub(super) fn ends_word(&self, at: usize) -> bool {
        at >= self.end
            || class(self.byte_at(at)) == Class::Meta
            || (self.byte_at(at) == b'\r' && self.byte_at(at + 1) == b'\n')
    }

    /// The unquoted letters and signs that stand here up to the end of the word, if short enough for a reserved word.
    pub(super) fn bare_word(&self) -> &'t str {
        let rest = self.bytes.get(self.pos..self.end).unwrap_or_default();
        let mut len = 0;
        for byte in rest.iter().take(9) {
            if class(*byte) == Class::Meta {
                break;
            }
            len += 1;
        }
        self.slice_of(self.pos..self.pos + len)
    }
}
