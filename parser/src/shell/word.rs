//! Words and quotes.

use super::Parts;
use super::reader::{CLASSES, Class, Reader};
use super::tree::*;
use std::borrow::Cow;

/// Where expansions are read, and so what is special there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// Between double quotes: ends at `"`.
    Double,
    /// In a here-document or arithmetic: ends with the text.
    Text,
}

impl<'s> Reader<'_, 's> {
    /// The word that stands here, up to a blank or operator.
    pub(super) fn word(&mut self) -> Word<'s> {
        let start = self.pos;
        let plain = self.plain_length();
        if plain > 0 && self.ends_word(start + plain) {
            // Nearly all words.
            self.pos += plain;
            let text = self.slice(start, self.pos);
            let literal = Literal { value: text.value.clone(), range: text.range };
            return Word { raw: text.value, parts: WordPart::Literal(literal).into(), range: text.range };
        }
        let mut parts = Parts::default();
        self.word_parts(&mut parts);
        if parts.is_empty() && matches!(self.byte(), b'<' | b'>') && self.byte_at(self.pos + 1) == b'(' {
            let part = self.process();
            parts.push(part);
            self.word_parts(&mut parts);
        }
        let text = self.slice(start, self.pos);
        Word { raw: text.value, parts, range: text.range }
    }

    /// How many bytes from here on stand for themselves.
    fn plain_length(&self) -> usize {
        let rest = self.bytes.get(self.pos..self.end).unwrap_or_default();
        rest.iter().position(|byte| CLASSES.get(usize::from(*byte)) != Some(&Class::Plain)).unwrap_or(rest.len())
    }

    /// The parts of a word up to a blank or operator.
    pub(super) fn word_parts(&mut self, parts: &mut Parts<'s>) {
        let mut literal = LiteralRun::new(self.pos);
        loop {
            self.pos += self.plain_length();
            if self.ends_word(self.pos) {
                break;
            }
            let at = self.pos;
            match self.byte() {
                b'\\' => {
                    literal.escape(self, at);
                    continue;
                }
                b'*' | b'?' if self.byte_at(at + 1) != b'(' => {
                    literal.end(self, at, parts);
                    self.pos += 1;
                    self.glob(at, parts);
                }
                b'*' | b'?' | b'+' | b'@' | b'!' if self.byte_at(at + 1) == b'(' => {
                    let Some(close) = self.group_end(at + 1) else {
                        self.pos += 1;
                        continue;
                    };
                    literal.end(self, at, parts);
                    self.pos = close + 1;
                    self.glob(at, parts);
                }
                b'[' => {
                    let Some(plain) = self.bracket() else {
                        self.pos += 1;
                        continue;
                    };
                    literal.end(self, at, parts);
                    self.pos += plain;
                    self.glob(at, parts);
                }
                b'\'' | b'"' | b'`' => {
                    literal.end(self, at, parts);
                    let part = self.quoted();
                    parts.push(part);
                }
                b'$' if self.dollar_begins(Context::Text) => {
                    literal.end(self, at, parts);
                    let part = self.dollar(false);
                    parts.push(part);
                }
                _ => {
                    self.pos += 1;
                    continue;
                }
            }
            literal = LiteralRun::new(self.pos);
        }
        literal.end(self, self.pos, parts);
    }

    fn glob(&mut self, start: usize, parts: &mut Parts<'s>) {
        let text = self.slice(start, self.pos);
        parts.push(WordPart::Glob(Literal { value: text.value, range: text.range }));
    }

    /// At `[`: how much of a bracket pattern stands here. All of it where nothing in it is quoted or expanded, else the
    /// bracket alone; nothing where it is never closed.
    fn bracket(&mut self) -> Option<usize> {
        let start = self.pos;
        if start < self.no_bracket_before {
            return None;
        }
        let mut at = start + 1;
        if matches!(self.byte_at(at), b'!' | b'^') {
            at += 1;
        }
        let first = at;
        let mut plain = true;
        loop {
            match self.byte_at(at) {
                b']' if at > first => return Some(if plain { at + 1 - start } else { 1 }),
                b'[' if self.byte_at(at + 1) == b':' => {
                    // A class of characters has brackets of its own.
                    let rest = self.bytes.get(at + 2..self.end.min(at + 16)).unwrap_or_default();
                    at += rest.windows(2).position(|pair| pair == b":]").map_or(0, |close| close + 3);
                }
                b'\'' | b'"' | b'$' | b'`' | b'\\' => plain = false,
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                    self.no_bracket_before = at;
                    return None;
                }
                _ if at >= self.end => {
                    self.no_bracket_before = at;
                    return None;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Where the parenthesis of an extended pattern closes; looked for not very far.
    fn group_end(&self, open: usize) -> Option<usize> {
        let limit = self.end.min(open + 256);
        let mut depth = 0_usize;
        let mut at = open;
        while at < limit {
            match self.byte_at(at) {
                b'(' => depth += 1,
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                b'\\' => at += 1,
                b'\n' => return None,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// What a quote begins.
    fn quoted(&mut self) -> WordPart<'s> {
        match self.byte() {
            b'\'' => WordPart::Single(self.single()),
            b'"' => WordPart::Double(self.double(self.pos)),
            _ => self.backquotes(false),
        }
    }

    /// `'…'`
    pub(super) fn single(&mut self) -> Literal<'s> {
        let start = self.pos;
        let rest = self.bytes.get(start + 1..self.end).unwrap_or_default();
        let (close, end) = match memchr::memchr(b'\'', rest) {
            Some(at) => (start + 1 + at, start + 2 + at),
            None => {
                self.note(NoteKind::Unclosed, start, self.end, "this `'` is never closed");
                (self.end, self.end)
            }
        };
        self.pos = end;
        Literal { value: self.value(start + 1, close), range: self.range(start, end) }
    }

    /// `"…"`; `start` is where its `$` stands, if it has one.
    pub(super) fn double(&mut self, start: usize) -> Double<'s> {
        let translated = self.byte() == b'$';
        self.pos += 1 + usize::from(translated);
        let parts = self.deeper(start, |reader| {
            let mut parts = Vec::new();
            reader.text_parts(Context::Double, &mut parts);
            parts
        });
        let parts = parts.unwrap_or_else(|| {
            self.skip_double();
            Vec::new()
        });
        if self.byte() == b'"' && !self.at_end() {
            self.pos += 1;
        } else {
            self.note(NoteKind::Unclosed, start, self.end, "this `\"` is never closed");
        }
        Double { parts, translated, range: self.range(start, self.pos) }
    }

    /// To the next double quote, without looking at what stands before it.
    fn skip_double(&mut self) {
        while !self.at_end() && self.byte() != b'"' {
            self.pos += if self.byte() == b'\\' { 2 } else { 1 };
        }
        self.pos = self.pos.min(self.end);
    }

    /// Text in which only `$`, backquotes and some escapes mean something.
    pub(super) fn text_parts(&mut self, context: Context, parts: &mut Vec<WordPart<'s>>) {
        let mut literal = LiteralRun::new(self.pos);
        loop {
            let rest = self.bytes.get(self.pos..self.end).unwrap_or_default();
            let plain = if context == Context::Double {
                rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'$' | b'`'))
            } else {
                memchr::memchr3(b'\\', b'$', b'`', rest)
            };
            let Some(plain) = plain else {
                self.pos = self.end;
                break;
            };
            self.pos += plain;
            let at = self.pos;
            match self.byte() {
                b'"' => break,
                b'\\' => {
                    match self.byte_at(at + 1) {
                        b'\\' | b'$' | b'`' | b'\n' => literal.escape(self, at),
                        b'"' if context == Context::Double => literal.escape(self, at),
                        _ => self.pos += 1,
                    }
                    continue;
                }
                b'`' => {
                    literal.end(self, at, parts);
                    let part = self.backquotes(context == Context::Double);
                    parts.push(part);
                }
                _ if self.dollar_begins(context) => {
                    literal.end(self, at, parts);
                    let part = self.dollar(true);
                    parts.push(part);
                }
                _ => {
                    self.pos += 1;
                    continue;
                }
            }
            literal = LiteralRun::new(self.pos);
        }
        literal.end(self, self.pos, parts);
    }

    /// `$'…'`
    pub(super) fn ansi_c(&mut self) -> Literal<'s> {
        let start = self.pos;
        let mut at = start + 2;
        while at < self.end && self.byte_at(at) != b'\'' {
            at += if self.byte_at(at) == b'\\' { 2 } else { 1 };
        }
        let closed = at < self.end;
        let close = at.min(self.end);
        if !closed {
            self.note(NoteKind::Unclosed, start, close, "this `$'` is never closed");
        }
        self.pos = if closed { close + 1 } else { close };
        let value = match self.value(start + 2, close) {
            value if value.contains('\\') => Cow::Owned(decode(&value)),
            value => value,
        };
        Literal { value, range: self.range(start, self.pos) }
    }
}

/// Literal text that is being gathered: a stretch of the file as long as nothing is removed from it.
struct LiteralRun {
    start: usize,
    /// Behind the last escape that was taken out.
    from: usize,
    /// What was gathered up to there.
    text: Option<String>,
}

impl LiteralRun {
    fn new(start: usize) -> Self {
        Self { start, from: start, text: None }
    }

    /// At a backslash: takes it out, and a line end behind it too.
    fn escape(&mut self, reader: &mut Reader<'_, '_>, at: usize) {
        let text = self.text.get_or_insert_default();
        text.push_str(reader.slice_of(self.from..at));
        let next = at + 1;
        if next >= reader.end {
            // The last byte of all stands for itself.
            text.push('\\');
            self.from = next;
            reader.pos = next;
            return;
        }
        let skipped = match (reader.byte_at(next), reader.byte_at(next + 1)) {
            (b'\n', _) => 1,
            (b'\r', b'\n') => 2,
            _ => 0,
        };
        self.from = next + skipped;
        reader.pos = self.from;
        if skipped == 0 {
            let character = reader.slice_of(next..reader.end).chars().next();
            reader.pos += character.map_or(1, char::len_utf8);
        }
    }

    fn end<'s>(&mut self, reader: &mut Reader<'_, 's>, end: usize, parts: &mut impl Gather<'s>) {
        if end <= self.start {
            return;
        }
        let value = match self.text.take() {
            None => reader.value(self.start, end),
            Some(mut text) => {
                text.push_str(reader.slice_of(self.from..end));
                Cow::Owned(text)
            }
        };
        parts.gather(WordPart::Literal(Literal { value, range: reader.range(self.start, end) }));
    }
}

/// Where parts are put.
trait Gather<'s> {
    fn gather(&mut self, part: WordPart<'s>);
}

impl<'s> Gather<'s> for Vec<WordPart<'s>> {
    fn gather(&mut self, part: WordPart<'s>) {
        self.push(part);
    }
}

impl<'s> Gather<'s> for Parts<'s> {
    fn gather(&mut self, part: WordPart<'s>) {
        self.push(part);
    }
}

/// The escapes of `$'…'`.
fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            decoded.push(char);
            continue;
        }
        let Some(letter) = chars.next() else {
            decoded.push('\\');
            break;
        };
        let mut number = |radix: u32, digits: usize, first: Option<u32>| {
            let mut value = first;
            for _ in 0..digits {
                let Some(digit) = chars.peek().and_then(|char| char.to_digit(radix)) else { break };
                value = Some(value.unwrap_or(0) * radix + digit);
                chars.next();
            }
            value
        };
        let simple = match letter {
            'a' => '\x07',
            'b' => '\x08',
            'e' | 'E' => '\x1b',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' | '\'' | '"' | '?' => letter,
            '0'..='7' => char::from_u32(number(8, 2, letter.to_digit(8)).unwrap_or(0) & 0xff).unwrap_or('\0'),
            'x' | 'u' | 'U' => {
                let digits = match letter {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                match number(16, digits, None).map(char::from_u32) {
                    Some(char) => char.unwrap_or(char::REPLACEMENT_CHARACTER),
                    None => {
                        decoded.push('\\');
                        letter
                    }
                }
            }
            'c' => match chars.next() {
                Some(char) if char.is_ascii() => char::from(char as u8 & 0x1f),
                other => other.unwrap_or('c'),
            },
            _ => {
                decoded.push('\\');
                letter
            }
        };
        decoded.push(simple);
    }
    decoded
}
