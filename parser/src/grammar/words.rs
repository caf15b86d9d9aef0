//! How arguments are split into words: at blanks (most instructions), or at blanks outside quotes (ENV, LABEL, ARG).

use crate::logical::Logical;
use crate::text::Text;
use std::ops::Range;

/// What separates the words of an instruction in BuildKit: tab, vertical tab, form feed, carriage return and blank.
pub(crate) const fn is_blank(byte: u8) -> bool {
    byte <= b' ' && matches!(byte, b'\t' | 0x0B | 0x0C | b'\r' | b' ')
}

/// Removes white space of any script at the start; quick where there is none.
#[inline]
pub(crate) fn trim_start(text: &str) -> &str {
    match text.as_bytes().first() {
        Some(b'!'..=b'~') | None => text,
        _ => text.trim_start(),
    }
}

/// Removes white space of any script at the end; quick where there is none.
#[inline]
pub(crate) fn trim_end(text: &str) -> &str {
    match text.as_bytes().last() {
        Some(b'!'..=b'~') | None => text,
        _ => text.trim_end(),
    }
}

/// Where the first blank stands from `at` on, or the end.
#[inline]
pub(crate) fn blank(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| !is_blank(*byte)) {
        at += 1;
    }
    at
}

/// Where something else than a blank stands from `at` on, or the end.
#[inline]
pub(crate) fn blanks(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| is_blank(*byte)) {
        at += 1;
    }
    at
}

/// The words of `args`, split at blanks; quotes mean nothing here.
pub(crate) fn split<'i, 's>(
    logical: &'i Logical<'s>,
    args: Range<usize>,
) -> impl Iterator<Item = Text<'s>> + use<'i, 's> {
    let mut at = args.start;
    let text = logical.text.as_bytes().get(..args.end).unwrap_or_default();
    std::iter::from_fn(move || {
        let start = at;
        let end = blank(text, start);
        at = blanks(text, end);
        (start < at).then(|| logical.slice(start..end))
    })
}

/// The words of `args` as places in the logical text, split at white space that is neither quoted nor escaped. Quotes
/// and escapes stay in the words. An escape character that ends the text belongs to no word.
pub(crate) fn quoted(text: &str, args: Range<usize>, escape: char) -> Quoted<'_> {
    let part = text.get(args.clone()).unwrap_or_default();
    let classes = if escape == '`' { &BACKTICK } else { &BACKSLASH };
    Quoted { part, start: args.start, at: 0, classes }
}

/// See [`quoted`].
#[derive(Clone)]
pub(crate) struct Quoted<'t> {
    part: &'t str,
    start: usize,
    at: usize,
    classes: &'static [Class; 256],
}

/// What a byte can be to [`Quoted`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Other,
    Space,
    Quote,
    Escape,
    /// The first byte of a character outside of ASCII that may be white space.
    Wide,
}

#[expect(clippy::indexing_slicing, reason = "for constants: out of bounds would not compile")]
const fn classes(escape: u8) -> [Class; 256] {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = match byte as u8 {
            b'\t'..=b'\r' | b' ' => Class::Space,
            b'\'' | b'"' => Class::Quote,
            0xC2 | 0xE1..=0xE3 => Class::Wide,
            other if other == escape => Class::Escape,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
}

static BACKSLASH: [Class; 256] = classes(b'\\');
static BACKTICK: [Class; 256] = classes(b'`');

impl Quoted<'_> {
    fn class(&self, byte: u8) -> Class {
        self.classes.get(byte as usize).copied().unwrap_or(Class::Other)
    }

    /// The length of the white space at the cursor; 0 where there is none.
    fn space(&self, class: Class) -> usize {
        match class {
            Class::Space => 1,
            Class::Wide => {
                let c = self.part.get(self.at..).and_then(|rest| rest.chars().next());
                c.filter(|c| c.is_whitespace()).map_or(0, char::len_utf8)
            }
            _ => 0,
        }
    }
}

impl Iterator for Quoted<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let bytes = self.part.as_bytes();
        while let Some(len) = bytes.get(self.at).map(|byte| self.space(self.class(*byte))).filter(|len| *len > 0) {
            self.at += len;
        }
        let start = self.at;
        let mut end = bytes.len();
        let mut quote = 0;
        while let Some(rest) = bytes.get(self.at..) {
            let Some(plain) = rest.iter().position(|byte| self.class(*byte) != Class::Other) else {
                self.at = bytes.len();
                break;
            };
            self.at += plain;
            let Some(byte) = bytes.get(self.at).copied() else { break };
            match self.class(byte) {
                Class::Quote if quote == 0 => quote = byte,
                Class::Quote if quote == byte => quote = 0,
                Class::Escape if quote != b'\'' => {
                    match self.part.get(self.at + 1..).and_then(|rest| rest.chars().next()) {
                        Some(escaped) => self.at += escaped.len_utf8(),
                        None => end = self.at,
                    }
                }
                class if quote == 0 && self.space(class) > 0 => {
                    end = self.at;
                    break;
                }
                _ => {}
            }
            self.at += 1;
        }
        (start < end).then(|| self.start + start..self.start + end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted_words(text: &str, escape: char) -> Vec<&str> {
        quoted(text, 0..text.len(), escape).map(|range| &text[range]).collect()
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
        let words: Vec<_> = split(&logical, 0..logical.text.len()).collect();
        assert_eq!(words.iter().map(|word| &*word.value).collect::<Vec<_>>(), ["a", "b", "c\u{a0}d"]);
        assert_eq!(words[1].range, crate::text::TextRange::new(13, 14));
    }
}
