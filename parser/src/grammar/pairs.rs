//! Names and values: ENV, LABEL (Dockerfile reference, "ENV", "LABEL") and ARG ("ARG").

use super::{Line, Reader, flags, words};
use crate::quote::quote;
use crate::syntax::{ArgDecl, Kind, Pair};
use crate::text::TextRange;
use std::ops::Range;

/// `NAME=value …`, or `NAME value` where the first word has no `=`.
pub(super) fn pairs<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Vec<Pair<'s>>> {
    let pairs = split(line, reader)?;
    if !flags::check(line, &[], reader) {
        return None;
    }
    if pairs.is_empty() {
        return line.missing_argument(reader);
    }
    if let Some(blank) = pairs.iter().find(|pair| pair.key.is_empty()) {
        blank_name(line, blank.range, reader);
        return None;
    }
    Some(pairs)
}

/// The pairs as the line is split, before anything about them is checked.
pub(super) fn split<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Vec<Pair<'s>>> {
    let logical = line.logical();
    let text = &*logical.text;
    let mut places = words::quoted(text, line.args.clone(), reader.escape);
    let Some(first) = places.next() else { return Some(Vec::new()) };
    let equals = |word: &Range<usize>| {
        let at = memchr::memchr(b'=', text.get(word.clone()).unwrap_or_default().as_bytes())?;
        Some(word.start + at)
    };
    if equals(&first).is_none() {
        return legacy(line, reader).map(|pair| vec![pair]);
    }
    let mut pairs = Vec::with_capacity(1);
    for word in std::iter::once(first).chain(places) {
        let Some(at) = equals(&word) else {
            let found = quote(text.get(word.clone()).unwrap_or_default());
            let message = format!("Syntax error - can't find = in {found}. Must be of the form: name=value");
            let help = "put the value in quotes if it has blanks in it";
            reader.syntax("pair-without-equals", logical.range(word), message, help);
            return None;
        };
        pairs.push(Pair {
            key: logical.slice(word.start..at),
            value: logical.slice(at + 1..word.end),
            legacy: false,
            range: logical.range(word),
        });
    }
    Some(pairs)
}

/// `NAME the rest of the line`
fn legacy<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Pair<'s>> {
    let logical = line.logical();
    let text = line.text();
    let key = words::blank(text.as_bytes(), 0);
    if key == text.len() {
        let name = line.name();
        let message = format!("{name} must have two arguments");
        let help = format!("write {name} name=value");
        reader.syntax("pair-without-value", line.place(), message, &help);
        return None;
    }
    let value = words::blanks(text.as_bytes(), key);
    let start = line.args.start;
    Some(Pair {
        key: logical.slice(start..start + key),
        value: logical.slice(start + value..line.args.end),
        legacy: true,
        range: logical.range(line.args.clone()),
    })
}

fn blank_name(line: &Line<'_, '_>, range: TextRange, reader: &mut Reader<'_>) {
    let message = format!("{} names can not be blank", line.name());
    reader.wrong("blank-name", range, message, "write a name before the equals sign");
}

/// `ARG name[=default] …`. BuildKit never looks at ARG's flags.
pub(super) fn arg<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    let logical = line.logical();
    let text = &*logical.text;
    let places = words::quoted(text, line.args.clone(), reader.escape);
    let mut declarations = Vec::with_capacity(1);
    for word in places {
        let found = text.get(word.clone()).unwrap_or_default();
        let (name, default) = match memchr::memchr(b'=', found.as_bytes()) {
            Some(at) => (word.start..word.start + at, Some(logical.slice(word.start + at + 1..word.end))),
            None => (word.clone(), None),
        };
        let range = logical.range(word);
        if name.is_empty() {
            blank_name(line, range, reader);
            return None;
        }
        declarations.push(ArgDecl { name: logical.slice(name), default, range });
    }
    if declarations.is_empty() {
        return line.missing_argument(reader);
    }
    Some(Kind::Arg(declarations))
}
