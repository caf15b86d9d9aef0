//! PowerShell and cmd: statements and words, nothing more.

use super::Dialect;
use super::reader::Reader;
use super::tree::*;

impl<'s> Reader<'_, 's> {
    /// Splits the text into statements at `;` (PowerShell), `&`, `&&`, `||`, `|` and line ends, outside quotes and brackets.
    pub(super) fn foreign(&mut self, dialect: Dialect) -> List<'s> {
        let start = self.pos;
        let mut items: Vec<Item<'s>> = Vec::new();
        let mut joined: Option<(AndOrOp, usize)> = None;
        while !self.at_end() {
            let pipeline = self.foreign_pipeline(dialect);
            let at = self.pos;
            let (separator, op, len) = match (self.byte(), self.byte_at(at + 1)) {
                (b'&', b'&') => (Separator::End, Some(AndOrOp::And), 2),
                (b'|', b'|') => (Separator::End, Some(AndOrOp::Or), 2),
                (b';', _) => (Separator::Semicolon, None, 1),
                (b'&', _) => (Separator::Background, None, 1),
                (b'\n', _) => (Separator::Newline, None, 1),
                _ => (Separator::End, None, 0),
            };
            if let Some(pipeline) = pipeline {
                let range = pipeline.range;
                match (joined.take(), items.last_mut()) {
                    (Some((op, at)), Some(item)) => {
                        let op_range = self.range(at, at + 2);
                        item.list.range = item.list.range.cover(range);
                        item.list.rest.push(Link { op, op_range, pipeline });
                    }
                    _ => {
                        let list = AndOr { first: pipeline, rest: Vec::new(), range };
                        items.push(Item { list, separator: Separator::End, separator_range: Default::default() });
                    }
                }
            }
            self.pos += len;
            let separator_range = self.range(at, self.pos);
            // In cmd `&` runs one command after the other.
            let separator = match separator {
                Separator::Background if dialect == Dialect::Cmd => Separator::Semicolon,
                separator => separator,
            };
            if let Some(item) = items.last_mut()
                && op.is_none()
            {
                (item.separator, item.separator_range) = (separator, separator_range);
            }
            joined = op.map(|op| (op, at));
            if len == 0 && !self.at_end() {
                self.pos += 1;
            }
        }
        let range = self.range(start, self.pos);
        List { items, range }
    }

    fn foreign_pipeline(&mut self, dialect: Dialect) -> Option<Pipeline<'s>> {
        let mut commands = Vec::new();
        let mut pipes: Vec<Pipe> = Vec::new();
        loop {
            let words = self.foreign_words(dialect);
            let (Some(first), Some(last)) = (words.first(), words.last()) else { break };
            let range = first.range.cover(last.range);
            commands.push(Command::Opaque(Opaque { words, range }));
            if self.byte() != b'|' || self.byte_at(self.pos + 1) == b'|' {
                break;
            }
            let at = self.pos;
            self.pos += 1;
            let range = self.range(at, self.pos);
            pipes.push(Pipe { stderr: false, range });
        }
        pipes.truncate(commands.len().saturating_sub(1));
        let first = commands.first()?.range();
        let range = commands.last().map_or(first, |last| first.cover(last.range()));
        Some(Pipeline { negated: None, timed: None, commands, pipes, range })
    }

    fn foreign_words(&mut self, dialect: Dialect) -> Vec<Word<'s>> {
        let mut words = Vec::new();
        loop {
            match self.byte() {
                b' ' | b'\t' | b'\r' => self.pos += 1,
                b'#' if dialect == Dialect::PowerShell => {
                    let rest = self.bytes.get(self.pos..self.end).unwrap_or_default();
                    let end = memchr::memchr(b'\n', rest).map_or(self.end, |at| self.pos + at);
                    let range = self.range(self.pos, end);
                    self.comments.push(range);
                    self.pos = end;
                }
                b';' if dialect == Dialect::Cmd => {
                    let word = self.foreign_word(dialect);
                    words.push(word);
                }
                b'\n' | b';' | b'|' | b'&' => return words,
                _ if self.at_end() => return words,
                _ => {
                    let word = self.foreign_word(dialect);
                    words.push(word);
                }
            }
        }
    }

    /// Up to a blank or operator outside quotes and brackets.
    fn foreign_word(&mut self, dialect: Dialect) -> Word<'s> {
        let start = self.pos;
        let powershell = dialect == Dialect::PowerShell;
        let escape = if powershell { b'`' } else { b'^' };
        let mut quote = 0;
        let mut brackets = 0_usize;
        while !self.at_end() {
            let byte = self.byte();
            if quote != 0 {
                if byte == escape && quote == b'"' && powershell {
                    self.pos += 1;
                } else if byte == quote {
                    quote = 0;
                }
            } else {
                match byte {
                    _ if byte == escape => self.pos += 1,
                    b'"' => quote = byte,
                    b'\'' if powershell => quote = byte,
                    b'{' | b'(' if powershell => brackets += 1,
                    b'}' | b')' if powershell => brackets = brackets.saturating_sub(1),
                    b' ' | b'\t' | b'\r' | b'\n' | b'|' | b'&' if brackets == 0 => break,
                    b';' if powershell && brackets == 0 => break,
                    _ => {}
                }
            }
            self.pos += 1;
        }
        self.pos = self.pos.min(self.end).max(start + 1);
        while !self.text.is_char_boundary(self.pos) {
            self.pos += 1;
        }
        let text = self.slice(start, self.pos);
        let unquoted = ['"', '\''].into_iter().find_map(|quote| text.value.strip_prefix(quote)?.strip_suffix(quote));
        let value = match unquoted {
            Some(inner) if !inner.contains(['"', '\'']) => inner.to_owned().into(),
            _ => text.value.clone(),
        };
        let parts = WordPart::Literal(Literal { value, range: text.range }).into();
        Word { raw: text.value, parts, range: text.range }
    }
}
