//! Tokens: the whole file in pieces, none left out and none twice.

use crate::syntax::{Dockerfile, Kind};
use crate::text::TextRange;

/// A piece of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub range: TextRange,
}

/// What a piece of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// The byte order mark a file may begin with.
    ByteOrderMark,
    /// A line's end: `\n`, or `\r\n`.
    Newline,
    /// Blanks within a line.
    Whitespace,
    /// A parser directive.
    Directive,
    /// A comment, from its `#` to the end of the line.
    Comment,
    /// The escape character that continues a line, with the blanks after it.
    Continuation,
    /// An instruction's keyword.
    Keyword,
    /// `--name` or `--name=value`.
    Flag,
    /// A stretch of arguments without blanks.
    Word,
    /// `<<EOF`
    HeredocOperator,
    /// The lines of a heredoc.
    HeredocBody,
    /// The line that closes a heredoc.
    HeredocClose,
}

impl<'s> Dockerfile<'s> {
    /// The tokens of the file. Joined they are the file, byte for byte.
    #[must_use]
    pub fn tokens(&self) -> Tokens<'s> {
        let mut marks = Vec::with_capacity(4 * self.instructions.len() + self.comments.len());
        let mark = |kind, range| Token { kind, range };
        marks.extend(self.directives.iter().map(|directive| mark(TokenKind::Directive, directive.range)));
        marks.extend(self.comments.iter().map(|range| mark(TokenKind::Comment, *range)));
        for instruction in &self.instructions {
            let trigger = match &instruction.kind {
                Kind::Onbuild(trigger) => Some(&**trigger),
                _ => None,
            };
            for instruction in std::iter::once(instruction).chain(trigger) {
                marks.push(mark(TokenKind::Keyword, instruction.keyword.range));
                marks.extend(instruction.flags.iter().map(|flag| mark(TokenKind::Flag, flag.range)));
            }
            for heredoc in &instruction.heredocs {
                marks.push(mark(TokenKind::HeredocOperator, heredoc.operator));
                marks.push(mark(TokenKind::HeredocBody, heredoc.body.range));
                marks.push(mark(TokenKind::HeredocClose, heredoc.close));
            }
        }
        marks.retain(|mark| !mark.range.is_empty());
        // Where one mark holds another (a comment within a word that goes on over it), the larger one comes first.
        marks.sort_by_key(|mark| (mark.range.start, std::cmp::Reverse(mark.range.end)));
        Tokens { text: self.text, escape: self.escape as u8, at: 0, marks: marks.into_iter().peekable() }
    }
}

/// See [`Dockerfile::tokens`].
#[derive(Debug)]
pub struct Tokens<'s> {
    text: &'s str,
    escape: u8,
    at: usize,
    marks: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        while self.marks.next_if(|mark| (mark.range.start as usize) < self.at).is_some() {}
        let end = self.marks.peek().map_or(self.text.len(), |mark| mark.range.start as usize);
        if self.at >= end {
            let mark = self.marks.next()?;
            self.at = mark.range.end as usize;
            return Some(mark);
        }
        let rest = self.text.get(self.at..end)?;
        let (kind, len) = piece(rest, self.text.get(end..).unwrap_or_default(), self.escape);
        let start = self.at;
        self.at += len.max(1);
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        Some(Token { kind, range: TextRange::new(start, self.at) })
    }
}

/// What stands at the start of `rest`, and how long it is. `after` is what follows it.
fn piece(rest: &str, after: &str, escape: u8) -> (TokenKind, usize) {
    if rest.starts_with('\u{feff}') {
        return (TokenKind::ByteOrderMark, '\u{feff}'.len_utf8());
    }
    if let Some(len) = line_end(rest) {
        return (TokenKind::Newline, len);
    }
    let blanks = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() && !matches!(c, '\n' | '\r')).len();
    if blanks > 0 {
        return (TokenKind::Whitespace, blanks);
    }
    let mut before = None;
    for (at, c) in rest.char_indices() {
        if c.is_whitespace() {
            // A carriage return that ends no line is a blank like any other.
            return if at == 0 { (TokenKind::Whitespace, c.len_utf8()) } else { (TokenKind::Word, at) };
        }
        if c as u32 == u32::from(escape) && before != Some(c) {
            let tail = rest.get(at + 1..).unwrap_or_default();
            let blanks = tail.len() - tail.trim_start_matches([' ', '\t']).len();
            let line = tail.get(blanks..).unwrap_or_default();
            let ends = line_end(line).is_some() || (line.is_empty() && after.is_empty());
            if ends && at == 0 {
                return (TokenKind::Continuation, 1 + blanks);
            }
            if ends {
                return (TokenKind::Word, at);
            }
        }
        before = Some(c);
    }
    (TokenKind::Word, rest.len())
}

/// The length of the line end at the start of `text`: any number of carriage returns and a line feed.
fn line_end(text: &str) -> Option<usize> {
    let returns = text.bytes().take_while(|byte| *byte == b'\r').count();
    let feed = text.as_bytes().get(returns) == Some(&b'\n');
    (feed || (returns > 0 && returns == text.len())).then(|| returns + usize::from(feed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn every_kind() {
        let text = "\u{feff}# escape=\\\r\n\r\n# c\nRUN --mount=type=tmpfs a \\ \n  # in\n b <<E\nbody\nE\nONBUILD COPY --link x y\\";
        let file = parse(text);
        let tokens: Vec<(TokenKind, &str)> = file.tokens().map(|token| (token.kind, token.range.of(text))).collect();
        let joined: String = tokens.iter().map(|(_, text)| *text).collect();
        assert_eq!(joined, text);
        use TokenKind::*;
        let kept = tokens.iter().filter(|(kind, _)| !matches!(kind, Whitespace | Newline));
        assert_eq!(
            kept.copied().collect::<Vec<_>>(),
            [
                (ByteOrderMark, "\u{feff}"),
                (Directive, "# escape=\\"),
                (Comment, "# c"),
                (Keyword, "RUN"),
                (Flag, "--mount=type=tmpfs"),
                (Word, "a"),
                (Continuation, "\\ "),
                (Comment, "# in"),
                (Word, "b"),
                (HeredocOperator, "<<E"),
                (HeredocBody, "body\n"),
                (HeredocClose, "E"),
                (Keyword, "ONBUILD"),
                (Keyword, "COPY"),
                (Flag, "--link"),
                (Word, "x"),
                (Word, "y"),
                (Continuation, "\\"),
            ]
        );
    }
}
