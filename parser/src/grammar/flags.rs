//! `--name` and `--name=value` before the arguments, and the check that a keyword knows them.

use super::{Line, Reader, words};
use crate::logical::Logical;
use crate::suggest;
use crate::syntax::Flag;
use crate::text::{Text, TextRange};
use nom::bytes::complete::{tag, take_till};
use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};
use std::borrow::Cow;
use std::ops::Range;

/// Reads the flags that stand in `range` and says where the arguments begin.
///
/// Quotes and backslashes are removed as BuildKit does it: the backslash escapes whatever the escape directive says, in
/// single quotes too. A lone `--` ends the flags.
pub(super) fn read<'s>(logical: &Logical<'s>, range: Range<usize>) -> (Vec<Flag<'s>>, usize) {
    let text = logical.text.get(..range.end).unwrap_or_default();
    let mut flags = Vec::new();
    let mut at = range.start;
    loop {
        let rest = words::trim_start(text.get(at..).unwrap_or_default());
        at = text.len() - rest.len();
        if !rest.starts_with("--") {
            return (flags, at);
        }
        match flag(logical, at, rest) {
            Ok((after, flag)) => {
                // Nearly all have one.
                if flags.is_empty() {
                    flags.reserve_exact(1);
                }
                flags.push(flag);
                at = text.len() - after.len();
            }
            Err(_) => match quoted_flag(logical, at, rest) {
                (Some(flag), end) => {
                    flags.push(flag);
                    at = end;
                }
                (None, end) => {
                    let args = words::trim_start(text.get(end..).unwrap_or_default());
                    return (flags, text.len() - args.len());
                }
            },
        }
    }
}

/// `--from=build`, `--link`, `--mount=type=cache,target=/root/.cache`: a flag in which nothing is quoted.
fn flag<'s, 't>(logical: &Logical<'s>, at: usize, input: &'t str) -> IResult<&'t str, Flag<'s>> {
    let offset = |rest: &str| at + input.len() - rest.len();
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\');
    let (start, _) = tag("--")(input)?;
    let (name_end, name) = take_till(|c| c == '=' || ends(c))(start)?;
    let (rest, value) = opt(preceded(char('='), take_till(ends))).parse(name_end)?;
    let quoted = rest.chars().next().is_some_and(|c| !c.is_whitespace());
    if quoted || (name.is_empty() && value.is_none()) {
        return Err(nom::Err::Error(nom::error::Error::new(rest, nom::error::ErrorKind::Escaped)));
    }
    let value = value.map(|value| logical.slice(offset(rest) - value.len()..offset(rest)));
    let name = logical.slice(offset(start)..offset(name_end));
    Ok((rest, Flag { name, value, range: logical.range(at..offset(rest)) }))
}

/// A flag with quotes or escapes in it. `None` where it reads `--`, with the end of the flags.
fn quoted_flag<'s>(logical: &Logical<'s>, at: usize, input: &str) -> (Option<Flag<'s>>, usize) {
    let mut cooked = String::new();
    let mut equals: Option<(usize, usize)> = None;
    let mut quote = None;
    let mut chars = input.char_indices();
    let mut end = at + input.len();
    while let Some((offset, mut c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            end = at + offset;
            break;
        }
        if c == '\\' {
            match chars.next() {
                Some((_, escaped)) => c = escaped,
                None => break,
            }
        } else if quote == Some(c) {
            quote = None;
            continue;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
            continue;
        }
        if c == '=' && equals.is_none() {
            equals = Some((cooked.len(), at + offset));
        }
        cooked.push(c);
    }
    if cooked == "--" {
        return (None, end);
    }
    let text = |value: &str, range: TextRange| Text { value: Cow::Owned(value.to_owned()), range };
    let (cut, file_cut) = equals.unwrap_or((cooked.len(), end));
    let name = text(cooked.get(2..cut).unwrap_or_default(), logical.range(at + 2..file_cut));
    let value = equals.map(|(cut, file_cut)| {
        text(cooked.get(cut + 1..).unwrap_or_default(), logical.range((file_cut + 1).min(end)..end))
    });
    (Some(Flag { name, value, range: logical.range(at..end) }), end)
}

/// What a flag's value may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// `--link`, `--link=true`, `--link=FALSE`
    Bool,
    /// One value, once.
    Value,
    /// One value, as often as wanted.
    Values,
}

/// Checks the flags of a line against what its keyword takes; says whether all are fine.
pub(super) fn check(line: &Line<'_, '_>, known: &[(&str, Takes)], reader: &mut Reader<'_>) -> bool {
    let flags = line.flags;
    let before = reader.errors.len();
    let mut seen = 0_u32;
    for flag in flags {
        let name = &*flag.name;
        let Some((index, (_, takes))) = known.iter().enumerate().find(|(_, (known, _))| *known == name) else {
            unknown(line, flag, known, reader);
            continue;
        };
        let earlier = seen & (1 << index) != 0;
        seen |= 1 << index;
        if earlier && *takes != Takes::Values {
            let message = format!("duplicate flag specified: --{name}");
            reader.wrong("duplicate-flag", flag.range, message, "keep one of the two");
            continue;
        }
        match (&flag.value, takes) {
            (None, Takes::Value | Takes::Values) => missing_value(flag, reader),
            (Some(value), Takes::Bool) if value.is_empty() => missing_value(flag, reader),
            (Some(value), Takes::Bool)
                if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") =>
            {
                let message = format!("expecting boolean value for flag --{name}, not: {}", value.value);
                reader.wrong("flag-not-boolean", value.range, message, &format!("write --{name}, or --{name}=false"));
            }
            _ => {}
        }
    }
    reader.errors.len() == before
}

fn missing_value(flag: &Flag<'_>, reader: &mut Reader<'_>) {
    let name = &*flag.name;
    let message = format!("missing a value on flag: --{name}");
    reader.wrong("flag-without-value", flag.range, message, &format!("the value follows an equals sign: --{name}=…"));
}

fn unknown(line: &Line<'_, '_>, flag: &Flag<'_>, known: &[(&str, Takes)], reader: &mut Reader<'_>) {
    let name = &*flag.name;
    let meant = suggest::exact(name, known.iter().map(|(name, _)| *name));
    let (message, help) = match meant {
        Some(meant) => (format!("unknown flag: --{name} (did you mean {meant}?)"), format!("write --{meant}")),
        None if known.is_empty() => (format!("unknown flag: --{name}"), format!("{} takes no flags", line.name())),
        None => {
            let all = known.iter().map(|(name, _)| format!("--{name}")).collect::<Vec<_>>().join(", ");
            (format!("unknown flag: --{name}"), format!("{} takes {all}", line.name()))
        }
    };
    reader.wrong("unknown-flag", flag.range, message, &help);
}

/// The value of a flag that may stand once.
pub(super) fn value<'s>(flags: &[Flag<'s>], name: &str) -> Option<Text<'s>> {
    flags.iter().find(|flag| flag.name.value == name).and_then(|flag| flag.value.clone())
}

/// The values of a flag that may stand several times.
pub(super) fn values<'s>(flags: &[Flag<'s>], name: &str) -> Vec<Text<'s>> {
    flags.iter().filter(|flag| flag.name.value == name).filter_map(|flag| flag.value.clone()).collect()
}

/// Whether a flag is set, where it is written at all.
pub(super) fn switch(flags: &[Flag<'_>], name: &str) -> Option<bool> {
    let flag = flags.iter().find(|flag| flag.name.value == name)?;
    Some(flag.value.as_ref().is_none_or(|value| value.eq_ignore_ascii_case("true")))
}
