//! What a word is made of, with ranges, before anything is expanded.

use super::lexer::is_digit;
use std::ops::Range;

/// A stretch of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it stands in the word, signs and quotes included.
    pub range: Range<usize>,
    /// Whether it stands inside double quotes.
    pub quoted: bool,
    /// What it is.
    pub kind: PartKind,
}

/// What a stretch of a word is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Text, escapes still in it; also what stands between single quotes, quotes left out.
    Literal,
    /// `$name`, `${name}`, or `${name-word}` and its kin.
    Variable {
        /// The name.
        name: Range<usize>,
        /// The modifier, where there is one.
        modifier: Option<Modifier>,
    },
}

/// What follows a variable's name inside the braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modifier {
    /// The sign: `:-`, `-`, `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/`, `//`.
    pub sign: Range<usize>,
    /// What stands between the sign and the closing brace; it may hold variables of its own.
    pub word: Range<usize>,
}

/// The parts of `text`, variables inside modifiers not among them: ask for the parts of the modifier's word.
///
/// Never fails: what is not closed reaches to the end of the text.
#[must_use]
pub fn parts(text: &str, escape: char) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal: Option<(usize, bool)> = None;
    let mut quoted = false;
    let mut at = 0;
    let flush = |parts: &mut Vec<Part>, literal: &mut Option<(usize, bool)>, end: usize| {
        if let Some((start, quoted)) = literal.take().filter(|(start, _)| *start < end) {
            parts.push(Part { range: start..end, quoted, kind: PartKind::Literal });
        }
    };
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let start = at;
        at += c.len_utf8();
        let rest = text.get(at..).unwrap_or_default();
        match c {
            '"' => {
                flush(&mut parts, &mut literal, start);
                quoted = !quoted;
            }
            '\'' if !quoted => {
                flush(&mut parts, &mut literal, start);
                let len = rest.find('\'').unwrap_or(rest.len());
                flush(&mut parts, &mut Some((at, false)), at + len);
                at = (at + len + 1).min(text.len());
            }
            '$' => match variable(text, start, escape) {
                Some((end, kind)) => {
                    flush(&mut parts, &mut literal, start);
                    parts.push(Part { range: start..end, quoted, kind });
                    at = end;
                }
                None => {
                    literal.get_or_insert((start, quoted));
                }
            },
            c => {
                literal.get_or_insert((start, quoted));
                if c == escape {
                    at += rest.chars().next().map_or(0, char::len_utf8);
                }
            }
        }
    }
    flush(&mut parts, &mut literal, at);
    parts
}

/// The variable that the `$` at `start` begins, and where it ends.
fn variable(text: &str, start: usize, escape: char) -> Option<(usize, PartKind)> {
    let after = text.get(start + 1..)?;
    let braced = after.starts_with('{');
    let name_start = start + 1 + usize::from(braced);
    let rest = text.get(name_start..)?;
    let first = rest.chars().next()?;
    let len = if is_digit(first) {
        rest.find(|c| !is_digit(c)).unwrap_or(rest.len())
    } else if matches!(first, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
        1
    } else {
        rest.find(|c: char| c != '_' && !c.is_alphabetic() && !is_digit(c)).unwrap_or(rest.len())
    };
    let name = name_start..name_start + len;
    if !braced {
        return (len > 0).then_some((name.end, PartKind::Variable { name, modifier: None }));
    }
    let tail = text.get(name.end..)?;
    if tail.starts_with('}') {
        return Some((name.end + 1, PartKind::Variable { name, modifier: None }));
    }
    let sign =
        [":-", ":+", ":?", "##", "%%", "//", "-", "+", "?", "#", "%", "/"].iter().find(|sign| tail.starts_with(**sign));
    let sign = name.end..name.end + sign.map_or(0, |sign| sign.len());
    let end = closing(text, sign.end, escape);
    let word = sign.end..end;
    let modifier = (!sign.is_empty()).then_some(Modifier { sign, word });
    Some(((end + 1).min(text.len()), PartKind::Variable { name, modifier }))
}

/// Where the brace stands that closes what is open at `at`, or the end of the text.
fn closing(text: &str, at: usize, escape: char) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut chars = text.get(at..).unwrap_or_default().char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        if c == escape && quote != Some('\'') {
            chars.next();
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        } else if quote != Some('\'') && c == '$' && chars.next_if(|(_, c)| *c == '{').is_some() {
            depth += 1;
        } else if c == '}' && quote != Some('\'') {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None if quote.is_none() => return at + offset,
                None => {}
            }
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        parts(text, '\\')
            .into_iter()
            .map(|part| match part.kind {
                PartKind::Literal => format!("{}'{}'", if part.quoted { "q" } else { "" }, &text[part.range]),
                PartKind::Variable { name, modifier: None } => format!("${}", &text[name]),
                PartKind::Variable { name, modifier: Some(modifier) } => {
                    format!("${} {} {}", &text[name], &text[modifier.sign], &text[modifier.word])
                }
            })
            .collect()
    }

    #[test]
    fn parts_of_words() {
        assert_eq!(shown("a$b-${c}d"), ["'a'", "$b", "'-'", "$c", "'d'"]);
        assert_eq!(shown("${a:-${b}}x"), ["$a :- ${b}", "'x'"]);
        assert_eq!(shown("'$a'\"$b c\"\\$d"), ["'$a'", "$b", "q' c'", "'\\$d'"]);
        assert_eq!(shown("${v##*/}${v//a/b}"), ["$v ## */", "$v // a/b"]);
        assert_eq!(shown("$ ${a"), ["'$ '", "$a"]);
        assert_eq!(shown("${a:-'}'}"), ["$a :- '}'"]);
    }
}
