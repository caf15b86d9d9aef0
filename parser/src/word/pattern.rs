//! The patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/…}`: `*` and `?`, no brackets.

/// A pattern, ready to match.
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `?`
    One,
    /// `*`
    Any,
}

impl Pattern {
    /// Reads a pattern. `\` escapes `*`, `?`, `\` and the brace and slash that would end the substitution; before
    /// anything else it is refused.
    pub(super) fn new(text: &str) -> Result<Self, char> {
        let mut pieces = Vec::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            pieces.push(match c {
                '*' => Piece::Any,
                '?' => Piece::One,
                '\\' => match chars.next() {
                    Some(escaped @ ('}' | '/' | '*' | '?' | '\\')) => Piece::Char(escaped),
                    other => return Err(other.unwrap_or(char::REPLACEMENT_CHARACTER)),
                },
                c => Piece::Char(c),
            });
        }
        Ok(Self { pieces })
    }

    /// `value` without the shortest or longest start the pattern matches.
    pub(super) fn without_prefix<'v>(&self, value: &'v str, longest: bool) -> &'v str {
        let end = matched(self.pieces.iter().copied(), value.chars(), longest);
        end.and_then(|end| value.get(end..)).unwrap_or(value)
    }

    /// `value` without the shortest or longest end the pattern matches.
    pub(super) fn without_suffix<'v>(&self, value: &'v str, longest: bool) -> &'v str {
        let len = matched(self.pieces.iter().rev().copied(), value.chars().rev(), longest);
        len.and_then(|len| value.get(..value.len() - len)).unwrap_or(value)
    }

    /// The first, longest match from `from` on.
    fn find(&self, value: &str, from: usize) -> Option<(usize, usize)> {
        let rest = value.get(from..)?;
        let starts = rest.char_indices().map(|(at, _)| from + at).chain(std::iter::once(value.len()));
        for start in starts {
            let chars = value.get(start..).unwrap_or_default().chars();
            if let Some(len) = matched(self.pieces.iter().copied(), chars, true) {
                return Some((start, start + len));
            }
        }
        None
    }

    /// `value` with the first match replaced.
    pub(super) fn replace_first(&self, value: &str, replacement: &str) -> String {
        match self.find(value, 0) {
            Some((start, end)) => {
                let (before, after) = (value.get(..start).unwrap_or_default(), value.get(end..).unwrap_or_default());
                format!("{before}{replacement}{after}")
            }
            None => value.to_owned(),
        }
    }

    /// `value` with every match replaced. BuildKit hands the replacement to a regular expression here, so that `$0` in
    /// it is the match and `$name` nothing.
    pub(super) fn replace_all(&self, value: &str, replacement: &str) -> String {
        let mut out = String::with_capacity(value.len());
        let (mut at, mut copied) = (0, 0);
        while at <= value.len() {
            let Some((start, end)) = self.find(value, at) else { break };
            out.push_str(value.get(copied..start).unwrap_or_default());
            if end > copied || start == 0 {
                template(&mut out, replacement, value.get(start..end).unwrap_or_default());
            }
            copied = end;
            let width = value.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            at = end.max(at + width);
        }
        out.push_str(value.get(copied..).unwrap_or_default());
        out
    }
}

/// How many bytes of `chars` the pattern takes from the start; nothing when it does not match there. All ends are
/// followed at once, so that no pattern takes more than its length times that of the text.
fn matched(pieces: impl Iterator<Item = Piece>, chars: impl Iterator<Item = char>, longest: bool) -> Option<usize> {
    let pieces: Vec<Piece> = pieces.collect();
    let mut states = vec![false; pieces.len() + 1];
    if let Some(first) = states.first_mut() {
        *first = true;
    }
    let skip_stars = |states: &mut Vec<bool>| {
        for (index, piece) in pieces.iter().enumerate() {
            if *piece == Piece::Any
                && states.get(index).copied().unwrap_or(false)
                && let Some(next) = states.get_mut(index + 1)
            {
                *next = true;
            }
        }
    };
    skip_stars(&mut states);
    let mut at = 0;
    let mut end = states.last().copied().unwrap_or(false).then_some(0);
    for c in chars {
        if end.is_some() && !longest {
            break;
        }
        let mut next = vec![false; states.len()];
        for (index, piece) in pieces.iter().enumerate() {
            if !states.get(index).copied().unwrap_or(false) {
                continue;
            }
            let to = match piece {
                Piece::Any if c != '\n' => index,
                Piece::One if c != '\n' => index + 1,
                Piece::Char(expected) if *expected == c => index + 1,
                _ => continue,
            };
            if let Some(state) = next.get_mut(to) {
                *state = true;
            }
        }
        states = next;
        skip_stars(&mut states);
        at += c.len_utf8();
        if states.last().copied().unwrap_or(false) {
            end = Some(at);
        } else if !states.contains(&true) {
            break;
        }
    }
    end
}

/// Writes a replacement as a regular expression's template.
fn template(out: &mut String, replacement: &str, found: &str) {
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let is_name = |c: char| c == '_' || c.is_alphanumeric();
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (name, tail) = match after.strip_prefix('{') {
            Some(braced) => match braced.split_once('}') {
                Some((name, tail)) if !name.is_empty() && name.chars().all(is_name) => (name, tail),
                _ => ("", after),
            },
            None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        if name.is_empty() {
            out.push('$');
            rest = after;
            continue;
        }
        if name.bytes().all(|byte| byte == b'0') && name.len() == 1 {
            out.push_str(found);
        }
        rest = tail;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).unwrap_or_else(|c| panic!("escape {c}"))
    }

    #[test]
    fn prefixes_and_suffixes() {
        assert_eq!(pattern("*/").without_prefix("a/b/c", false), "b/c");
        assert_eq!(pattern("*/").without_prefix("a/b/c", true), "c");
        assert_eq!(pattern("/*").without_suffix("a/b/c", false), "a/b");
        assert_eq!(pattern("/*").without_suffix("a/b/c", true), "a");
        assert_eq!(pattern("?b").without_prefix("\u{e9}bc", true), "c");
        assert_eq!(pattern("x").without_prefix("abc", true), "abc");
        assert_eq!(pattern("\\*").without_suffix("ab*", true), "ab");
    }

    #[test]
    fn replacements() {
        assert_eq!(pattern("/").replace_all("a/b/c", "-"), "a-b-c");
        assert_eq!(pattern("/").replace_first("a/b/c", "-"), "a-b/c");
        assert_eq!(pattern("").replace_all("ab", "-"), "-a-b-");
        assert_eq!(pattern("b*").replace_all("abbc", "<$0>$$"), "a<bbc>$");
        assert_eq!(pattern("a").replace_first("banana", "$0"), "b$0nana");
        assert_eq!(Pattern::new("\\a").err(), Some('a'));
    }

    #[test]
    fn many_stars_are_quick() {
        let stars = pattern(&"*a".repeat(60));
        assert_eq!(stars.without_prefix(&"a".repeat(5_000), true), "");
    }
}
