//! Simple commands: assignments, words and redirections. Functions begin like them.

use super::reader::{Class, Reader, class};
use super::tree::*;
use crate::text::{Text, TextRange};

impl<'s> Reader<'_, 's> {
    /// A simple command, or a function definition that begins with its name.
    pub(super) fn simple(&mut self) -> Command<'s> {
        let start = self.pos;
        let mut simple = Simple { words: Vec::with_capacity(4), ..Simple::default() };
        let mut end = start;
        loop {
            self.skip_blanks();
            let at = self.pos;
            match self.byte() {
                b'\n' | b';' | b'|' | b')' => break,
                b'&' if !self.starts_with(b"&>") => break,
                b'<' | b'>' if self.byte_at(at + 1) == b'(' => simple.words.push(self.word()),
                b'<' | b'>' | b'&' => {
                    let redirect = self.redirect(at);
                    simple.redirects.push(redirect);
                }
                b'(' => {
                    if let Some(name) = self.function_name(&simple) {
                        return self.function(start, name, None);
                    }
                    self.note(NoteKind::Unexpected, at, at + 1, "`(` cannot stand here unquoted");
                    return self.unexpected(start, simple);
                }
                b'0'..=b'9' | b'{' if self.descriptor().is_some() => {
                    let redirect = self.redirect(at);
                    simple.redirects.push(redirect);
                }
                b'A'..=b'Z' | b'a'..=b'z' | b'_' if simple.words.is_empty() => match self.assignment() {
                    Some(assignment) => simple.assignments.push(assignment),
                    None => simple.words.push(self.word()),
                },
                0 if self.at_end() => break,
                _ => {
                    let word = self.argument(&simple.words);
                    simple.words.push(word);
                }
            }
            if self.pos == at {
                break;
            }
            end = self.pos;
        }
        self.pos = end;
        simple.range = self.range(start, end);
        Command::Simple(simple)
    }

    /// What began as a simple command goes on as something else.
    fn unexpected(&mut self, start: usize, simple: Simple<'s>) -> Command<'s> {
        let rest = self.opaque(start);
        let mut words = simple.words;
        words.extend(rest.words);
        Command::Opaque(Opaque { words, range: rest.range })
    }

    /// A word behind others; of `declare` and its like it may be an array.
    fn argument(&mut self, words: &[Word<'s>]) -> Word<'s> {
        let declares = words.first().is_some_and(|word| {
            matches!(&*word.raw, "declare" | "typeset" | "local" | "export" | "readonly" | "eval" | "alias" | "let")
        });
        if !declares {
            return self.word();
        }
        let start = self.pos;
        let mut word = self.word();
        if self.byte() == b'(' && word.raw.ends_with('=') {
            let open = self.pos;
            let words = self.array();
            let range = self.range(open, self.pos);
            word.parts.push(WordPart::Array(Box::new(Array { words, range })));
            word.raw = self.value(start, self.pos);
            word.range = self.range(start, self.pos);
        }
        word
    }

    /// `NAME=`, `NAME+=`, `NAME[index]=` and what follows; nothing when a word stands here.
    fn assignment(&mut self) -> Option<Assignment<'s>> {
        let start = self.pos;
        let mut at = start;
        while matches!(self.byte_at(at), b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'0'..=b'9') {
            at += 1;
        }
        let name_end = at;
        let mut index = None;
        if self.byte_at(at) == b'[' {
            let close = self.bracket_close(at)?;
            index = Some((at + 1, close));
            at = close + 1;
        }
        let append = self.byte_at(at) == b'+';
        at += usize::from(append);
        if self.byte_at(at) != b'=' {
            return None;
        }
        let name = self.slice(start, name_end);
        let index = index.map(|(from, to)| {
            self.pos = from;
            Box::new(self.within(to, |reader| reader.operand(false, b"")))
        });
        self.pos = at + 1;
        let value =
            if self.byte() == b'(' { AssignedValue::Array(self.array()) } else { AssignedValue::Word(self.word()) };
        let range = self.range(start, self.pos);
        Some(Assignment { name, index, append, value, range })
    }

    /// Where the bracket that opens at `open` closes, if `=` or `+=` follows it; looked for not very far.
    fn bracket_close(&self, open: usize) -> Option<usize> {
        let limit = self.end.min(open + 256);
        let mut depth = 0_usize;
        let mut at = open;
        while at < limit {
            match self.byte_at(at) {
                b'[' => depth += 1,
                b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        let behind = self.byte_at(at + 1);
                        let assigns = behind == b'=' || (behind == b'+' && self.byte_at(at + 2) == b'=');
                        return assigns.then_some(at);
                    }
                }
                b'\\' => at += 1,
                b'\n' | b';' => return None,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// `( word … )` behind an assignment's `=`.
    fn array(&mut self) -> Vec<Word<'s>> {
        let open = self.pos;
        self.pos += 1;
        let read = self.deeper(open, |reader| {
            let mut words = Vec::new();
            loop {
                reader.skip_lines();
                match reader.byte() {
                    b')' => {
                        reader.pos += 1;
                        break;
                    }
                    b'<' | b'>' if reader.byte_at(reader.pos + 1) == b'(' => words.push(reader.word()),
                    byte if reader.at_end() || class(byte) == Class::Meta => {
                        reader.note(NoteKind::Unclosed, open, reader.pos, "this array is never closed with `)`");
                        break;
                    }
                    _ => {
                        let at = reader.pos;
                        words.push(reader.word());
                        reader.pos = reader.pos.max(at + 1);
                    }
                }
            }
            words
        });
        read.unwrap_or_default()
    }

    /// The descriptor in front of a redirection that stands here: where it ends.
    fn descriptor(&self) -> Option<usize> {
        let mut at = self.pos;
        if self.byte() == b'{' {
            at += 1;
            while matches!(self.byte_at(at), b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'0'..=b'9') {
                at += 1;
            }
            if at == self.pos + 1 || self.byte_at(at) != b'}' {
                return None;
            }
            at += 1;
        } else {
            while self.byte_at(at).is_ascii_digit() {
                at += 1;
            }
        }
        (at > self.pos && matches!(self.byte_at(at), b'<' | b'>') && self.byte_at(at + 1) != b'(').then_some(at)
    }

    /// Redirections behind a compound command.
    pub(super) fn redirects(&mut self) -> Vec<Redirect<'s>> {
        let mut redirects = Vec::new();
        loop {
            let before = self.pos;
            self.skip_blanks();
            let at = self.pos;
            let is_redirect = match self.byte() {
                b'<' | b'>' => self.byte_at(at + 1) != b'(',
                b'&' => self.byte_at(at + 1) == b'>',
                b'0'..=b'9' | b'{' => self.descriptor().is_some(),
                _ => false,
            };
            if !is_redirect {
                self.pos = before;
                return redirects;
            }
            let redirect = self.redirect(at);
            redirects.push(redirect);
        }
    }

    fn redirect(&mut self, start: usize) -> Redirect<'s> {
        let fd = self.descriptor().map(|end| {
            self.pos = end;
            self.slice(start, end)
        });
        let at = self.pos;
        const OPERATORS: [(&[u8], RedirectOp); 12] = [
            (b"<<<", RedirectOp::HereString),
            (b"<<-", RedirectOp::HereDocStrip),
            (b"<<", RedirectOp::HereDoc),
            (b"<&", RedirectOp::DuplicateInput),
            (b"<>", RedirectOp::ReadWrite),
            (b"<", RedirectOp::Input),
            (b">>", RedirectOp::Append),
            (b">&", RedirectOp::DuplicateOutput),
            (b">|", RedirectOp::Clobber),
            (b">", RedirectOp::Output),
            (b"&>>", RedirectOp::AppendBoth),
            (b"&>", RedirectOp::OutputBoth),
        ];
        let mut op = RedirectOp::Output;
        for (written, candidate) in OPERATORS {
            if self.eat(written) {
                op = candidate;
                break;
            }
        }
        let behind = self.pos;
        let op_range = self.range(at, behind);
        self.skip_blanks();
        let process = matches!(self.byte(), b'<' | b'>') && self.byte_at(self.pos + 1) == b'(';
        let target = if !process && (self.at_end() || class(self.byte()) == Class::Meta) {
            let operator = self.slice_of(at..behind);
            self.note(NoteKind::Missing, at, behind, format!("a word is missing after `{operator}`"));
            self.pos = behind;
            self.no_word()
        } else {
            self.word()
        };
        let end = self.pos;
        let heredoc = match op {
            RedirectOp::HereDoc | RedirectOp::HereDocStrip => self.heredoc(&target, op == RedirectOp::HereDocStrip, at),
            _ => None,
        };
        let range = self.range(start, end);
        Redirect { fd, op, op_range, target, heredoc, range }
    }

    /// At `(`: the name of the function defined here, if one is.
    fn function_name(&mut self, simple: &Simple<'s>) -> Option<Text<'s>> {
        let ([word], [], []) = (simple.words.as_slice(), simple.assignments.as_slice(), simple.redirects.as_slice())
        else {
            return None;
        };
        let mut at = self.pos + 1;
        while matches!(self.byte_at(at), b' ' | b'\t') {
            at += 1;
        }
        let plain = matches!(word.parts.as_slice(), [WordPart::Literal(_)]) || word.parts.iter().all(is_plain);
        if self.byte_at(at) != b')' || !plain {
            return None;
        }
        self.pos = at + 1;
        Some(Text { value: word.raw.clone(), range: word.range })
    }

    /// `function name [()]` and its body.
    pub(super) fn function_keyword(&mut self) -> Command<'s> {
        let start = self.pos;
        self.pos += "function".len();
        let keyword = self.range(start, self.pos);
        self.skip_blanks();
        let word = self.word();
        if word.raw.is_empty() {
            self.note(NoteKind::Missing, start, start + "function".len(), "a name is missing after `function`");
            return Command::Opaque(self.opaque(start));
        }
        let end = self.pos;
        self.skip_blanks();
        if self.byte() == b'(' {
            let open = self.pos;
            self.pos += 1;
            self.skip_blanks();
            if !self.eat(b")") {
                // `function name (commands)`: the parenthesis belongs to the body.
                self.pos = open;
            }
        } else {
            self.pos = end;
        }
        self.function(start, Text { value: word.raw, range: word.range }, Some(keyword))
    }

    fn function(&mut self, start: usize, name: Text<'s>, keyword: Option<TextRange>) -> Command<'s> {
        let end = self.pos;
        self.skip_lines();
        let missing = self.at_end() || self.closer().is_some() || matches!(self.byte(), b';' | b'&' | b'|');
        if missing {
            self.note(NoteKind::Missing, start, end, format!("the body of the function `{}` is missing", &*name.value));
            self.pos = end;
            let range = self.range(start, end);
            return Command::Opaque(Opaque { words: Vec::new(), range });
        }
        let Some(body) = self.deeper(start, Self::command) else {
            return Command::Opaque(self.opaque(start));
        };
        let range = self.range(start, self.pos);
        Command::Function(Box::new(Function { name, keyword, body, range }))
    }
}

fn is_plain(part: &WordPart<'_>) -> bool {
    matches!(part, WordPart::Literal(_) | WordPart::Glob(_))
}
