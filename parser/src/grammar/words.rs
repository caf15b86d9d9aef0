//! How arguments are split into words: at blanks (most instructions), or at blanks outside quotes (ENV, LABEL, ARG).

use crate::logical::Logical;
use crate::text::Text;
use std::ops::Range;

/// What separates the words of an instruction in BuildKit: tab, vertical tab, form feed, carriage return and blank.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x0B | 0x0C | b'\r' | b' ')
}

/// Removes white space of any script at the start; quick where there is none.
pub(crate) fn trim_start(text: &str) -> &str {
    match text.as_bytes().first() {
        Some(b'!'..=b'~') | None => text,
        _ => text.trim_start(),
    }
}

/// Removes white space of any script at both ends.
pub(crate) fn trim(text: &str) -> &str {
    let text = trim_start(text);
    match text.as_bytes().last() {
        Some(b'!'..=b'~') | None => text,
        _ => text.trim_end(),
    }
}

/// The words of `args`, split at blanks; quotes mean nothing here.
pub(crate) fn split<'s>(logical: &Logical<'s>, args: Range<usize>) -> Vec<Text<'s>> {
    let mut words = Vec::with_capacity(2);
    let text = logical.text.get(args.clone()).unwrap_or_default().as_bytes();
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let len = rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
        if len > 0 || words.is_empty() {
            words.push(logical.slice(args.start + at..args.start + at + len));
        }
        let after = rest.get(len..).unwrap_or_default();
        at += len + after.iter().position(|byte| !is_blank(*byte)).unwrap_or(after.len());
    }
    words
}

/// The words of `args` as places in the logical text, split at white space that is neither quoted nor escaped. Quotes
/// and escapes stay in the words. An escape character that ends the text belongs to no word.
pub(crate) fn quoted(text: &str, args: Range<usize>, escape: char) -> Vec<Range<usize>> {
    let mut words = Vec::with_capacity(4);
    let mut word: Option<usize> = None;
    let mut quote = None;
    let part = text.get(args.clone()).unwrap_or_default();
    let mut chars = part.char_indices();
    let mut end = args.end;
    while let Some((at, c)) = chars.next() {
        let at = args.start + at;
        if quote.is_none() && c.is_whitespace() {
            if let Some(start) = word.take() {
                words.push(start..at);
            }
            continue;
        }
        word.get_or_insert(at);
        if c == escape && quote != Some('\'') {
            if chars.next().is_none() {
                end = at;
            }
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        }
    }
    if let Some(start) = word.filter(|start| *start < end) {
        words.push(start..end);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted_words(text: &str, escape: char) -> Vec<&str> {
        quoted(text, 0..text.len(), escape).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn quotes_and_escapes_hold_words_together() {
        assert_eq!(quoted_words(r#"a='x y' b="\" z" c=d\ e  f"#, '\\'), ["a='x y'", r#"b="\" z""#, r"c=d\ e", "f"]);
        assert_eq!(quoted_words("a=b\\", '\\'), ["a=b"]);
        assert_eq!(quoted_words("\\", '\\'), Vec::<&str>::new());
        assert_eq!(quoted_words("a=C:\\ b=`  c", '`'), ["a=C:\\", "b=` ", "c"]);
        assert_eq!(quoted_words("''", '\\'), ["''"]);
        assert_eq!(quoted_words("a='x\\' b'", '\\'), ["a='x\\'", "b'"]);
    }

    #[test]
    fn blanks_split() {
        let logical = Logical::whole("a\t b\u{b}c\u{a0}d", 10);
        let words = split(&logical, 0..logical.text.len());
        assert_eq!(words.iter().map(|word| &*word.value).collect::<Vec<_>>(), ["a", "b", "c\u{a0}d"]);
        assert_eq!(words[1].range, crate::text::TextRange::new(13, 14));
    }
}
