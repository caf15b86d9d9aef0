//! Parser directives (Dockerfile reference, "Parser directives") and how the frontend of a file is found.

use crate::grammar::json;
use crate::syntax::Directive;
use crate::text::{Text, TextRange};
use nom::bytes::complete::take_while;
use nom::character::complete::{char, satisfy};
use nom::combinator::recognize;
use nom::{IResult, Parser};
use std::borrow::Cow;

/// The directives BuildKit knows. Another name ends them.
const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// Reads directives line by line until the first line that is none.
pub(crate) struct Directives {
    comment: &'static str,
    seen: [bool; NAMES.len()],
    over: bool,
}

/// What a line is.
pub(crate) enum Line<'s> {
    /// A directive.
    Found(Directive<'s>),
    /// A directive whose name was there before.
    Repeated(Directive<'s>),
    /// None, and none follows.
    None,
}

impl Directives {
    /// Directives behind a comment sign.
    pub(crate) fn new(comment: &'static str) -> Self {
        Self { comment, seen: [false; NAMES.len()], over: false }
    }

    /// Nothing that follows is a directive.
    pub(crate) fn end(&mut self) {
        self.over = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Reads a line that stands at `start` of the file.
    pub(crate) fn line<'s>(&mut self, line: &'s str, start: usize) -> Line<'s> {
        let read = if self.over { None } else { line.strip_prefix(self.comment) };
        let read = read.and_then(|rest| setting(rest.trim_start()).ok());
        let known = read.and_then(|(value, name)| {
            let index = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
            let value_text = value.trim_start_matches(is_regex_space);
            (!value_text.is_empty()).then_some((index, name, value_text))
        });
        let Some((index, name, value)) = known else {
            self.over = true;
            return Line::None;
        };
        let end = start + line.len();
        let value_start = end - value.len();
        let value = value.trim_end_matches(is_regex_space);
        let name_start = start + (name.as_ptr() as usize - line.as_ptr() as usize);
        let canonical = NAMES.get(index).copied().unwrap_or_default();
        let value_name = if name == canonical { Cow::Borrowed(name) } else { Cow::Borrowed(canonical) };
        let directive = Directive {
            name: Text { value: value_name, range: TextRange::new(name_start, name_start + name.len()) },
            value: Text { value: Cow::Borrowed(value), range: TextRange::new(value_start, value_start + value.len()) },
            range: TextRange::new(start, end),
        };
        match self.seen.get_mut(index) {
            Some(seen) if !*seen => {
                *seen = true;
                Line::Found(directive)
            }
            _ => Line::Repeated(directive),
        }
    }
}

/// White space as BuildKit's regular expressions mean it.
fn is_regex_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ')
}

/// `name = …`: the name, and what follows the sign.
fn setting(input: &str) -> IResult<&str, &str> {
    let (rest, name) =
        recognize((satisfy(|c| c.is_ascii_alphabetic()), take_while(|c: char| c.is_ascii_alphanumeric())))
            .parse(input)?;
    let (rest, _) = take_while(is_regex_space)(rest)?;
    let (rest, _) = char('=')(rest)?;
    Ok((rest, name))
}

/// A directive found by [`detect_syntax`] or [`directive`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// Its value up to the first blank: the frontend's image.
    pub value: String,
    /// Its whole value.
    pub command_line: String,
    /// The line it stands on, from 1. The JSON form has none of its own: the first line after a `#!` line, counted
    /// from 0.
    pub line: u32,
}

/// Which frontend a file asks for: `# syntax=…`, `// syntax=…`, or `{"syntax": "…"}`. A first line that begins with
/// `#!` is skipped.
#[must_use]
pub fn detect_syntax(text: &str) -> Option<Detected> {
    let (rest, skipped) = without_shebang(text);
    by_comment("#", "syntax", rest, skipped).or_else(|| by_comment("//", "syntax", rest, skipped)).or_else(|| {
        json::member(rest, "syntax").map(|value| Detected { command_line: value.clone(), value, line: skipped })
    })
}

/// The value of a `# name=value` directive (`check`, `syntax`, `escape`), where a file has one.
#[must_use]
pub fn directive(name: &str, text: &str) -> Option<Detected> {
    let (rest, skipped) = without_shebang(text);
    by_comment("#", name, rest, skipped)
}

fn without_shebang(text: &str) -> (&str, u32) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.starts_with("#!") {
        true => (text.split_once('\n').map_or("", |(_, rest)| rest), 1),
        false => (text, 0),
    }
}

fn by_comment(comment: &'static str, name: &str, text: &str, skipped: u32) -> Option<Detected> {
    let mut directives = Directives::new(comment);
    for (line, number) in text.split('\n').zip(skipped + 1..) {
        match directives.line(line.strip_suffix('\r').unwrap_or(line), 0) {
            Line::Found(directive) if directive.name.value == name => {
                let command_line = directive.value.value.into_owned();
                let value = command_line.split(' ').next().unwrap_or_default().to_owned();
                return Some(Detected { value, command_line, line: number });
            }
            Line::Found(_) => {}
            Line::Repeated(_) | Line::None => return None,
        }
    }
    None
}
