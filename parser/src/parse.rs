//! Lines, continuations, comments, directives and heredocs, walked by hand; each instruction is handed to the grammar.

use crate::check::{self, Notes};
use crate::directive::{Directives, Line as DirectiveLine};
use crate::grammar::{self, Keyword, Reader};
use crate::heredoc;
use crate::logical::Logical;
use crate::syntax::{Dockerfile, ErrorStage, Heredoc, Instruction, Kind, SyntaxError};
use crate::text::{Text, TextRange};
use std::borrow::Cow;

/// BuildKit reads no line longer than this, its end not counted.
pub const MAX_LINE: usize = 65_535;

/// Reads a Dockerfile. Never fails: what is wrong stands in [`Dockerfile::errors`], and reading goes on after it.
#[must_use]
pub fn parse(text: &str) -> Dockerfile<'_> {
    let mut walk = Walk::new(text, Some(Notes::default()));
    walk.run();
    walk.finish()
}

/// The tree of a Dockerfile alone: as [`parse`], but errors of the stage [`ErrorStage::Build`] are not looked for.
#[must_use]
pub fn parse_tree(text: &str) -> Dockerfile<'_> {
    let mut walk = Walk::new(text, None);
    walk.run();
    walk.finish()
}

struct Walk<'s> {
    text: &'s str,
    /// Where the next physical line begins.
    at: usize,
    escape: u8,
    file: Dockerfile<'s>,
    /// The pieces of the instruction being read.
    pieces: Vec<(usize, usize)>,
    /// The comments before this index are above or inside an earlier instruction.
    comments_seen: usize,
    /// Index of the first comment of the block that ends on the line before.
    block: usize,
    /// The first line that is longer than BuildKit reads.
    longest: Option<TextRange>,
    /// What the checks of stages and values will look at; none where they are not wanted.
    notes: Option<Notes>,
}

/// A physical line without its end.
#[derive(Clone, Copy)]
struct Physical {
    start: usize,
    end: usize,
}

impl<'s> Walk<'s> {
    fn new(text: &'s str, notes: Option<Notes>) -> Self {
        let file = Dockerfile {
            text,
            directives: Vec::new(),
            escape: '\\',
            instructions: Vec::with_capacity(text.len() / 72 + 4),
            comments: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        let (at, escape, pieces) = (0, b'\\', Vec::new());
        Self { text, at, escape, file, pieces, comments_seen: 0, block: 0, longest: None, notes }
    }

    /// Takes the next physical line.
    #[inline]
    fn line(&mut self) -> Option<Physical> {
        let rest = self.text.as_bytes().get(self.at..).filter(|rest| !rest.is_empty())?;
        let start = self.at;
        let (len, next) = match newline(rest) {
            Some(len) => (len, len + 1),
            None => (rest.len(), rest.len()),
        };
        self.at = start + next;
        if len > MAX_LINE && self.longest.is_none() {
            self.longest = Some(TextRange::new(start, start + len));
        }
        let mut line = rest.get(..len).unwrap_or_default();
        while let Some((b'\r', before)) = line.split_last() {
            line = before;
        }
        Some(Physical { start, end: start + line.len() })
    }

    #[inline]
    fn bytes(&self, line: Physical) -> &'s [u8] {
        self.text.as_bytes().get(line.start..line.end).unwrap_or_default()
    }

    #[inline]
    fn slice(&self, start: usize, end: usize) -> &'s str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Where the text of a line begins, white space before it left out, and its first byte.
    #[inline]
    fn first(&self, line: Physical) -> (usize, Option<u8>) {
        let bytes = self.bytes(line);
        let Some(blanks) = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')) else { return (line.end, None) };
        match bytes.get(blanks) {
            Some(byte @ b'!'..=b'~') => (line.start + blanks, Some(*byte)),
            _ => {
                let at = line.end - self.slice(line.start, line.end).trim_start().len();
                (at, self.text.as_bytes().get(at).copied().filter(|_| at < line.end))
            }
        }
    }

    /// The end of a line's text before its continuation character, where it has one. Two escape characters are none.
    #[inline]
    fn continued(&self, line: Physical) -> Option<usize> {
        let mut text = self.bytes(line);
        while let Some((b' ' | b'\t', before)) = text.split_last() {
            text = before;
        }
        let (last, before) = text.split_last()?;
        (*last == self.escape && before.last() != Some(&self.escape)).then(|| line.start + before.len())
    }

    fn run(&mut self) {
        let mut directives = Directives::new("#");
        let mut first_line = true;
        while let Some(mut line) = self.line() {
            if std::mem::take(&mut first_line) && self.slice(line.start, line.end).starts_with('\u{feff}') {
                line.start += '\u{feff}'.len_utf8();
            }
            let (start, first) = self.first(line);
            if first == Some(b'#') {
                if !self.directive(&mut directives, start, line) {
                    self.comment(start, line.end);
                }
                continue;
            }
            directives.end();
            if first.is_none() {
                self.block = self.file.comments.len();
                continue;
            }
            self.instruction(Physical { start, end: line.end });
        }
    }

    /// Reads a parser directive, where there may still be one.
    fn directive(&mut self, directives: &mut Directives, start: usize, line: Physical) -> bool {
        if directives.is_over() {
            return false;
        }
        match directives.line(self.slice(start, line.end), start) {
            DirectiveLine::None => false,
            DirectiveLine::Repeated(directive) => {
                let message = format!("only one {} parser directive can be used", directive.name.value);
                let help = "take this line out, or the one before";
                self.refuse("directive-repeated", directive.range, message, help);
                true
            }
            DirectiveLine::Found(directive) => {
                if directive.name.value == "escape" {
                    match directive.value.as_str() {
                        "\\" => self.escape = b'\\',
                        "`" => self.escape = b'`',
                        other => {
                            let message = format!("invalid escape token '{other}' does not match ` or \\");
                            self.refuse("directive-escape", directive.value.range, message, "write ` or \\");
                        }
                    }
                    self.file.escape = char::from(self.escape);
                }
                self.file.directives.push(directive);
                self.block = self.file.comments.len();
                true
            }
        }
    }

    fn comment(&mut self, start: usize, end: usize) {
        self.file.comments.push(TextRange::new(start, end));
    }

    fn refuse(&mut self, code: &'static str, range: TextRange, message: impl Into<String>, help: &str) {
        self.file.errors.push(SyntaxError::new(code, ErrorStage::Syntax, range, message).with_help(help));
    }

    /// Reads an instruction whose first line is `line`, without the white space before it.
    fn instruction(&mut self, line: Physical) {
        let above = self.block.max(self.comments_seen)..self.file.comments.len();
        let start = line.start;
        let (logical, end) = match self.continued(line) {
            None => (Logical::whole(self.slice(start, line.end), start), line.end),
            Some(stop) => self.joined(start, stop, line.end),
        };
        let escape = char::from(self.escape);
        let errors_before = self.file.errors.len();
        let Dockerfile { errors, warnings, .. } = &mut self.file;
        let mut reader = Reader { escape, errors, warnings, trigger: false };
        let mut instruction = grammar::instruction(logical, TextRange::new(start, end), &mut reader);
        instruction.comments_above = index(above.start)..index(above.end);
        self.heredocs(&mut instruction, errors_before);
        if let Some(notes) = &mut self.notes {
            notes.take(index(self.file.instructions.len()), &instruction, escape);
        }
        self.comments_seen = self.file.comments.len();
        self.block = self.comments_seen;
        self.file.instructions.push(instruction);
    }

    /// Joins an instruction over its continuations. Says where its last line ends.
    fn joined(&mut self, start: usize, stop: usize, line_end: usize) -> (Logical<'s>, usize) {
        self.pieces.clear();
        self.pieces.reserve(16);
        if start < stop {
            self.pieces.push((start, stop));
        }
        let mut end = line_end;
        let mut empty: Option<TextRange> = None;
        let mut len = stop - start;
        while let Some(line) = self.line() {
            end = line.end;
            let (start, first) = self.first(line);
            if first.is_none() {
                empty.get_or_insert(TextRange::new(line.start, line.end));
                continue;
            }
            if first == Some(b'#') {
                self.comment(start, line.end);
                continue;
            }
            let continued = self.continued(line);
            let piece = (line.start, continued.unwrap_or(line.end));
            if piece.0 < piece.1 {
                len += piece.1 - piece.0;
                self.pieces.push(piece);
            }
            if continued.is_none() {
                break;
            }
        }
        let text = self.text;
        let logical = match self.pieces.as_slice() {
            [] => Logical::whole("", start),
            [(from, to)] => Logical::whole(self.slice(*from, *to), *from),
            pieces => {
                let part = |(from, to): &(usize, usize)| (text.get(*from..*to).unwrap_or_default(), *from);
                Logical::joined_exactly((text, 0), len, pieces.iter().map(part))
            }
        };
        if let Some(range) = empty {
            let message = format!("Empty continuation line found in: {}", logical.text);
            let warning = SyntaxError::new("empty-continuation", ErrorStage::Syntax, range, message);
            self.file.warnings.push(warning.with_help("take the blank line out, or write # in it"));
        }
        (logical, end)
    }

    /// Reads the bodies of the heredocs an instruction opens.
    fn heredocs(&mut self, instruction: &mut Instruction<'s>, errors_before: usize) {
        let inner = match &instruction.kind {
            Kind::Onbuild(trigger) => trigger,
            _ => &*instruction,
        };
        let takes = match &inner.kind {
            Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) => true,
            Kind::Broken(_) => Keyword::of(&inner.keyword).is_some_and(Keyword::takes_heredocs),
            _ => false,
        };
        if !takes || !has_operator(instruction.logical.text.as_bytes()) || is_json(inner) {
            return;
        }
        // A line that could not even be split opens nothing.
        let split = |error: &SyntaxError| error.stage == ErrorStage::Syntax;
        if self.file.errors.iter().skip(errors_before).any(split) {
            return;
        }
        let operators = match heredoc::operators(&instruction.logical.text) {
            Ok(operators) => operators,
            Err(error) => {
                let help = "close the quote around the heredoc's delimiter";
                self.refuse("heredoc-delimiter", instruction.logical.full_range(), error.message, help);
                return;
            }
        };
        let mut open = false;
        for (operator, place) in operators {
            let place = instruction.logical.range(place);
            let heredoc = self.heredoc(operator, place);
            instruction.range.end = heredoc.close.end.max(instruction.range.end);
            // Where one is open to the end of the file, those after it are too.
            if heredoc.close.start as usize == self.text.len() && !std::mem::replace(&mut open, true) {
                let name = &heredoc.name.value;
                let message = format!("unterminated heredoc: {name} is never closed");
                let help = format!("end it with a line that is just {name}");
                self.refuse("unterminated-heredoc", place, message, &help);
            }
            instruction.heredocs.push(heredoc);
        }
        if let Kind::Onbuild(trigger) = &mut instruction.kind {
            trigger.heredocs.clone_from(&instruction.heredocs);
            trigger.range.end = instruction.range.end;
        }
    }

    fn heredoc(&mut self, operator: heredoc::Operator, place: TextRange) -> Heredoc<'s> {
        let start = self.at;
        let heredoc::Operator { name, fd, expand, chomp } = operator;
        let mut body_end = start;
        let mut close = None;
        while let Some(line) = self.line() {
            let text = self.slice(line.start, line.end);
            let candidate = if chomp { text.trim_start_matches('\t') } else { text };
            if candidate == name {
                close = Some(TextRange::new(line.start, line.end));
                break;
            }
            body_end = self.at;
        }
        let body = Text { value: Cow::Borrowed(self.slice(start, body_end)), range: TextRange::new(start, body_end) };
        // A line that closes stands before the end of the file, even an empty one.
        let close = close.unwrap_or(TextRange::at(self.text.len()));
        // The delimiter stands at the operator's end, its quotes around or in it.
        let written = place.of(self.text);
        let skip = written.find("<<").map_or(0, |at| at + 2);
        let rest = written.get(skip..).unwrap_or_default();
        let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start();
        let range = TextRange { start: place.end - TextRange::at(rest.len()).start, end: place.end };
        let value = match rest == name {
            true => Cow::Borrowed(range.of(self.text)),
            false => Cow::Owned(name),
        };
        Heredoc { name: Text { value, range }, fd, expand, chomp, operator: place, body, close }
    }

    fn finish(mut self) -> Dockerfile<'s> {
        if let Some(range) = self.longest {
            let message = format!("dockerfile line greater than max allowed size of {MAX_LINE}");
            self.refuse("line-too-long", range, message, "break the line with continuations, or COPY a file in");
        }
        self.before_stages();
        if let Some(notes) = &self.notes {
            let build = check::errors(&self.file, notes);
            self.file.errors.extend(build);
        }
        self.file.errors.sort_by_key(|error| (error.range.start, error.stage));
        self.file
    }
}

impl Walk<'_> {
    /// Refuses a file without instructions, and an instruction that stands in no stage.
    fn before_stages(&mut self) {
        let in_stage = |instruction: &&Instruction<'_>| {
            Keyword::of(&instruction.keyword) == Some(Keyword::From) || !matches!(instruction.kind, Kind::Arg(_))
        };
        let Some(first) = self.file.instructions.iter().find(in_stage) else {
            if self.file.instructions.is_empty() {
                let last = self.text.trim_end_matches(['\r', '\n']).rfind('\n').map_or(0, |at| at + 1);
                let range = TextRange::new(last, self.text.len());
                self.refuse("no-instructions", range, "file with no instructions", "begin with FROM and an image");
            }
            return;
        };
        let refused = matches!(first.kind, Kind::Unknown(_) | Kind::Broken(_));
        if refused || Keyword::of(&first.keyword) == Some(Keyword::From) {
            return;
        }
        let error = SyntaxError::new(
            "no-build-stage",
            ErrorStage::Instruction,
            first.keyword.range,
            "no build stage in current context",
        );
        self.file.errors.push(error.with_help("begin with FROM and an image; only ARG may stand before it"));
    }
}

/// Whether BuildKit's first step read the arguments as a JSON array: nothing in it is a heredoc.
fn is_json(instruction: &Instruction<'_>) -> bool {
    use crate::syntax::Command;
    match &instruction.kind {
        Kind::Run(run) => matches!(run.command, Command::Exec { .. }),
        Kind::Copy(copy) | Kind::Add(copy) => copy.json,
        Kind::Broken(_) => {
            matches!(grammar::arguments_of(instruction, '\\'), grammar::Arguments::Words { json: true, .. })
        }
        _ => false,
    }
}

/// Where the first line feed stands. Lines are short: eight bytes at a time in place is quicker than a call.
#[inline]
fn newline(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zeros = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word) ^ (ONES * b'\n' as u64);
        word.wrapping_sub(ONES) & !word & (ONES << 7)
    };
    let (pairs, rest) = text.as_chunks::<16>();
    for (index, pair) in pairs.iter().enumerate() {
        let ([first, second], _) = pair.as_chunks::<8>() else { continue };
        let (first, second) = (zeros(first), zeros(second));
        if first | second != 0 {
            let (word, skip) = if first != 0 { (first, 0) } else { (second, 8) };
            return Some(index * 16 + skip + word.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| *byte == b'\n').map(|at| pairs.len() * 16 + at)
}

/// Whether `<<` stands in a text.
fn has_operator(text: &[u8]) -> bool {
    memchr::memchr_iter(b'<', text).any(|at| text.get(at + 1) == Some(&b'<'))
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
