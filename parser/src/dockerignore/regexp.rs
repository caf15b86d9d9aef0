//! Patterns as the builder understands them: checked by the rules of Go's `filepath.Match`, then written as a regular
//! expression and read by the rules of Go's `regexp`.
//!
//! The two disagree (`[a-]`, `\d`, `[[:alpha:]]`), and so a pattern may pass the check and still not compile, or mean
//! something nobody expects. Of the characters that mean something to `regexp` but not to `filepath.Match`, the builder
//! means to escape all and escapes those below `@` only: `|` separates alternatives, each of which may stand anywhere in a
//! path, and `{2}` repeats. [`super::glob`] matches what is read here by itself.

use std::iter::Peekable;
use std::str::Chars;

/// What matches one stretch of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This character.
    Char(char),
    /// One character.
    One(Set),
    /// Any number of characters.
    Many(Set),
    /// `(.*/)?`: nothing, or anything up to and with a `/`.
    Dirs,
    /// A character, a set or a condition, at least so often and at most so often.
    Repeat(Box<Step>, u32, Option<u32>),
    /// A condition that takes no character.
    Assert(Assertion),
}

/// A set of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// `[^/]`
    Name,
    /// `.`: all but a line end.
    Line,
    /// All.
    All,
    /// Any other.
    Class {
        /// Whether it is all but these.
        negated: bool,
        /// First and last of each range.
        ranges: Vec<(char, char)>,
        /// Sets that are not ranges, and whether they are turned round: `\pL`.
        categories: Vec<(char, bool)>,
    },
}

/// A condition that takes no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    /// At the first character.
    Start,
    /// After the last one.
    End,
    /// Between a word's character and another.
    Boundary,
    /// Not there.
    NoBoundary,
}

/// How the builder matches a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// By comparison.
    Exact,
    /// `text**`: by comparison of the beginning.
    Prefix,
    /// `**text`: by comparison of the end.
    Suffix,
    /// By the expression.
    Expression,
}

/// The expression for a pattern, and whether it is needed at all.
pub(super) fn translate(pattern: &str) -> (Shape, String) {
    let mut shape = Shape::Exact;
    let mut expression = String::from("^");
    // The builder's scanner drops a byte order mark.
    let mut chars = pattern.strip_prefix('\u{feff}').unwrap_or(pattern).chars().peekable();
    let mut first = true;
    while let Some(char) = chars.next() {
        match char {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_some() {
                    expression.push_str("(.*/)?");
                    shape = Shape::Expression;
                } else if shape == Shape::Exact {
                    shape = Shape::Prefix;
                } else {
                    expression.push_str(".*");
                    shape = Shape::Expression;
                }
                if first {
                    shape = Shape::Suffix;
                }
            }
            '*' => {
                expression.push_str("[^/]*");
                shape = Shape::Expression;
            }
            '?' => {
                expression.push_str("[^/]");
                shape = Shape::Expression;
            }
            '.' | '+' | '(' | ')' | '$' => {
                expression.push('\\');
                expression.push(char);
            }
            '\\' => {
                expression.push('\\');
                if let Some(next) = chars.next() {
                    expression.push(next);
                    shape = Shape::Expression;
                }
            }
            '[' | ']' => {
                expression.push(char);
                shape = Shape::Expression;
            }
            _ => expression.push(char),
        }
        first = false;
    }
    expression.push('$');
    (shape, expression)
}

/// An expression that does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// The most that may be asked of `{n,m}`.
const MOST: u32 = 1000;
/// The most characters an expression may stand for with its repetitions written out.
const LARGEST: usize = 1 << 20;

/// Reads an expression that [`translate`] wrote: its alternatives.
pub(super) fn compile(expression: &str) -> Result<Vec<Vec<Step>>, Broken> {
    let mut alternatives = Vec::new();
    let mut steps = Vec::new();
    let mut rest = expression;
    let mut size = 0;
    while let Some(char) = rest.chars().next() {
        let after = rest.get(char.len_utf8()..).unwrap_or_default();
        rest = match char {
            '(' if rest.starts_with("(.*/)?") => push(&mut steps, Step::Dirs, rest.get(6..).unwrap_or_default()),
            '[' => {
                let mut reader = Reader { chars: after.chars().peekable(), rest: after };
                let set = reader.class()?;
                push_set(&mut steps, set, reader.rest)
            }
            '.' => push_set(&mut steps, Set::Line, after),
            '^' => push(&mut steps, Step::Assert(Assertion::Start), after),
            '$' => push(&mut steps, Step::Assert(Assertion::End), after),
            '|' => {
                alternatives.push(std::mem::take(&mut steps));
                after
            }
            '{' => match repetition(rest) {
                Some((min, max, after)) => {
                    let most = max.unwrap_or(min);
                    let step = steps.pop().ok_or(Broken)?;
                    let repeated = matches!(step, Step::Many(_) | Step::Dirs | Step::Repeat(..));
                    if repeated || min > MOST || most > MOST || min > most {
                        return Err(Broken);
                    }
                    size += most as usize;
                    push(&mut steps, Step::Repeat(Box::new(step), min, max), after)
                }
                None => push(&mut steps, Step::Char(char), after),
            },
            '\\' => escape(&mut steps, after)?,
            _ => push(&mut steps, Step::Char(char), after),
        };
        if size > LARGEST {
            return Err(Broken);
        }
    }
    alternatives.push(steps);
    Ok(alternatives)
}

/// `{2}`, `{2,}`, `{2,3}`; anything else is text. A number too large to read is as good as any that is not allowed.
fn repetition(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (within, after) = text.strip_prefix('{')?.split_once('}')?;
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (plain && (digits.len() == 1 || !digits.starts_with('0'))).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    match within.split_once(',') {
        None => number(within).map(|min| (min, Some(min), after)),
        Some((min, "")) => number(min).map(|min| (min, None, after)),
        Some((min, max)) => Some((number(min)?, Some(number(max)?), after)),
    }
}

fn push<'r>(steps: &mut Vec<Step>, step: Step, rest: &'r str) -> &'r str {
    steps.push(step);
    rest
}

/// A set and the `*` behind it.
fn push_set<'r>(steps: &mut Vec<Step>, set: Set, rest: &'r str) -> &'r str {
    match rest.strip_prefix('*') {
        Some(rest) => push(steps, Step::Many(set), rest),
        None => push(steps, Step::One(set), rest),
    }
}

/// What stands behind a backslash outside a class.
fn escape<'r>(steps: &mut Vec<Step>, after: &'r str) -> Result<&'r str, Broken> {
    let letter = after.chars().next().ok_or(Broken)?;
    let rest = after.get(letter.len_utf8()..).unwrap_or_default();
    let assertion = match letter {
        'A' => Some(Assertion::Start),
        'z' => Some(Assertion::End),
        'b' => Some(Assertion::Boundary),
        'B' => Some(Assertion::NoBoundary),
        _ => None,
    };
    if let Some(assertion) = assertion {
        return Ok(push(steps, Step::Assert(assertion), rest));
    }
    if letter == 'Q' {
        let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
        steps.extend(literal.chars().map(Step::Char));
        return Ok(rest);
    }
    let mut reader = Reader { chars: after.chars().peekable(), rest: after };
    let mut class = Class::default();
    if reader.named_set(&mut class)? {
        return Ok(push_set(steps, class.done(false), reader.rest));
    }
    let char = reader.escaped()?;
    Ok(push(steps, Step::Char(char), reader.rest))
}

#[derive(Default)]
struct Class {
    ranges: Vec<(char, char)>,
    categories: Vec<(char, bool)>,
}

impl Class {
    fn done(self, negated: bool) -> Set {
        if negated && self.categories.is_empty() && self.ranges == [('/', '/')] {
            return Set::Name;
        }
        Set::Class { negated, ranges: self.ranges, categories: self.categories }
    }

    /// Adds these ranges of ASCII, or everything but them.
    fn add(&mut self, ranges: &[(char, char)], negated: bool) {
        if !negated {
            self.ranges.extend_from_slice(ranges);
            return;
        }
        let mut next = '\0';
        for &(first, last) in ranges {
            if let Some(before) = (next..first).next_back() {
                self.ranges.push((next, before));
            }
            next = (last..).nth(1).unwrap_or(char::MAX);
        }
        self.ranges.push((next, char::MAX));
    }
}

struct Reader<'r> {
    chars: Peekable<Chars<'r>>,
    rest: &'r str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let char = self.chars.next()?;
        self.rest = self.rest.get(char.len_utf8()..).unwrap_or_default();
        Some(char)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.chars = self.rest.chars().peekable();
    }

    /// A class behind its opening bracket.
    fn class(&mut self) -> Result<Set, Broken> {
        let mut class = Class::default();
        let negated = self.rest.starts_with('^');
        if negated {
            self.next();
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if let Some(name) = self.rest.strip_prefix("[:")
                && let Some(end) = name.find(":]")
            {
                let name = name.get(..end).unwrap_or_default();
                let (name, turned) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
                class.add(posix(name).ok_or(Broken)?, turned);
                self.skip(end + 4);
                continue;
            }
            if self.rest.starts_with('\\') {
                let mut escaped = Reader { chars: self.chars.clone(), rest: self.rest };
                escaped.next();
                if escaped.named_set(&mut class)? {
                    self.rest = escaped.rest;
                    self.chars = self.rest.chars().peekable();
                    continue;
                }
            }
            let low = self.class_char()?;
            let mut high = low;
            if let Some(behind) = self.rest.strip_prefix('-')
                && !behind.is_empty()
                && !behind.starts_with(']')
            {
                self.next();
                high = self.class_char()?;
                if high < low {
                    return Err(Broken);
                }
            }
            class.ranges.push((low, high));
        }
        self.next();
        Ok(class.done(negated))
    }

    fn class_char(&mut self) -> Result<char, Broken> {
        match self.next().ok_or(Broken)? {
            '\\' => self.escaped(),
            char => Ok(char),
        }
    }

    /// `\d`, `\pL` and their like, behind the backslash.
    fn named_set(&mut self, class: &mut Class) -> Result<bool, Broken> {
        let Some(letter) = self.rest.chars().next() else { return Ok(false) };
        let ranges: &[(char, char)] = match letter.to_ascii_lowercase() {
            'd' => &[('0', '9')],
            's' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
            'w' => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            'p' => {
                self.next();
                let turned = letter == 'P';
                let (category, turned) = match self.next().ok_or(Broken)? {
                    '{' => {
                        let (name, rest) = self.rest.split_once('}').ok_or(Broken)?;
                        let (name, again) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
                        let category = CATEGORIES.iter().find(|(known, _)| *known == name).ok_or(Broken)?;
                        self.skip(self.rest.len() - rest.len());
                        (category.1, turned != again)
                    }
                    category if "CLMNPSZ".contains(category) => (category, turned),
                    _ => return Err(Broken),
                };
                class.categories.push((category, turned));
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.next();
        class.add(ranges, letter.is_ascii_uppercase());
        Ok(true)
    }

    /// One character, behind the backslash.
    fn escaped(&mut self) -> Result<char, Broken> {
        let letter = self.next().ok_or(Broken)?;
        let octal = |char: &char| char.is_digit(8);
        match letter {
            '1'..='7' if !self.chars.peek().is_some_and(octal) => Err(Broken),
            '0'..='7' => {
                let mut value = letter.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.chars.peek().and_then(|char| char.to_digit(8)) else { break };
                    value = value * 8 + digit;
                    self.next();
                }
                char::from_u32(value).ok_or(Broken)
            }
            'x' if self.rest.starts_with('{') => {
                let (digits, rest) = self.rest.get(1..).and_then(|rest| rest.split_once('}')).ok_or(Broken)?;
                let value = u32::from_str_radix(digits, 16).map_err(|_| Broken)?;
                self.skip(self.rest.len() - rest.len());
                char::from_u32(value).ok_or(Broken)
            }
            'x' => {
                let mut digit = || self.next().and_then(|char| char.to_digit(16)).ok_or(Broken);
                let value = digit()? * 16 + digit()?;
                char::from_u32(value).ok_or(Broken)
            }
            'a' => Ok('\x07'),
            'f' => Ok('\x0c'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\x0b'),
            _ if letter.is_ascii() && !letter.is_ascii_alphanumeric() => Ok(letter),
            _ => Err(Broken),
        }
    }
}

fn posix(name: &str) -> Option<&'static [(char, char)]> {
    Some(match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    })
}

/// Names of `\p{…}` that the standard library can tell, nearly.
const CATEGORIES: &[(&str, char)] = &[
    ("C", 'C'),
    ("L", 'L'),
    ("M", 'M'),
    ("N", 'N'),
    ("P", 'P'),
    ("S", 'S'),
    ("Z", 'Z'),
    ("Any", 'A'),
    ("Cc", 'C'),
    ("Ll", 'l'),
    ("Lu", 'u'),
    ("Nd", 'N'),
    ("Zs", 'Z'),
];

impl Set {
    pub(super) fn has(&self, char: char) -> bool {
        match self {
            Self::Name => char != '/',
            Self::Line => char != '\n',
            Self::All => true,
            Self::Class { negated, ranges, categories } => {
                let within = ranges.iter().any(|&(low, high)| low <= char && char <= high)
                    || categories.iter().any(|&(category, turned)| in_category(char, category) != turned);
                within != *negated
            }
        }
    }
}

/// The general category of a character by its first letter; beyond ASCII as near as the standard library knows it.
fn in_category(char: char, category: char) -> bool {
    let symbol = "$+<=>^`|~".contains(char);
    match category {
        'A' => true,
        'l' => char.is_lowercase(),
        'u' => char.is_uppercase(),
        'L' => char.is_alphabetic() && !char.is_numeric(),
        'N' => char.is_numeric(),
        'P' => char.is_ascii_punctuation() && !symbol,
        'S' => symbol,
        'Z' => char.is_whitespace() && !char.is_control(),
        'C' => char.is_control(),
        _ => false,
    }
}

/// Whether Go's `filepath.Match` accepts the pattern.
pub(super) fn is_well_formed(pattern: &str) -> bool {
    let mut rest = pattern;
    while !rest.is_empty() {
        let trimmed = rest.trim_start_matches('*');
        let end = chunk_end(trimmed);
        let (chunk, after) = trimmed.split_at_checked(end).unwrap_or((trimmed, ""));
        if !chunk_is_well_formed(chunk) {
            return false;
        }
        rest = after;
    }
    true
}

/// Where the next `*` outside brackets stands.
fn chunk_end(pattern: &str) -> usize {
    let mut in_class = false;
    let mut escaped = false;
    for (at, byte) in pattern.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => return at,
            _ => {}
        }
    }
    pattern.len()
}

fn chunk_is_well_formed(chunk: &str) -> bool {
    let mut chars = chunk.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.next().is_none() => return false,
            '[' if !class_is_well_formed(&mut chars) => return false,
            _ => {}
        }
    }
    true
}

fn class_is_well_formed(chars: &mut Peekable<Chars<'_>>) -> bool {
    chars.next_if_eq(&'^');
    let mut any = false;
    loop {
        if any && chars.next_if_eq(&']').is_some() {
            return true;
        }
        any = true;
        // A member, or the low end of a range; something has to follow it.
        if !member_is_well_formed(chars) || (chars.next_if_eq(&'-').is_some() && !member_is_well_formed(chars)) {
            return false;
        }
    }
}

fn member_is_well_formed(chars: &mut Peekable<Chars<'_>>) -> bool {
    let char = match chars.next() {
        None | Some('-' | ']') => return false,
        Some('\\') => chars.next(),
        char => char,
    };
    char.is_some() && chars.peek().is_some()
}
