//! Here-documents.

use super::reader::{Jump, Reader};
use super::tree::*;
use super::word::Context;
use crate::logical::Logical;

impl<'s> Reader<'_, 's> {
    /// The body that belongs to the delimiter just read, which stands behind the end of this line and behind the bodies that
    /// were asked for before.
    pub(super) fn heredoc(&mut self, target: &Word<'s>, strip: bool, operator: usize) -> Option<Box<HereDoc<'s>>> {
        let behind = self.pos;
        let quoted = target.raw.contains(['\'', '"', '\\']);
        let delimiter = match target.literal() {
            Some(literal) => literal,
            None => target.raw.clone(),
        };
        let jump = match self.jump {
            Some(jump) if jump.line_end >= behind => jump,
            _ => {
                let line_end = self.line_end(behind);
                Jump { line_end, resume: (line_end + 1).min(self.end) }
            }
        };
        let start = jump.resume;
        let found = self.closing_line(start, &delimiter, strip);
        let (body_end, close_start, close_end, resume) = found.unwrap_or_else(|| {
            let at = operator..behind;
            let message = format!("this here-document is never closed with `{delimiter}`");
            self.note(NoteKind::Unclosed, at.start, at.end, message);
            (self.end, self.end, self.end, self.end)
        });
        self.jump = Some(Jump { line_end: jump.line_end, resume });
        let mut parts = Vec::new();
        if !quoted {
            self.pos = start;
            self.within(body_end, |reader| reader.text_parts(Context::Text, &mut parts));
        }
        self.pos = behind;
        let range = self.range(start, body_end);
        let close = self.range(close_start, close_end);
        let body = self.body(start, body_end, strip);
        Some(Box::new(HereDoc { delimiter, quoted, strip, body, parts, range, close }))
    }

    /// The end of the line that goes on at `from`: quotes may span lines, a comment ends with them.
    fn line_end(&self, from: usize) -> usize {
        let mut at = from;
        let mut quote = 0;
        while at < self.end {
            match self.byte_at(at) {
                b'\\' if quote != b'\'' => at += 1,
                b'\n' if quote == 0 => return at,
                byte @ (b'\'' | b'"') if quote == 0 => quote = byte,
                byte if byte == quote => quote = 0,
                b'#' if quote == 0 && matches!(self.byte_at(at - 1), b' ' | b'\t' | b';') => {
                    let rest = self.bytes.get(at..self.end).unwrap_or_default();
                    return memchr::memchr(b'\n', rest).map_or(self.end, |line| at + line);
                }
                _ => {}
            }
            at += 1;
        }
        if quote != 0 {
            // A stray quote: the line ends where it looks like it.
            let rest = self.bytes.get(from..self.end).unwrap_or_default();
            return memchr::memchr(b'\n', rest).map_or(self.end, |line| from + line);
        }
        self.end
    }

    /// The line that is the delimiter: where the body ends, that line begins and ends, and the text goes on.
    fn closing_line(&self, start: usize, delimiter: &str, strip: bool) -> Option<(usize, usize, usize, usize)> {
        let mut at = start;
        while at < self.end {
            let rest = self.bytes.get(at..self.end).unwrap_or_default();
            let line_end = memchr::memchr(b'\n', rest).map_or(self.end, |line| at + line);
            let line = self.bytes.get(at..line_end).unwrap_or_default();
            let tabs = if strip { line.iter().take_while(|byte| **byte == b'\t').count() } else { 0 };
            let text = line.get(tabs..).unwrap_or_default();
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text == delimiter.as_bytes() {
                return Some((at, at + tabs, at + tabs + text.len(), (line_end + 1).min(self.end)));
            }
            at = line_end + 1;
        }
        None
    }

    fn body(&mut self, start: usize, end: usize, strip: bool) -> Logical<'s> {
        if strip && memchr::memchr(b'\t', self.bytes.get(start..end).unwrap_or_default()).is_some() {
            let mut parts = Vec::new();
            let mut at = start;
            while at < end {
                let rest = self.bytes.get(at..end).unwrap_or_default();
                let next = memchr::memchr(b'\n', rest).map_or(end, |line| at + line + 1);
                let tabs = rest.iter().take_while(|byte| **byte == b'\t').count();
                match self.cursor.parts(at + tabs..next) {
                    Some(line) => parts.extend(line),
                    None => return self.logical.sub(start..end),
                }
                at = next;
            }
            return Logical::joined(self.cursor.stretch(), parts);
        }
        self.logical.sub(start..end)
    }
}
