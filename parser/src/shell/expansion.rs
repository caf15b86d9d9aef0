//! What begins with `$`, a backquote or, in bash, `<(`.

use super::Parts;
use super::reader::{Closers, Reader};
use super::tree::*;
use super::word::Context;
use crate::logical::Logical;
use crate::text::Text;

impl<'s> Reader<'_, 's> {
    /// Whether the `$` that stands here begins an expansion.
    pub(super) fn dollar_begins(&self, context: Context) -> bool {
        match self.byte_at(self.pos + 1) {
            b'{' | b'(' | b'[' | b'_' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!' => true,
            b'\'' | b'"' => context == Context::Text,
            byte => byte.is_ascii_alphanumeric(),
        }
    }

    /// What the `$` that stands here begins; between double quotes `$'` and `$"` begin nothing.
    pub(super) fn dollar(&mut self, quoted: bool) -> WordPart<'s> {
        let start = self.pos;
        match self.byte_at(start + 1) {
            b'\'' if !quoted => WordPart::AnsiC(self.ansi_c()),
            b'"' if !quoted => WordPart::Double(self.double(start)),
            b'(' => {
                if self.byte_at(start + 2) == b'('
                    && self.depth < super::MAX_DEPTH
                    && let Some(close) = self.arithmetic_end(start + 3)
                {
                    return WordPart::Arithmetic(Box::new(self.arithmetic(start, start + 3, close, 2)));
                }
                self.pos += 2;
                WordPart::Command(Box::new(self.substitution(start, SubstitutionForm::Dollar)))
            }
            b'[' => match self.old_arithmetic_end(start + 2) {
                Some(close) => WordPart::Arithmetic(Box::new(self.arithmetic(start, start + 2, close, 1))),
                None => self.literal_dollar(start),
            },
            b'{' => match self.byte_at(start + 2) {
                // bash 5.3: a command substitution that runs here.
                b' ' | b'\t' | b'\n' | b'|' => {
                    self.pos += 3;
                    let list = self.deeper(start, |reader| {
                        let outer = std::mem::replace(&mut reader.open, Closers::NONE);
                        let list = reader.closed_list(start, Closers::BRACE, "}", "`${`");
                        reader.open = outer;
                        list
                    });
                    let list = list.unwrap_or_else(|| self.no_list());
                    let form = SubstitutionForm::Dollar;
                    let range = self.range(start, self.pos);
                    WordPart::Command(Box::new(Substitution { list, form, range }))
                }
                _ => self.braces(start, quoted),
            },
            byte => {
                let mut end = start + 2;
                if byte.is_ascii_alphabetic() || byte == b'_' {
                    while self.byte_at(end).is_ascii_alphanumeric() || self.byte_at(end) == b'_' {
                        end += 1;
                    }
                }
                self.pos = end;
                let name = self.slice(start + 1, end);
                WordPart::Parameter(Box::new(Parameter {
                    name,
                    braces: false,
                    indirect: false,
                    length: false,
                    index: None,
                    op: None,
                    range: self.range(start, end),
                }))
            }
        }
    }

    fn literal_dollar(&mut self, start: usize) -> WordPart<'s> {
        self.pos = start + 1;
        let text = self.slice(start, self.pos);
        WordPart::Literal(Literal { value: text.value, range: text.range })
    }

    /// A nested script behind its opening parenthesis.
    fn substitution(&mut self, start: usize, form: SubstitutionForm) -> Substitution<'s> {
        let list = self.deeper(start, |reader| {
            let outer = std::mem::replace(&mut reader.open, Closers::NONE);
            let list = reader.closed_list(start, Closers::PAREN, ")", "this substitution");
            reader.open = outer;
            list
        });
        let list = list.unwrap_or_else(|| {
            let list = self.no_list();
            self.skip_parenthesis();
            list
        });
        Substitution { list, form, range: self.range(start, self.pos) }
    }

    /// Behind an opening parenthesis: past the one that closes it, without looking at what stands between.
    fn skip_parenthesis(&mut self) {
        let mut depth = 1_usize;
        while !self.at_end() && depth > 0 {
            match self.byte() {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => self.pos += 1,
                _ => {}
            }
            self.pos += 1;
        }
        self.pos = self.pos.min(self.end);
    }

    /// `<(…)`, `>(…)`
    pub(super) fn process(&mut self) -> WordPart<'s> {
        let start = self.pos;
        let form = if self.byte() == b'<' { SubstitutionForm::Input } else { SubstitutionForm::Output };
        self.pos += 2;
        WordPart::Process(Box::new(self.substitution(start, form)))
    }

    /// `` `…` ``
    pub(super) fn backquotes(&mut self, in_double: bool) -> WordPart<'s> {
        let start = self.pos;
        let from = start + 1;
        let mut at = from;
        let mut escapes = false;
        while at < self.end {
            match self.byte_at(at) {
                b'`' => break,
                b'\\' => {
                    let next = self.byte_at(at + 1);
                    escapes |= matches!(next, b'`' | b'\\' | b'$') || (in_double && next == b'"');
                    at += 2;
                }
                _ => at += 1,
            }
        }
        let closed = at < self.end;
        let close = at.min(self.end);
        let end = if closed { close + 1 } else { close };
        if !closed {
            self.note(NoteKind::Unclosed, start, close, "this backquote is never closed");
        }
        self.pos = from;
        let list = self.deeper(start, |reader| {
            if escapes && let Some(text) = reader.unescaped(from, close, in_double) {
                let mut inner = Reader::new(&text, reader.depth);
                let list = inner.list(Closers::NONE);
                reader.absorb(inner);
                return list;
            }
            reader.within(close, |reader| reader.list(Closers::NONE))
        });
        let list = list.unwrap_or_else(|| self.no_list());
        self.pos = end;
        let range = self.range(start, end);
        WordPart::Command(Box::new(Substitution { list, form: SubstitutionForm::Backquote, range }))
    }

    /// What stands between backquotes, without the backslashes that belong to them.
    fn unescaped(&mut self, from: usize, to: usize, in_double: bool) -> Option<Logical<'s>> {
        let mut parts = Vec::new();
        let mut at = from;
        let mut next = from;
        while next < to {
            if self.byte_at(next) == b'\\' && next + 1 < to {
                let escaped = self.byte_at(next + 1);
                if matches!(escaped, b'`' | b'\\' | b'$') || (in_double && escaped == b'"') {
                    parts.extend(self.cursor.parts(at..next)?);
                    at = next + 1;
                }
                next += 2;
            } else {
                next += 1;
            }
        }
        parts.extend(self.cursor.parts(at..to)?);
        Some(Logical::joined(self.cursor.stretch(), parts))
    }

    /// Where `))` closes what is arithmetic from `from` on; nothing where it turns out to be a command.
    pub(super) fn arithmetic_end(&self, from: usize) -> Option<usize> {
        let mut depth = 0_usize;
        let mut at = from;
        while at < self.end {
            match self.byte_at(at) {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b')' => return (self.byte_at(at + 1) == b')').then_some(at),
                b'\\' => at += 1,
                b'\'' | b'"' => {
                    let quote = self.byte_at(at);
                    let rest = self.bytes.get(at + 1..self.end)?;
                    at += 1 + memchr::memchr(quote, rest)?;
                }
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// Where `]` closes what is arithmetic from `from` on.
    fn old_arithmetic_end(&self, from: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in from..self.end.min(from + 256) {
            match self.byte_at(at) {
                b'[' => depth += 1,
                b']' if depth == 0 => return Some(at),
                b']' => depth -= 1,
                b'\n' | b'"' | b'\'' => return None,
                _ => {}
            }
        }
        None
    }

    /// Arithmetic between `from` and `close`, and `brackets` bytes behind it.
    pub(super) fn arithmetic(&mut self, start: usize, from: usize, close: usize, brackets: usize) -> Arithmetic<'s> {
        self.pos = from;
        let parts = self.deeper(start, |reader| {
            reader.within(close, |reader| {
                let mut parts = Vec::new();
                reader.text_parts(Context::Text, &mut parts);
                parts
            })
        });
        self.pos = close + brackets;
        Arithmetic {
            text: self.slice(from, close),
            parts: parts.unwrap_or_default(),
            range: self.range(start, self.pos),
        }
    }

    /// `${…}`
    fn braces(&mut self, start: usize, quoted: bool) -> WordPart<'s> {
        self.pos = start + 2;
        let parameter = self.deeper(start, |reader| reader.parameter(start, quoted));
        match parameter {
            Some(parameter) => WordPart::Parameter(Box::new(parameter)),
            None => {
                self.skip_brace();
                let text = self.slice(start, self.pos);
                WordPart::Literal(Literal { value: text.value, range: text.range })
            }
        }
    }

    /// Past the next `}`, without looking at what stands before it.
    fn skip_brace(&mut self) {
        while !self.at_end() && self.byte() != b'}' {
            self.pos += if self.byte() == b'\\' { 2 } else { 1 };
        }
        self.pos = (self.pos + 1).min(self.end);
    }

    fn parameter(&mut self, start: usize, quoted: bool) -> Parameter<'s> {
        let follows = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')
        };
        let next = self.byte_at(self.pos + 1);
        let length = self.byte() == b'#'
            && follows(next)
            && (self.byte_at(self.pos + 2) == b'}' || !matches!(next, b'#' | b'?' | b'-'));
        let indirect = self.byte() == b'!' && follows(next);
        self.pos += usize::from(length || indirect);
        let name = self.parameter_name();
        let mut index = None;
        if self.byte() == b'[' && !name.is_empty() {
            self.pos += 1;
            index = Some(self.operand(quoted, b"]"));
            self.eat(b"]");
        }
        let mut parameter =
            Parameter { name, braces: true, indirect, length, index, op: None, range: Default::default() };
        if self.byte() != b'}' && !self.at_end() {
            parameter.op = self.parameter_op(start, quoted, indirect);
        }
        if parameter.name.is_empty() {
            self.note(NoteKind::Unexpected, start, self.pos, "no parameter has this name");
        }
        if !self.eat(b"}") {
            self.note(NoteKind::Unclosed, start, self.pos, "`${` is never closed with `}`");
        }
        parameter.range = self.range(start, self.pos);
        parameter
    }

    fn parameter_name(&mut self) -> Text<'s> {
        let start = self.pos;
        match self.byte() {
            byte if byte.is_ascii_digit() => {
                while self.byte().is_ascii_digit() {
                    self.pos += 1;
                }
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                while self.byte().is_ascii_alphanumeric() || self.byte() == b'_' {
                    self.pos += 1;
                }
            }
            b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!' => self.pos += 1,
            _ => {}
        }
        self.slice(start, self.pos)
    }

    fn parameter_op(&mut self, start: usize, quoted: bool, indirect: bool) -> Option<ParameterOp<'s>> {
        let at = self.pos;
        let (first, second) = (self.byte(), self.byte_at(at + 1));
        let doubled = first == second;
        let (kind, len, stop): (_, _, &[u8]) = match (first, second) {
            (b'@' | b'*', b'}') if indirect => (ParameterOpKind::Names, 1, b""),
            (b':', b'-') => (ParameterOpKind::Default { empty_too: true }, 2, b""),
            (b':', b'=') => (ParameterOpKind::Assign { empty_too: true }, 2, b""),
            (b':', b'?') => (ParameterOpKind::Error { empty_too: true }, 2, b""),
            (b':', b'+') => (ParameterOpKind::Alternative { empty_too: true }, 2, b""),
            (b'-', _) => (ParameterOpKind::Default { empty_too: false }, 1, b""),
            (b'=', _) => (ParameterOpKind::Assign { empty_too: false }, 1, b""),
            (b'?', _) => (ParameterOpKind::Error { empty_too: false }, 1, b""),
            (b'+', _) => (ParameterOpKind::Alternative { empty_too: false }, 1, b""),
            (b'#', _) => (ParameterOpKind::RemovePrefix { longest: doubled }, 1 + usize::from(doubled), b""),
            (b'%', _) => (ParameterOpKind::RemoveSuffix { longest: doubled }, 1 + usize::from(doubled), b""),
            (b'/', b'#' | b'%') => (ParameterOpKind::Replace { all: false }, 2, b"/"),
            (b'/', _) => (ParameterOpKind::Replace { all: doubled }, 1 + usize::from(doubled), b"/"),
            (b':', _) => (ParameterOpKind::Substring, 1, b":"),
            (b'^' | b',' | b'~', _) => (ParameterOpKind::Case, 1 + usize::from(doubled), b""),
            (b'@', _) => (ParameterOpKind::Transform, 1, b""),
            _ => {
                let _ = self.operand(quoted, b"");
                self.note(NoteKind::Unexpected, start, self.pos, "this is no operation on a parameter");
                return None;
            }
        };
        self.pos += len;
        let op_range = self.range(at, self.pos);
        let plain = matches!(
            kind,
            ParameterOpKind::Default { .. }
                | ParameterOpKind::Assign { .. }
                | ParameterOpKind::Error { .. }
                | ParameterOpKind::Alternative { .. }
        );
        // In double quotes a single quote is just that, but for patterns.
        let word = self.operand(quoted && plain, stop);
        let second = (!stop.is_empty() && self.eat(stop)).then(|| self.operand(quoted, b""));
        Some(ParameterOp { kind, op_range, word, second })
    }

    /// A word inside braces or brackets: up to `}`, to a byte of `stop` or to the end. Blanks and operators belong to it.
    pub(super) fn operand(&mut self, single_quotes_are_text: bool, stop: &[u8]) -> Word<'s> {
        let start = self.pos;
        let mut parts = Parts::default();
        let mut literal = start;
        let in_index = stop == b"]";
        let mut brackets = 0_usize;
        loop {
            let at = self.pos;
            let byte = self.byte();
            if self.at_end() || (byte == b'}' && !in_index) || (stop.contains(&byte) && brackets == 0) {
                break;
            }
            let part = match byte {
                b'\\' => {
                    self.push_literal(literal, at, &mut parts);
                    let character = self.slice_of(at + 1..self.end).chars().next().map_or(0, char::len_utf8);
                    self.pos = at + 1 + character;
                    let value =
                        if self.byte_at(at + 1) == b'\n' { Default::default() } else { self.value(at + 1, self.pos) };
                    Some(WordPart::Literal(Literal { value, range: self.range(at, self.pos) }))
                }
                b'\'' if !single_quotes_are_text => {
                    self.push_literal(literal, at, &mut parts);
                    Some(WordPart::Single(self.single()))
                }
                b'"' => {
                    self.push_literal(literal, at, &mut parts);
                    Some(WordPart::Double(self.double(at)))
                }
                b'`' => {
                    self.push_literal(literal, at, &mut parts);
                    Some(self.backquotes(single_quotes_are_text))
                }
                b'$' if self.dollar_begins(if single_quotes_are_text { Context::Double } else { Context::Text }) => {
                    self.push_literal(literal, at, &mut parts);
                    Some(self.dollar(single_quotes_are_text))
                }
                b'[' if in_index => {
                    brackets += 1;
                    None
                }
                b']' if in_index => {
                    brackets = brackets.saturating_sub(1);
                    None
                }
                _ => None,
            };
            match part {
                Some(part) => {
                    parts.push(part);
                    literal = self.pos;
                }
                None => self.pos += 1,
            }
        }
        self.push_literal(literal, self.pos, &mut parts);
        let text = self.slice(start, self.pos);
        Word { raw: text.value, parts, range: text.range }
    }

    fn push_literal(&mut self, from: usize, to: usize, parts: &mut Parts<'s>) {
        if from < to {
            let text = self.slice(from, to);
            parts.push(WordPart::Literal(Literal { value: text.value, range: text.range }));
        }
    }
}
