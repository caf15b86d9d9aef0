//! The lexer behind [`super::expand`]: one pass over the characters, a word and its split at once.

use super::pattern::Pattern;
use super::{Env, WordError};
use std::collections::BTreeSet;
use std::ops::Range;

/// How words are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The escape character.
    pub(crate) escape: char,
    /// Quotes are read as quotes but stay in the result.
    pub(crate) raw_quotes: bool,
    /// Escape characters stay in the result.
    pub(crate) raw_escapes: bool,
    /// Quotes are characters like any other.
    pub(crate) keep_quotes_as_text: bool,
    /// A variable that is not set stays as it is written.
    pub(crate) skip_unset: bool,
    /// Whether the words of the split are wanted too.
    pub(crate) split: bool,
    /// Whether the names of the variables are wanted.
    pub(crate) names: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            escape: '\\',
            raw_quotes: false,
            raw_escapes: false,
            keep_quotes_as_text: false,
            skip_unset: false,
            split: false,
            names: false,
        }
    }
}

/// Nested deeper than this, a word is refused instead of exhausting the stack.
const DEPTH: usize = 100;

pub(crate) struct Lexer<'t, 'e> {
    text: &'t str,
    at: usize,
    options: Options,
    raw_escapes: bool,
    env: Env<'e>,
    matched: BTreeSet<String>,
    unmatched: BTreeSet<String>,
    unfinished: Unfinished,
    depth: usize,
}

type Lexed<T> = Result<T, WordError>;

/// The word that is not finished yet.
///
/// There is one for the whole text: BuildKit's lexer forgets the unfinished word where it enters a modifier, so that
/// `a${b:-c}d` splits into `cd`. (As one word it is `acd`.)
#[derive(Default)]
struct Unfinished {
    word: String,
    open: bool,
    /// Where it begins in the text.
    start: usize,
}

/// A word of the split, and the stretch of the text it came from.
pub(crate) type Place = (String, Range<usize>);

impl Unfinished {
    /// A character of the text or of a variable's value, read from `at` on: white space ends the word.
    fn push(&mut self, done: &mut Vec<Place>, c: char, at: usize) {
        if !c.is_whitespace() {
            self.push_raw(c, at);
        } else if self.open {
            self.finish(done, at);
        }
    }
    fn push_raw(&mut self, c: char, at: usize) {
        self.begin(at);
        self.word.push(c);
    }
    fn push_raw_str(&mut self, text: &str, at: usize) {
        self.begin(at);
        self.word.push_str(text);
    }
    fn begin(&mut self, at: usize) {
        if self.word.is_empty() {
            self.start = at;
        }
        self.open = true;
    }
    fn finish(&mut self, done: &mut Vec<Place>, at: usize) {
        if !self.word.is_empty() {
            done.push((std::mem::take(&mut self.word), self.start..at));
            self.open = false;
        }
    }
}

impl<'t, 'e> Lexer<'t, 'e> {
    pub(crate) fn new(text: &'t str, options: Options, env: Env<'e>) -> Self {
        // A byte order mark at the start is no part of the word.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let raw_escapes = options.raw_escapes;
        Self {
            text,
            at,
            options,
            raw_escapes,
            env,
            matched: BTreeSet::new(),
            unmatched: BTreeSet::new(),
            unfinished: Unfinished::default(),
            depth: 0,
        }
    }

    /// The whole text as one word, and split.
    pub(crate) fn run(&mut self) -> Lexed<(String, Vec<Place>)> {
        self.until(None, self.raw_escapes)
    }

    /// The variables asked for: set and not set.
    pub(crate) fn names(self) -> (Vec<String>, Vec<String>) {
        (self.matched.into_iter().collect(), self.unmatched.into_iter().collect())
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn fail<T>(&self, message: impl Into<String>) -> Lexed<T> {
        Err(WordError { message: message.into(), at: self.at, about_value: false })
    }

    /// Reads up to `stop`, which is taken and left out.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Lexed<(String, Vec<Place>)> {
        if self.depth >= DEPTH {
            return self.fail("substitution is nested too deep");
        }
        self.depth += 1;
        let before = std::mem::replace(&mut self.raw_escapes, raw_escapes);
        let read = self.read_until(stop);
        self.raw_escapes = before;
        self.depth -= 1;
        read
    }

    fn read_until(&mut self, stop: Option<char>) -> Lexed<(String, Vec<Place>)> {
        let mut result = String::new();
        let mut done = Vec::new();
        let quotes = !self.options.keep_quotes_as_text;
        let split = self.options.split;
        while let Some(c) = self.peek() {
            let start = self.at;
            if stop == Some(c) {
                self.unfinished.finish(&mut done, start);
                self.next();
                return Ok((result, done));
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    result.push_str(&value);
                    if split {
                        value.chars().for_each(|c| self.unfinished.push(&mut done, c, start));
                    }
                }
                '\'' | '"' if quotes => {
                    let inner = if c == '"' { self.double_quoted()? } else { self.single_quoted()? };
                    result.push_str(&inner);
                    if split {
                        self.unfinished.push_raw_str(&inner, start);
                    }
                }
                '<' => {
                    let operator = self.less_than();
                    result.push_str(operator);
                    if split {
                        self.unfinished.push_raw_str(operator, start);
                    }
                }
                c if c == self.options.escape => {
                    self.next();
                    if self.raw_escapes {
                        self.raw(c, start);
                        result.push(c);
                    }
                    let Some(escaped) = self.next() else { break };
                    self.raw(escaped, start);
                    result.push(escaped);
                }
                c => {
                    self.next();
                    if split {
                        self.unfinished.push(&mut done, c, start);
                    }
                    result.push(c);
                }
            }
        }
        match stop {
            None => {
                self.unfinished.finish(&mut done, self.at);
                Ok((result, done))
            }
            Some(stop) => self.fail(format!("unexpected end of statement while looking for matching {stop}")),
        }
    }

    /// A character that ends no word, whatever it is.
    fn raw(&mut self, c: char, at: usize) {
        if self.options.split {
            self.unfinished.push_raw(c, at);
        }
    }

    /// `<`, or `<<` with the blanks after it, which keep a heredoc's delimiter in one word with its operator.
    fn less_than(&mut self) -> &'t str {
        let start = self.at;
        self.next();
        if self.peek() == Some('<') {
            self.next();
            while matches!(self.peek(), Some(' ' | '\t' | '\r')) {
                self.next();
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn single_quoted(&mut self) -> Lexed<String> {
        let start = self.at;
        self.next();
        while let Some(c) = self.next() {
            if c == '\'' {
                let raw = start..self.at;
                let inner = start + 1..self.at - 1;
                let range = if self.options.raw_quotes { raw } else { inner };
                return Ok(self.text.get(range).unwrap_or_default().to_owned());
            }
        }
        self.fail("unexpected end of statement while looking for matching single-quote")
    }

    fn double_quoted(&mut self) -> Lexed<String> {
        let mut result = String::new();
        self.next();
        if self.options.raw_quotes {
            result.push('"');
        }
        loop {
            match self.peek() {
                None => return self.fail("unexpected end of statement while looking for matching double-quote"),
                Some('"') => {
                    self.next();
                    if self.options.raw_quotes {
                        result.push('"');
                    }
                    return Ok(result);
                }
                Some('$') => result.push_str(&self.dollar()?),
                Some(mut c) => {
                    self.next();
                    if c == self.options.escape {
                        if self.raw_escapes {
                            result.push(c);
                        }
                        match self.peek() {
                            None => continue,
                            Some(escaped) if matches!(escaped, '"' | '$') || escaped == c => {
                                self.next();
                                c = escaped;
                            }
                            Some(_) => {}
                        }
                    }
                    result.push(c);
                }
            }
        }
    }

    fn dollar(&mut self) -> Lexed<String> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.value(name) {
                None if self.options.skip_unset => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        self.next();
        match self.peek() {
            None => return self.fail("syntax error: missing '}'"),
            Some('{' | '}' | ':') => return self.fail("syntax error: bad substitution"),
            Some(_) => {}
        }
        let name = self.name();
        let sign = self.next();
        match sign {
            Some('}') => Ok(match self.value(name) {
                None if self.options.skip_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some(':') => {
                let sign = self.next();
                self.modified(name, sign, true)
            }
            Some('+' | '-' | '?' | '#' | '%') => self.modified(name, sign, false),
            Some('/') => self.replaced(name),
            sign => self.unsupported(sign, false),
        }
    }

    fn unsupported<T>(&self, sign: Option<char>, colon: bool) -> Lexed<T> {
        let colon = if colon { ":" } else { "" };
        let sign = sign.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.fail(format!("unsupported modifier ({colon}{sign}) in substitution"))
    }

    /// What follows a modifier up to `stop`; `missing` is said when the text ends before it.
    fn modifier_word(&mut self, stop: char, raw_escapes: bool, missing: &str) -> Lexed<String> {
        match self.until(Some(stop), raw_escapes) {
            Ok((word, _)) => Ok(word),
            Err(_) if self.peek().is_none() => self.fail(missing),
            Err(error) => Err(error),
        }
    }

    /// `${name-word}` and its kin. `empty_is_unset`: a colon stands before the sign.
    fn modified(&mut self, name: &str, sign: Option<char>, empty_is_unset: bool) -> Lexed<String> {
        let pattern = matches!(sign, Some('#' | '%'));
        if pattern && empty_is_unset {
            return self.unsupported(sign, true);
        }
        let word = self.modifier_word('}', pattern, "syntax error: missing '}'")?;
        let value = self.value(name);
        if value.is_none() && self.options.skip_unset {
            let colon = if empty_is_unset { ":" } else { "" };
            let sign = sign.unwrap_or(char::REPLACEMENT_CHARACTER);
            return Ok(format!("${{{name}{colon}{sign}{word}}}"));
        }
        let counts = |value: &String| !(empty_is_unset && value.is_empty());
        match (sign, value) {
            (Some('-'), value) => Ok(value.filter(counts).unwrap_or(word)),
            (Some('+'), value) => Ok(value.filter(counts).map(|_| word).unwrap_or_default()),
            (Some('?'), value) => {
                let state = if value.is_none() { "unset" } else { "empty" };
                let why = if word.is_empty() { format!("is not allowed to be {state}") } else { word };
                let missing = WordError { message: format!("{name}: {why}"), at: self.at, about_value: true };
                value.filter(counts).ok_or(missing)
            }
            (Some(sign @ ('#' | '%')), value) => {
                let longest = word.strip_prefix(sign);
                let pattern = self.pattern(longest.unwrap_or(&word))?;
                let value = value.unwrap_or_default();
                Ok(match sign {
                    '#' => pattern.without_prefix(&value, longest.is_some()).to_owned(),
                    _ => pattern.without_suffix(&value, longest.is_some()).to_owned(),
                })
            }
            (sign, _) => self.unsupported(sign, empty_is_unset),
        }
    }

    /// `${name/pattern/replacement}` and `${name//pattern/replacement}`
    fn replaced(&mut self, name: &str) -> Lexed<String> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let found = self.modifier_word('/', true, "syntax error: missing '/' in ${}")?;
        let replacement = self.modifier_word('}', true, "syntax error: missing '}'")?;
        let value = self.value(name);
        if value.is_none() && self.options.skip_unset {
            return Ok(format!("${{{name}/{found}/{replacement}}}"));
        }
        let pattern = self.pattern(&found)?;
        let value = value.unwrap_or_default();
        Ok(if all { pattern.replace_all(&value, &replacement) } else { pattern.replace_first(&value, &replacement) })
    }

    fn pattern(&self, text: &str) -> Lexed<Pattern> {
        match Pattern::new(text) {
            Ok(pattern) => Ok(pattern),
            Err(escaped) => {
                self.fail(format!("invalid pattern ({text}) in substitution: invalid escape '\\{escaped}'"))
            }
        }
    }

    /// A variable's name: letters, digits and `_`; digits alone; or one special parameter.
    fn name(&mut self) -> &'t str {
        let start = self.at;
        let first = self.peek();
        if first.is_some_and(is_digit) {
            while self.peek().is_some_and(is_digit) {
                self.next();
            }
        } else if matches!(first, Some('@' | '*' | '#' | '?' | '-' | '$' | '!')) {
            self.next();
        } else {
            while self.peek().is_some_and(|c| c == '_' || c.is_alphabetic() || is_digit(c)) {
                self.next();
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = (self.env)(name);
        if !self.options.names {
            return value;
        }
        let names = if value.is_some() { &mut self.matched } else { &mut self.unmatched };
        if !names.contains(name) {
            names.insert(name.to_owned());
        }
        value
    }
}

pub(super) fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric() && !c.is_alphabetic())
}
