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
    if simple(text, escape as u8, |_| {}, |_| {}) {
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
    // Words are short: their first bytes are looked at one by one, which is quicker than a call.
    let (head, tail) = text.split_at(text.len().min(32));
    let mask = if escape == b'`' { SIGN | BACKTICK } else { SIGN | BACKSLASH };
    let near = head.iter().position(|byte| SPECIAL.get(*byte as usize).is_some_and(|class| class & mask != 0));
    if near.is_some() || tail.is_empty() {
        return near;
    }
    let sign = memchr::memchr3(b'$', b'"', b'\'', tail);
    let before = sign.map_or(tail, |at| tail.get(..at).unwrap_or_default());
    memchr::memchr(escape, before).or(sign).map(|at| at + head.len())
}

const SIGN: u8 = 1;
const BACKSLASH: u8 = 2;
const BACKTICK: u8 = 4;

/// What the bytes are that expansion may look at.
#[expect(clippy::indexing_slicing, reason = "for constants: out of bounds would not compile")]
static SPECIAL: [u8; 256] = {
    let mut classes = [0; 256];
    classes[b'$' as usize] = SIGN;
    classes[b'"' as usize] = SIGN;
    classes[b'\'' as usize] = SIGN;
    classes[b'\\' as usize] = BACKSLASH;
    classes[b'`' as usize] = BACKTICK;
    classes
};

/// Reads `text` where it holds nothing but text, escapes, closed quotes, `$name` and `${name}`; says whether it does. Text
/// goes to `out` as it is to stand in the result, names to `variable`.
fn simple<'t>(text: &'t str, escape: u8, mut out: impl FnMut(&'t str), mut variable: impl FnMut(&'t str)) -> bool {
    let name_len = |text: &str| text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    if text.starts_with('\u{feff}') {
        return false;
    }
    let mut quoted = false;
    let mut rest = text;
    while let Some(at) = special(rest.as_bytes(), escape) {
        let (before, found) = rest.split_at(at);
        out(before);
        let (sign, tail) = found.split_at(1);
        rest = match sign.as_bytes().first() {
            Some(b'"') => {
                quoted = !quoted;
                tail
            }
            Some(b'\'') if !quoted => match tail.split_once('\'') {
                Some((inner, after)) => {
                    out(inner);
                    after
                }
                None => return false,
            },
            Some(b'$') => {
                let braced = tail.strip_prefix('{');
                let named = braced.unwrap_or(tail);
                let (name, after) = named.split_at(name_len(named));
                let after = if braced.is_some() { after.strip_prefix('}') } else { Some(after) };
                // Digits end a name that begins with them, and other signs may be names of their own.
                let plain = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
                let Some(after) = after.filter(|after| plain && !after.starts_with(|c: char| !c.is_ascii())) else {
                    return false;
                };
                variable(name);
                after
            }
            Some(first) if *first == escape => {
                let next = tail.chars().next().map_or(0, char::len_utf8);
                let (escaped, after) = tail.split_at(next);
                if quoted && !matches!(escaped, "\"" | "$") && escaped != sign {
                    out(sign);
                }
                out(escaped);
                after
            }
            _ => {
                out(sign);
                tail
            }
        };
    }
    out(rest);
    !quoted
}

/// Expands `text` without asking which names were set.
pub(crate) fn expand_quickly(text: &str, escape: char, env: Env<'_>) -> Result<String, WordError> {
    let result = std::cell::RefCell::new(String::with_capacity(text.len()));
    let variable = |name: &str| {
        if let Some(value) = env(name) {
            result.borrow_mut().push_str(&value);
        }
    };
    if simple(text, escape as u8, |text| result.borrow_mut().push_str(text), variable) {
        return Ok(result.into_inner());
    }
    Lexer::new(text, Options { escape, ..Options::default() }, env).run().map(|(word, _)| word)
}

/// An environment whose names fold case, as on Windows.
pub fn folding(env: &[(String, String)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let folded = name.to_lowercase();
        env.iter().rev().find(|(key, _)| key.to_lowercase() == folded).map(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECES: [&str; 26] = [
        "a", " ", "$A", "${A}", "${B}", "$B", "$", "${", "}", "${A:-b}", "${C?}", "'", "\"", "\\", "`", "<", "<<", "1",
        "$1", "$$", "_", "\u{e9}", "\u{feff}", "\u{a0}", "{", "-",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

        #[test]
        fn the_quick_way_says_the_same(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12)) {
            let text = pieces.concat();
            let env = |name: &str| (name == "A").then(|| "v w".to_owned());
            for escape in ['\\', '`'] {
                let expanded = expand(&text, escape, &env).map(|expanded| expanded.word);
                prop_assert_eq!(expand_quickly(&text, escape, &env), expanded.clone());
                let valid = expand(&text, escape, &|_| None).err().filter(|error| !error.about_value);
                prop_assert_eq!(validate(&text, escape).err(), valid);
            }
        }
    }
}
