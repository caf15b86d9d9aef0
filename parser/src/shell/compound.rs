//! Compound commands.

use super::Parts;
use super::list::Keyword;
use super::reader::{Class, Closers, Reader, class};
use super::tree::*;
use crate::text::{Text, TextRange};

impl<'s> Reader<'_, 's> {
    /// The compound command that `keyword` begins.
    pub(super) fn compound(&mut self, keyword: Keyword) -> Command<'s> {
        let start = self.pos;
        let kind = self.deeper(start, |reader| match keyword {
            Keyword::If => reader.if_command(start),
            Keyword::While | Keyword::Until => reader.while_command(start, keyword == Keyword::Until),
            Keyword::For | Keyword::Select => reader.for_command(start, keyword == Keyword::Select),
            Keyword::Case => reader.case_command(start),
            Keyword::Test => reader.test_command(start),
            Keyword::Coproc => reader.coproc_command(),
            _ => {
                reader.pos += 1;
                let list = reader.closed_list(start, Closers::BRACE, "}", "`{`");
                CompoundKind::Brace(list)
            }
        });
        self.finish(start, kind)
    }

    /// `( … )` and `(( … ))`
    pub(super) fn parenthesis(&mut self) -> Command<'s> {
        let start = self.pos;
        let kind = self.deeper(start, |reader| {
            if reader.byte_at(start + 1) == b'('
                && let Some(close) = reader.arithmetic_end(start + 2)
            {
                return CompoundKind::Arithmetic(reader.arithmetic(start, start + 2, close, 2));
            }
            reader.pos += 1;
            CompoundKind::Subshell(reader.closed_list(start, Closers::PAREN, ")", "`(`"))
        });
        self.finish(start, kind)
    }

    fn finish(&mut self, start: usize, kind: Option<CompoundKind<'s>>) -> Command<'s> {
        let Some(kind) = kind else {
            self.pos += 1;
            return Command::Opaque(self.opaque(start));
        };
        let redirects = self.redirects();
        let range = self.range(start, self.pos);
        Command::Compound(Box::new(Compound { kind, redirects, range }))
    }

    /// A list up to what closes it, which is taken; or a note that it is missing.
    pub(super) fn closed_list(&mut self, start: usize, closer: Closers, word: &str, opened: &str) -> List<'s> {
        let list = self.list(closer);
        self.close(start, closer, word, opened);
        list
    }

    fn close(&mut self, start: usize, closer: Closers, word: &str, opened: &str) -> bool {
        match self.closer() {
            Some((found, len)) if found == closer => {
                self.pos += len;
                true
            }
            _ => {
                self.note(NoteKind::Unclosed, start, self.pos, format!("{opened} is never closed with `{word}`"));
                false
            }
        }
    }

    fn if_command(&mut self, start: usize) -> CompoundKind<'s> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        self.pos += "if".len();
        let ends = Closers::ELIF.or(Closers::ELSE).or(Closers::FI);
        loop {
            let condition = self.list(Closers::THEN.or(ends));
            let then = matches!(self.closer(), Some((Closers::THEN, _)));
            if then {
                self.pos += "then".len();
            } else {
                self.note(NoteKind::Missing, start, self.pos, "`then` is missing after this condition");
            }
            let body = if then { self.list(ends) } else { self.no_list() };
            branches.push(Branch { condition, body });
            match self.closer() {
                Some((Closers::ELIF, len)) => self.pos += len,
                Some((Closers::ELSE, len)) => {
                    self.pos += len;
                    otherwise = Some(self.list(Closers::FI));
                    break;
                }
                _ => break,
            }
        }
        self.close(start, Closers::FI, "fi", "`if`");
        CompoundKind::If { branches, otherwise }
    }

    fn while_command(&mut self, start: usize, until: bool) -> CompoundKind<'s> {
        self.pos += "while".len();
        let condition = self.list(Closers::DO.or(Closers::DONE));
        let body = self.do_list(start);
        CompoundKind::While { until, condition, body }
    }

    /// `do … done`, or bash's `{ … }` in its place.
    fn do_list(&mut self, start: usize) -> List<'s> {
        self.skip_lines();
        if self.keyword() == Some(Keyword::Brace) {
            self.pos += 1;
            return self.closed_list(start, Closers::BRACE, "}", "this loop");
        }
        match self.closer() {
            Some((Closers::DO, len)) => self.pos += len,
            _ => self.note(NoteKind::Missing, start, self.pos, "`do` is missing in this loop"),
        }
        self.closed_list(start, Closers::DONE, "done", "this loop")
    }

    fn for_command(&mut self, start: usize, select: bool) -> CompoundKind<'s> {
        self.pos += if select { "select".len() } else { "for".len() };
        self.skip_blanks();
        if !select
            && self.starts_with(b"((")
            && let Some(close) = self.arithmetic_end(self.pos + 2)
        {
            let open = self.pos;
            let header = self.arithmetic(open, open + 2, close, 2);
            self.skip_blanks();
            if self.byte() == b';' {
                self.pos += 1;
            }
            let body = self.do_list(start);
            return CompoundKind::ArithmeticFor { header, body };
        }
        let name = if self.ends_word(self.pos) {
            self.note(NoteKind::Missing, start, self.pos, "the variable of this loop is missing");
            Text { value: Default::default(), range: self.range(self.pos, self.pos) }
        } else {
            let word = self.word();
            Text { value: word.raw, range: word.range }
        };
        self.skip_lines();
        let mut words = None;
        if self.bare_word() == "in" {
            self.pos += "in".len();
            words = Some(self.loop_words());
        }
        self.skip_blanks();
        if self.byte() == b';' && self.closer().is_none() {
            self.pos += 1;
        }
        let body = self.do_list(start);
        CompoundKind::For { select, name, words, body }
    }

    fn loop_words(&mut self) -> Vec<Word<'s>> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            let process = matches!(self.byte(), b'<' | b'>') && self.byte_at(self.pos + 1) == b'(';
            if !process && (self.at_end() || class(self.byte()) == Class::Meta) {
                return words;
            }
            let at = self.pos;
            words.push(self.word());
            self.pos = self.pos.max(at + 1);
        }
    }

    fn case_command(&mut self, start: usize) -> CompoundKind<'s> {
        self.pos += "case".len();
        self.skip_blanks();
        let word = if self.ends_word(self.pos) { self.no_word() } else { self.word() };
        self.skip_lines();
        let mut arms = Vec::new();
        if self.bare_word() == "in" {
            self.pos += "in".len();
        } else {
            self.note(NoteKind::Missing, start, self.pos, "`in` is missing in this `case`");
            return CompoundKind::Case { word, arms };
        }
        loop {
            self.skip_lines();
            if self.bare_word() == "esac" {
                self.pos += "esac".len();
                break;
            }
            let Some(arm) = self.arm() else {
                self.note(NoteKind::Unclosed, start, self.pos, "`case` is never closed with `esac`");
                break;
            };
            arms.push(arm);
        }
        CompoundKind::Case { word, arms }
    }

    fn arm(&mut self) -> Option<Arm<'s>> {
        let start = self.pos;
        self.eat(b"(");
        let mut patterns = Vec::new();
        loop {
            self.skip_blanks();
            if self.at_end() || self.ends_word(self.pos) {
                return None;
            }
            patterns.push(self.word());
            self.skip_blanks();
            if self.eat(b")") {
                break;
            }
            if !self.eat(b"|") {
                return None;
            }
        }
        let body = self.list(Closers::ESAC.or(Closers::ARM));
        let end = match self.closer() {
            Some((Closers::ARM, len)) => {
                let end = match (len, self.byte_at(self.pos + 1)) {
                    (3, _) => ArmEnd::Continue,
                    (_, b'&') => ArmEnd::FallThrough,
                    _ => ArmEnd::Break,
                };
                self.pos += len;
                end
            }
            _ => ArmEnd::Break,
        };
        let range = self.range(start, self.pos);
        Some(Arm { patterns, body, end, range })
    }

    /// `[[ … ]]`
    fn test_command(&mut self, start: usize) -> CompoundKind<'s> {
        self.pos += "[[".len();
        let mut words: Vec<Word<'s>> = Vec::new();
        loop {
            self.skip_lines();
            let at = self.pos;
            if self.at_end() || (self.byte() == b';' && !words.is_empty()) {
                self.note(NoteKind::Unclosed, start, at, "`[[` is never closed with `]]`");
                break;
            }
            if self.bare_word() == "]]" {
                self.pos += 2;
                break;
            }
            if words.last().is_some_and(|word| word.raw == "=~") {
                let word = self.regular_expression();
                words.push(word);
            } else if class(self.byte()) == Class::Meta {
                self.pos += if self.starts_with(b"&&") || self.starts_with(b"||") { 2 } else { 1 };
                let word = self.operator_word(at);
                words.push(word);
            } else {
                words.push(self.word());
            }
            self.pos = self.pos.max(at + 1);
        }
        CompoundKind::Test(words)
    }

    /// From `start` up to here as one literal word.
    fn operator_word(&mut self, start: usize) -> Word<'s> {
        let text = self.slice(start, self.pos);
        let range: TextRange = text.range;
        let parts = WordPart::Literal(Literal { value: text.value.clone(), range }).into();
        Word { raw: text.value, parts, range }
    }

    /// What stands behind `=~`: parentheses and bars belong to it.
    fn regular_expression(&mut self) -> Word<'s> {
        let start = self.pos;
        let mut parts = Parts::default();
        let mut depth = 0_usize;
        loop {
            let at = self.pos;
            match self.byte() {
                _ if self.at_end() => break,
                b'(' => depth += 1,
                b')' if depth == 0 => break,
                b')' => depth -= 1,
                b'|' | b'<' | b'>' => {}
                b'&' | b';' | b' ' | b'\t' if depth > 0 => {}
                byte if class(byte) == Class::Meta => break,
                _ => {
                    self.word_parts(&mut parts);
                    self.pos = self.pos.max(at + 1);
                    continue;
                }
            }
            self.pos += 1;
            let text = self.slice(at, self.pos);
            parts.push(WordPart::Literal(Literal { value: text.value, range: text.range }));
        }
        Word { raw: self.value(start, self.pos), parts, range: self.range(start, self.pos) }
    }

    /// `coproc [NAME] command`
    fn coproc_command(&mut self) -> CompoundKind<'s> {
        self.pos += "coproc".len();
        self.skip_blanks();
        // A name is only a name in front of a compound command.
        let start = self.pos;
        if self.keyword().is_none() && !self.ends_word(start) {
            let _ = self.word();
            self.skip_blanks();
            let compound = matches!(self.keyword(), Some(Keyword::Brace | Keyword::If | Keyword::While | Keyword::For));
            if !compound && self.byte() != b'(' {
                self.pos = start;
            }
        }
        CompoundKind::Coproc(Box::new(self.command()))
    }
}
