//! The exec form: a JSON array of strings, read as Docker's JSON reader does it.
//!
//! Text that is no JSON array at all is not wrong: it is the shell form (or a list of words). An array that holds
//! anything but strings is refused.

use super::Reader;
use crate::logical::Logical;
use crate::source::SUBSTITUTE;
use crate::text::{Text, TextRange};
use std::borrow::Cow;
use std::ops::Range;

/// What the arguments turned out to be.
pub(super) enum Array<'s> {
    /// An array of strings.
    Words {
        /// The strings, escapes removed.
        words: Vec<Text<'s>>,
        /// From the bracket to the bracket.
        range: TextRange,
    },
    /// No JSON array.
    No,
}

/// Reads `args` as an array of strings. `None` where it is an array of something else, which is refused.
pub(super) fn array<'s>(logical: &Logical<'s>, args: Range<usize>, reader: &mut Reader<'_>) -> Option<Array<'s>> {
    let text = logical.text.get(args.clone()).unwrap_or_default();
    if !text.starts_with('[') {
        return Some(Array::No);
    }
    let mut scan = Scan { text: text.as_bytes(), at: 0 };
    let Some(items) = scan.top() else { return Some(Array::No) };
    let place = |range: Range<usize>| args.start + range.start..args.start + range.end;
    if let Some(Item { range, .. }) = items.iter().find(|item| !item.string) {
        let message = "when using JSON array syntax, arrays must be comprised of strings only";
        let help = "put the value in double quotes";
        reader.syntax("json-not-strings", logical.range(place(range.clone())), message, help);
        return None;
    }
    let words = items.into_iter().map(|item| word(logical, text, &item, args.start)).collect();
    let len = text.bytes().rposition(|byte| byte == b']').map_or(text.len(), |at| at + 1);
    Some(Array::Words { words, range: logical.range(args.start..args.start + len) })
}

fn word<'s>(logical: &Logical<'s>, text: &str, item: &Item, start: usize) -> Text<'s> {
    let inner = item.range.start + 1..item.range.end - 1;
    if item.escaped {
        let raw = text.get(inner.clone()).unwrap_or_default();
        let range = logical.range(start + inner.start..start + inner.end);
        return Text { value: Cow::Owned(unescape(raw)), range };
    }
    logical.slice(start + inner.start..start + inner.end)
}

/// The string behind `name` in a text that is one JSON object and nothing else.
pub(crate) fn member(text: &str, name: &str) -> Option<String> {
    let mut scan = Scan { text: text.as_bytes(), at: 0 };
    let mut found = None;
    scan.blanks();
    scan.eat(b'{')?;
    scan.blanks();
    if scan.eat(b'}').is_none() {
        loop {
            scan.blanks();
            let start = scan.at;
            scan.string()?;
            let key = unescape(text.get(start + 1..scan.at - 1)?);
            scan.blanks();
            scan.eat(b':')?;
            scan.blanks();
            let start = scan.at;
            let string = scan.peek() == Some(b'"');
            if string {
                scan.string()?
            } else {
                scan.value()?
            };
            if key == name {
                found = string.then(|| unescape(text.get(start + 1..scan.at - 1).unwrap_or_default()));
            }
            scan.blanks();
            if scan.eat(b',').is_none() {
                scan.eat(b'}')?;
                break;
            }
        }
    }
    scan.blanks();
    found.filter(|_| scan.at == text.len())
}

/// One element of the outermost array.
struct Item {
    /// With its quotes.
    range: Range<usize>,
    string: bool,
    escaped: bool,
}

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
}

/// Docker's JSON reader goes no deeper.
const DEPTH: usize = 10_000;

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// The whole text as one array. `None` where it is not JSON.
    fn top(&mut self) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        self.eat(b'[')?;
        self.blanks();
        if self.eat(b']').is_none() {
            loop {
                self.blanks();
                let start = self.at;
                let string = self.peek() == Some(b'"');
                let escaped = if string { self.string()? } else { self.value()? };
                items.push(Item { range: start..self.at, string, escaped });
                self.blanks();
                if self.eat(b',').is_none() {
                    self.eat(b']')?;
                    break;
                }
            }
        }
        self.blanks();
        (self.at == self.text.len()).then_some(items)
    }

    /// A string; says whether it holds escapes.
    fn string(&mut self) -> Option<bool> {
        self.eat(b'"')?;
        let mut escaped = false;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(escaped);
                }
                b'\\' => {
                    escaped = true;
                    let hex = match self.text.get(self.at + 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
                        b'u' => 4,
                        _ => return None,
                    };
                    let digits = self.text.get(self.at + 2..self.at + 2 + hex)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    self.at += 2 + hex;
                }
                // A byte that is no UTF-8 is fine in Docker's JSON; a real SUB would not be, but nobody writes one.
                SUBSTITUTE => self.at += 1,
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    /// Any value, nested ones without recursion; says whether it is a string with escapes (it never is one here).
    fn value(&mut self) -> Option<bool> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.blanks();
            match self.peek()? {
                bracket @ (b'[' | b'{') => {
                    self.at += 1;
                    open.push(bracket + 2);
                    if open.len() >= DEPTH {
                        return None;
                    }
                    self.blanks();
                    if self.eat(bracket + 2).is_some() {
                        open.pop();
                    } else {
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            // A value is complete: close what it ends, or go on to the next one.
            loop {
                let Some(close) = open.last().copied() else { return Some(false) };
                self.blanks();
                if self.eat(close).is_some() {
                    open.pop();
                    continue;
                }
                self.eat(b',')?;
                if close == b'}' {
                    self.blanks();
                    self.key()?;
                }
                break;
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.blanks();
        self.eat(b':')
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let end = self.at + word.len();
        (self.text.get(self.at..end)? == word).then(|| self.at = end)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let _ = self.eat(b'-');
        if self.eat(b'0').is_none() {
            self.digits()?;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if self.eat(b'e').or_else(|| self.eat(b'E')).is_some() {
            let _ = self.eat(b'+').or_else(|| self.eat(b'-'));
            self.digits()?;
        }
        // A number beyond a float is an error to Docker's reader, and then the text is no array.
        let digits = std::str::from_utf8(self.text.get(start..self.at)?).ok()?;
        digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(|_| ())
    }
}

/// Removes JSON's escapes; half of a surrogate pair becomes the replacement character.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let mut used = 2;
        match escape.as_bytes().get(1) {
            Some(b'u') => {
                let mut decoded = char::REPLACEMENT_CHARACTER;
                used = 6;
                if let Some(first) = unit(escape) {
                    let second = escape.get(6..).and_then(unit);
                    if let Some(c) = char::from_u32(first) {
                        decoded = c;
                    } else if let (0xD800..0xDC00, Some(second @ 0xDC00..0xE000)) = (first, second) {
                        let joined = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                        decoded = char::from_u32(joined).unwrap_or(decoded);
                        used = 12;
                    }
                }
                out.push(decoded);
            }
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(other) => out.push(char::from(*other)),
            None => {}
        }
        rest = escape.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The code unit of a `\uXXXX` at the start of `text`.
fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::SyntaxError;

    fn words(text: &str) -> Result<Option<Vec<String>>, Vec<SyntaxError>> {
        let mut errors = Vec::new();
        let mut reader = Reader { escape: '\\', errors: &mut errors, warnings: &mut Vec::new(), trigger: false };
        match array(&Logical::whole(text, 0), 0..text.len(), &mut reader) {
            Some(Array::Words { words, .. }) => {
                Ok(Some(words.into_iter().map(|word| word.value.into_owned()).collect()))
            }
            Some(Array::No) => Ok(None),
            None => Err(errors),
        }
    }

    #[test]
    fn strings_are_unescaped() {
        let text = r#"["a", "b c" , "\" \\ \/ \b \f \n \r \t \u0041 \ud83d\ude00 \ud83d x"]"#;
        let expected = "\" \\ / \u{8} \u{c} \n \r \t A \u{1f600} \u{fffd} x";
        assert_eq!(words(text), Ok(Some(vec!["a".into(), "b c".into(), expected.into()])));
        assert_eq!(words("[ ]"), Ok(Some(Vec::new())));
    }

    #[test]
    fn what_is_not_json_is_the_shell_form() {
        for text in
            ["[ -f x ]", "['a']", "[\"a\"", "[\"a\",]", "[\"a\"] b", "[\"\\x\"]", "[\"a\" \"b\"]", "[1e999]", "[01]"]
        {
            assert_eq!(words(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn arrays_of_other_things_are_refused() {
        for text in
            ["[\"a\", 1]", "[[\"a\"]]", "[{\"a\": [1, {}]}]", "[null]", "[true, \"a\"]", "[-1.5e+3]", "[[], {}]"]
        {
            let errors = words(text).unwrap_err();
            assert_eq!(errors.len(), 1, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(words(&deep), Ok(None));
    }
}
