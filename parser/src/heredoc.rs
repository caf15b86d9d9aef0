//! Heredoc operators (Dockerfile reference, "Here-Documents").

use crate::word::{Lexer, Options, WordError};
use std::ops::Range;

/// `<<EOF`, `3<<-'EOF'`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The delimiter without quotes.
    pub name: String,
    /// The file descriptor before it; 0 when none is written or it is no number of this machine.
    pub fd: u32,
    /// Whether variables in the body are expanded: nothing of the delimiter is quoted.
    pub expand: bool,
    /// `<<-`: tabs at the start of the body's lines are dropped.
    pub chomp: bool,
}

/// Whether `word` is a heredoc's operator with its delimiter, and which.
///
/// # Errors
/// Where the delimiter's quotes are not closed.
pub fn operator(word: &str) -> Result<Option<Operator>, WordError> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (fd, rest) = word.split_at(digits);
    let Some(rest) = rest.strip_prefix("<<") else { return Ok(None) };
    let (chomp, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.trim_start_matches(['\t', '\n', '\u{c}', '\r', ' ']);
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let unset = |_: &str| None;
    let options = Options { skip_unset: true, split: true, ..Options::default() };
    let (_, words) = Lexer::new(rest, options, &unset).run()?;
    let [(name, _)] = words.as_slice() else { return Ok(None) };
    let (_, raw) = Lexer::new(rest, Options { raw_quotes: true, ..options }, &unset).run()?;
    let quotes = |word: &str| word.matches(['\'', '"']).count();
    let expand = raw.first().is_some_and(|(raw, _)| quotes(raw) == quotes(name));
    Ok(Some(Operator { name: name.clone(), fd: fd.parse().unwrap_or(0), expand, chomp }))
}

/// The operators of a line of RUN, COPY or ADD, with their places in it.
///
/// # Errors
/// Where the quotes of a delimiter are not closed.
pub fn operators(line: &str) -> Result<Vec<(Operator, Range<usize>)>, WordError> {
    let unset = |_: &str| None;
    let options = Options { raw_quotes: true, raw_escapes: true, skip_unset: true, split: true, ..Options::default() };
    // A line whose quotes are not closed has no words, and so no heredocs: the shell may still make sense of it.
    let words = Lexer::new(line, options, &unset).run().map(|(_, words)| words).unwrap_or_default();
    let mut found = Vec::new();
    for (word, place) in words {
        if let Some(operator) = operator(&word)? {
            found.push((operator, place));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_a_line() {
        let line = "RUN cat <<A 3<<-'B c' > x && echo \"<<D\" << E";
        let found = operators(line).unwrap();
        let shown: Vec<_> =
            found.iter().map(|(o, place)| (&*o.name, o.fd, o.expand, o.chomp, &line[place.clone()])).collect();
        assert_eq!(
            shown,
            [("A", 0, true, false, "<<A"), ("B c", 3, false, true, "3<<-'B c'"), ("E", 0, true, false, "<< E"),]
        );
    }
    #[test]
    fn places_count_a_byte_order_mark() {
        let line = "\u{feff}\n<<EOF";
        let found = operators(line).unwrap();
        assert_eq!(found.iter().map(|(_, place)| &line[place.clone()]).collect::<Vec<_>>(), ["<<EOF"]);
    }
}
