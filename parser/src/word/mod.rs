//! Words: variables, quotes and escapes as BuildKit's shell lexer reads them (Dockerfile reference, "Environment
//! replacement"). This is not the shell of RUN: it is what the builder itself does to FROM, ENV, COPY, WORKDIR, ….

mod lexer;
mod parts;
mod pattern;

pub use parts::{Modifier, Part, PartKind, parts};

pub(crate) use lexer::{Lexer, Options};

/// A word with its variables put in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Expanded {
    /// The word.
    pub word: String,
    /// Names of the variables that were set, sorted.
    pub matched: Vec<String>,
    /// Names of the variables that were not, sorted.
    pub unmatched: Vec<String>,
}

/// A word that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordError {
    /// BuildKit's words for it.
    pub message: String,
    /// The offset in the word where it was noticed.
    pub at: usize,
    /// Whether it is about a variable without a value (`${name:?}`), and so may be fine elsewhere.
    pub about_value: bool,
}

impl std::fmt::Display for WordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WordError {}

/// Where values come from: nothing where a variable is unset.
pub type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Expands `text` as one word.
///
/// Knows `$name`, `${name}` and the modifiers `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//`; what a modifier's
/// word holds is expanded too. Quotes are removed, and escapes as `escape` says.
///
/// # Errors
/// Where a quote or brace is not closed, a modifier is unknown, or `${name:?}` has no value.
pub fn expand(text: &str, escape: char, env: Env<'_>) -> Result<Expanded, WordError> {
    let mut lexer = Lexer::new(text, Options { escape, names: true, ..Options::default() }, env);
    let (word, _) = lexer.run()?;
    let (matched, unmatched) = lexer.names();
    Ok(Expanded { word, matched, unmatched })
}

/// Expands `text` and splits the result at white space that is neither quoted nor escaped; what a variable brings in is
/// split too.
///
/// # Errors
/// As [`expand`].
pub fn expand_words(text: &str, escape: char, env: Env<'_>) -> Result<Vec<String>, WordError> {
    let (_, words) = Lexer::new(text, Options { escape, split: true, ..Options::default() }, env).run()?;
    Ok(words.into_iter().map(|(word, _)| word).collect())
}

/// Expands the body of a heredoc of COPY or ADD: as [`expand`], but quotes are text and the escape is always `\`.
///
/// # Errors
/// As [`expand`].
pub fn expand_heredoc(text: &str, env: Env<'_>) -> Result<Expanded, WordError> {
    let options = Options { keep_quotes_as_text: true, names: true, ..Options::default() };
    let mut lexer = Lexer::new(text, options, env);
    let (word, _) = lexer.run()?;
    let (matched, unmatched) = lexer.names();
    Ok(Expanded { word, matched, unmatched })
}

/// Whether `text` can be expanded, whatever is set.
pub(crate) fn validate(text: &str, escape: char) -> Result<(), WordError> {
    if is_simple(text.as_bytes(), escape as u8) {
        return Ok(());
    }
    match expand_quickly(text, escape, &|_| None) {
        Err(error) if !error.about_value => Err(error),
        _ => Ok(()),
    }
}

/// Where the first byte of `text` stands that expansion looks at: a dollar sign, a quote or the escape character.
#[inline]
pub(crate) fn special(text: &[u8], escape: u8) -> Option<usize> {
    #[expect(clippy::indexing_slicing, reason = "a constant: out of bounds would not compile")]
    const SPECIAL: [bool; 256] = {
        let mut special = [false; 256];
        (special[b'$' as usize], special[b'"' as usize], special[b'\'' as usize]) = (true, true, true);
        special
    };
    text.iter().position(|byte| SPECIAL.get(*byte as usize).copied().unwrap_or(false) || *byte == escape)
}

/// Whether `text` holds nothing but text, closed quotes, `$name` and `${name}`.
fn is_simple(text: &[u8], escape: u8) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut quoted = false;
    let mut rest = text;
    while let Some((first, tail)) = special(rest, escape).and_then(|at| rest.get(at..)?.split_first()) {
        rest = match first {
            b'"' => {
                quoted = !quoted;
                tail
            }
            b'\'' if !quoted => match memchr::memchr(b'\'', tail) {
                Some(close) => tail.get(close + 1..).unwrap_or_default(),
                None => return false,
            },
            b'$' => match tail.strip_prefix(b"{") {
                None => tail,
                Some(braced) => {
                    let len = braced.iter().take_while(|byte| is_name(byte)).count();
                    match braced.get(len) {
                        Some(b'}') if len > 0 => braced.get(len + 1..).unwrap_or_default(),
                        _ => return false,
                    }
                }
            },
            first if *first == escape => tail.get(1..).unwrap_or_default(),
            _ => tail,
        };
    }
    !quoted
}

/// Expands `text` without asking which names were set.
pub(crate) fn expand_quickly(text: &str, escape: char, env: Env<'_>) -> Result<String, WordError> {
    Lexer::new(text, Options { escape, ..Options::default() }, env).run().map(|(word, _)| word)
}

/// An environment whose names fold case, as on Windows.
pub fn folding(env: &[(String, String)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let folded = name.to_lowercase();
        env.iter().rev().find(|(key, _)| key.to_lowercase() == folded).map(|(_, value)| value.clone())
    }
}
