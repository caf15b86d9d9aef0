//! The comma-separated options of `--mount` and `--device`, read as one record of CSV (RFC 4180) as BuildKit does.

use crate::text::{Text, TextRange};
use std::borrow::Cow;
use std::ops::Range;

/// The fields of `record`, or what is wrong with it.
pub(crate) fn fields<'s>(record: &Text<'s>) -> Result<Vec<Text<'s>>, &'static str> {
    let text = record.as_str();
    if text.is_empty() {
        return Err("EOF");
    }
    let mut fields = Vec::with_capacity(4);
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with('"') {
            let (field, len) = quoted(record, at)?;
            fields.push(field);
            at += len;
        } else {
            let len = rest.find(',').unwrap_or(rest.len());
            let field = part(record, at..at + len);
            if field.contains('"') {
                return Err("bare \" in non-quoted field");
            }
            fields.push(field);
            at += len;
        }
        if at >= text.len() {
            return Ok(fields);
        }
        at += 1;
    }
}

/// A field in quotes, in which two quotes are one, and how long it is.
fn quoted<'s>(record: &Text<'s>, start: usize) -> Result<(Text<'s>, usize), &'static str> {
    let text = record.as_str();
    let mut value = String::new();
    let mut at = start + 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let len = rest.find('"').ok_or("extraneous or missing \" in quoted-field")?;
        value.push_str(rest.get(..len).unwrap_or_default());
        at += len + 1;
        match text.as_bytes().get(at) {
            Some(b'"') => {
                value.push('"');
                at += 1;
            }
            Some(b',') | None => break,
            Some(_) => return Err("extraneous or missing \" in quoted-field"),
        }
    }
    let range = part(record, start..at).range;
    Ok((Text { value: Cow::Owned(value), range }, at - start))
}

/// A part of a value with its place in the file; the place of the whole value where a join or an escape lies in it.
pub(crate) fn part<'s>(text: &Text<'s>, range: Range<usize>) -> Text<'s> {
    let start = text.range.start as usize;
    let place = if text.range.len() == text.value.len() {
        TextRange::new(start + range.start, start + range.end)
    } else {
        text.range
    };
    let value = match &text.value {
        Cow::Borrowed(value) => Cow::Borrowed(value.get(range).unwrap_or_default()),
        Cow::Owned(value) => Cow::Owned(value.get(range).unwrap_or_default().to_owned()),
    };
    Text { value, range: place }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, &'static str> {
        let record = Text { value: Cow::Borrowed(text), range: TextRange::new(5, 5 + text.len()) };
        fields(&record).map(|fields| fields.into_iter().map(|field| field.value.into_owned()).collect())
    }

    #[test]
    fn records() {
        assert_eq!(read("type=cache,target=/x"), Ok(vec!["type=cache".into(), "target=/x".into()]));
        assert_eq!(read("a,\"b,\"\"c\""), Ok(vec!["a".into(), "b,\"c".into()]));
        assert_eq!(read("a,"), Ok(vec!["a".into(), String::new()]));
        assert_eq!(read(""), Err("EOF"));
        assert_eq!(read("a\"b"), Err("bare \" in non-quoted field"));
        assert_eq!(read("\"ab"), Err("extraneous or missing \" in quoted-field"));
        assert_eq!(read("\"a\"b"), Err("extraneous or missing \" in quoted-field"));
    }
}
