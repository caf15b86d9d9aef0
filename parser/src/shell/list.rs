//! Lists, and-or lists and pipelines.

use super::reader::{Class, Closers, Reader, class};
use super::tree::*;
use crate::text::TextRange;

/// A reserved word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    If,
    While,
    Until,
    For,
    Select,
    Case,
    Function,
    Brace,
    Test,
    Coproc,
    Time,
    Bang,
    Close(Closers),
}

impl<'s> Reader<'_, 's> {
    /// The reserved word that stands here.
    pub(super) fn keyword(&self) -> Option<Keyword> {
        if !matches!(self.byte(), b'!' | b'[' | b'{' | b'}' | b'c'..=b'w') {
            return None;
        }
        Some(match self.bare_word() {
            "if" => Keyword::If,
            "while" => Keyword::While,
            "until" => Keyword::Until,
            "for" => Keyword::For,
            "select" => Keyword::Select,
            "case" => Keyword::Case,
            "function" => Keyword::Function,
            "{" => Keyword::Brace,
            "[[" => Keyword::Test,
            "coproc" => Keyword::Coproc,
            "time" => Keyword::Time,
            "!" => Keyword::Bang,
            "then" => Keyword::Close(Closers::THEN),
            "else" => Keyword::Close(Closers::ELSE),
            "elif" => Keyword::Close(Closers::ELIF),
            "fi" => Keyword::Close(Closers::FI),
            "do" => Keyword::Close(Closers::DO),
            "done" => Keyword::Close(Closers::DONE),
            "esac" => Keyword::Close(Closers::ESAC),
            "}" => Keyword::Close(Closers::BRACE),
            _ => return None,
        })
    }

    /// What closes something here, and how long it is.
    pub(super) fn closer(&self) -> Option<(Closers, usize)> {
        match self.byte() {
            b')' => Some((Closers::PAREN, 1)),
            b';' => match (self.byte_at(self.pos + 1), self.byte_at(self.pos + 2)) {
                (b';', b'&') => Some((Closers::ARM, 3)),
                (b';' | b'&', _) => Some((Closers::ARM, 2)),
                _ => None,
            },
            _ => match self.keyword() {
                Some(Keyword::Close(closer)) => Some((closer, self.bare_word().len())),
                _ => None,
            },
        }
    }

    /// Commands up to one of `closers`, to something that closes what is around, or to the end.
    pub(super) fn list(&mut self, closers: Closers) -> List<'s> {
        let outer = self.open;
        self.open = outer.or(closers);
        let mut items = Vec::new();
        self.skip_lines();
        let start = self.pos;
        let mut end = start;
        while !self.at_end() {
            if let Some((closer, len)) = self.closer() {
                if self.open.has(closer) {
                    break;
                }
                let at = self.pos;
                let word = self.slice_of(at..at + len);
                self.note(NoteKind::Unexpected, at, at + len, format!("`{word}` closes nothing here"));
                self.pos += len;
                let opaque = self.opaque(at);
                items.push(self.item_of(opaque));
            } else if matches!(self.byte(), b';' | b'&' | b'|') && !self.starts_with(b"&>") {
                let at = self.pos;
                while matches!(self.byte(), b';' | b'&' | b'|') {
                    self.pos += 1;
                }
                let operator = self.slice_of(at..self.pos);
                self.note(NoteKind::Unexpected, at, self.pos, format!("a command is missing before `{operator}`"));
                let range = self.range(at, self.pos);
                items.push(self.item_of(Opaque { words: Vec::new(), range }));
                end = self.pos;
                self.skip_lines();
                continue;
            } else {
                let list = self.and_or();
                items.push(Item { list, separator: Separator::End, separator_range: Default::default() });
            }
            self.separator(items.last_mut());
            end = self.pos;
            self.skip_lines();
        }
        self.open = outer;
        let range = self.range(start, end);
        List { items, range }
    }

    /// A list that is missing here.
    pub(super) fn no_list(&mut self) -> List<'s> {
        List { items: Vec::new(), range: self.range(self.pos, self.pos) }
    }

    /// A word that is missing here.
    pub(super) fn no_word(&mut self) -> Word<'s> {
        Word { range: self.range(self.pos, self.pos), ..Word::default() }
    }

    fn item_of(&mut self, opaque: Opaque<'s>) -> Item<'s> {
        let range = opaque.range;
        let commands = vec![Command::Opaque(opaque)];
        let first = Pipeline { negated: None, timed: None, commands, pipes: Vec::new(), range };
        let list = AndOr { first, rest: Vec::new(), range };
        Item { list, separator: Separator::End, separator_range: TextRange::at(range.end as usize) }
    }

    /// What ends an item.
    fn separator(&mut self, item: Option<&mut Item<'s>>) {
        let Some(item) = item else { return };
        let at = self.pos;
        self.skip_blanks();
        let start = self.pos;
        item.separator = match self.byte() {
            b'\n' => Separator::Newline,
            b';' if self.closer().is_none() => Separator::Semicolon,
            b'&' if self.byte_at(start + 1) != b'&' => Separator::Background,
            _ => Separator::End,
        };
        match item.separator {
            Separator::End => {
                self.pos = at;
                item.separator_range = self.range(at, at);
                self.skip_blanks();
                if !self.at_end() && self.closer().is_none() && !matches!(self.byte(), b';' | b'&' | b'|') {
                    // Behind a compound command only an operator, a line end or something that closes can stand.
                    let word = self.bare_word().to_owned();
                    self.note(
                        NoteKind::Unexpected,
                        self.pos,
                        self.pos + word.len(),
                        "an operator is missing before this",
                    );
                }
            }
            Separator::Newline => {
                item.separator_range = self.range(start, start + 1);
                self.newline();
            }
            Separator::Semicolon | Separator::Background => {
                item.separator_range = self.range(start, start + 1);
                self.pos += 1;
            }
        }
    }

    fn and_or(&mut self) -> AndOr<'s> {
        let start = self.pos;
        let first = self.pipeline();
        let mut rest = Vec::new();
        let mut end = self.pos;
        loop {
            self.skip_blanks();
            let at = self.pos;
            let op = if self.eat(b"&&") {
                AndOrOp::And
            } else if self.eat(b"||") {
                AndOrOp::Or
            } else {
                self.pos = end;
                break;
            };
            let op_range = self.range(at, self.pos);
            if !self.command_follows(at) {
                end = self.pos;
                break;
            }
            let pipeline = self.pipeline();
            rest.push(Link { op, op_range, pipeline });
            end = self.pos;
        }
        let range = self.range(start, end);
        AndOr { first, rest, range }
    }

    /// Behind an operator: skips to the next command, or says that none follows.
    fn command_follows(&mut self, operator: usize) -> bool {
        let behind = self.pos;
        self.skip_lines();
        let missing = self.at_end()
            || self.closer().is_some()
            || (matches!(self.byte(), b';' | b'&' | b'|') && !self.starts_with(b"&>"));
        if missing {
            let written = self.slice_of(operator..behind);
            self.note(NoteKind::Missing, operator, behind, format!("a command is missing after `{written}`"));
        }
        !missing
    }

    fn pipeline(&mut self) -> Pipeline<'s> {
        let start = self.pos;
        let mut negated = None;
        let mut timed = None;
        loop {
            let at = self.pos;
            match self.keyword() {
                Some(Keyword::Bang) => self.pos += 1,
                Some(Keyword::Time) if self.times_a_compound() => {
                    self.pos += 4;
                    timed = Some(self.range(at, self.pos));
                    self.skip_blanks();
                    if self.bare_word() == "-p" {
                        self.pos += 2;
                    }
                    self.skip_blanks();
                    continue;
                }
                _ => break,
            }
            negated = Some(self.range(at, self.pos));
            self.skip_blanks();
        }
        let mut commands = vec![self.command()];
        let mut pipes = Vec::new();
        let mut end = self.pos;
        loop {
            self.skip_blanks();
            if self.byte() != b'|' || self.byte_at(self.pos + 1) == b'|' {
                self.pos = end;
                break;
            }
            let at = self.pos;
            let stderr = self.byte_at(at + 1) == b'&';
            self.pos += if stderr { 2 } else { 1 };
            let range = self.range(at, self.pos);
            if !self.command_follows(at) {
                end = self.pos;
                break;
            }
            pipes.push(Pipe { stderr, range });
            commands.push(self.command());
            end = self.pos;
        }
        let range = self.range(start, end);
        Pipeline { negated, timed, commands, pipes, range }
    }

    /// Whether the `time` that stands here is bash's reserved word: it measures a compound command, a negated one or nothing.
    fn times_a_compound(&mut self) -> bool {
        let start = self.pos;
        self.pos += 4;
        let blanks = |reader: &mut Self| {
            while matches!(reader.byte(), b' ' | b'\t') {
                reader.pos += 1;
            }
        };
        blanks(self);
        if self.bare_word() == "-p" {
            self.pos += 2;
            blanks(self);
        }
        let compound = match self.keyword() {
            Some(Keyword::Close(_) | Keyword::Coproc | Keyword::Function) | None => {
                self.byte() == b'(' || self.at_end() || matches!(self.byte(), b'\n' | b';')
            }
            Some(_) => true,
        };
        self.pos = start;
        compound
    }

    pub(super) fn command(&mut self) -> Command<'s> {
        self.skip_blanks();
        let keyword = match self.byte() {
            b'(' => return self.parenthesis(),
            byte if class(byte) == Class::Meta => None,
            _ => self.keyword(),
        };
        match keyword {
            None | Some(Keyword::Time) => self.simple(),
            Some(Keyword::Close(_) | Keyword::Bang) => {
                let start = self.pos;
                let word = self.bare_word();
                self.note(NoteKind::Unexpected, start, start + word.len(), format!("`{word}` cannot stand here"));
                self.pos += word.len();
                Command::Opaque(self.opaque(start))
            }
            Some(Keyword::Function) => self.function_keyword(),
            Some(keyword) => self.compound(keyword),
        }
    }

    /// What is left of a command nobody understands: its words up to the next operator that ends a command.
    pub(super) fn opaque(&mut self, start: usize) -> Opaque<'s> {
        let mut words = Vec::new();
        let mut end = self.pos;
        let mut parentheses = 0_usize;
        loop {
            self.skip_blanks();
            let at = self.pos;
            match self.byte() {
                _ if self.at_end() => break,
                b'\n' => break,
                b';' | b'|' if parentheses == 0 => break,
                b'&' if parentheses == 0 && self.byte_at(at + 1) != b'>' => break,
                b')' if parentheses == 0 && self.open.has(Closers::PAREN) => break,
                b'(' | b')' | b'<' | b'>' | b'&' | b';' | b'|' => {
                    match self.byte() {
                        b'(' => parentheses += 1,
                        b')' => parentheses = parentheses.saturating_sub(1),
                        _ => {}
                    }
                    self.pos += 1;
                }
                _ => words.push(self.word()),
            }
            self.pos = self.pos.max(at + 1);
            end = self.pos;
        }
        self.pos = end;
        let range = self.range(start, end);
        Opaque { words, range }
    }
}
