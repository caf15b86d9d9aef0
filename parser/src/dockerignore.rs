//! `.dockerignore`: which paths of the build context are left out.
//!
//! The builder (moby's `patternmatcher`, and `fsutil` for the walk) is followed to the letter, its oddities included: a
//! pattern becomes a regular expression in the style of Go's `regexp`, so `[^a]` also takes a `/` and `\d` is a digit;
//! `*` and `?` never take a `/`; `dir/**` takes everything below; a later pattern wins over an earlier one; `!` takes back.
//!
//! There are two answers to "is this path left out?", and they may differ. [`Ignore::is_excluded`] tests a path and
//! everything above it, as the builder does for a path it is asked for. [`Ignore::walker`] hands results from directory to
//! entry, as the builder does while it reads a context. `Ignore` tells when they would (`*`, `!d`, `d/x`).

mod clean;
mod filter;
mod glob;
mod regexp;

pub use clean::clean;
pub use filter::{Filter, Verdict, Walker};

use crate::syntax::{ErrorStage, SyntaxError};
use crate::text::TextRange;
use glob::{Matcher, Signature};

/// The patterns of a `.dockerignore`, ready to match.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
    exceptions: bool,
    /// Every exception names its paths without a wildcard (but for a last `/*` or `/**`), so that it can be told which
    /// directories hold none.
    plain_exceptions: bool,
}

/// One pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Cleaned, without the `!`.
    text: String,
    negated: bool,
    range: TextRange,
    matcher: Matcher,
}

/// A line of the file that holds a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What the builder reads: trimmed, cleaned, without a leading `/`, with the `!` where there is one.
    pub text: String,
    /// What the author wrote, blanks around it excluded.
    pub range: TextRange,
}

/// Why the builder refuses a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatternError {
    /// `!` alone.
    IllegalExclusion,
    /// A bracket that is not closed, a range that runs backwards, an escape that says nothing.
    Syntax,
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::IllegalExclusion => "illegal exclusion pattern: \"!\"",
            Self::Syntax => "syntax error in pattern",
        })
    }
}

impl std::error::Error for PatternError {}

/// The longest line the builder reads.
const LONGEST_LINE: usize = 64 * 1024;

/// The patterns of a file as the builder reads them: a byte order mark is dropped, lines that begin with `#` are comments,
/// blanks around a pattern (and after its `!`) go, the path is cleaned and a leading `/` dropped.
#[must_use]
pub fn lines(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut offset = 0;
    for (number, whole) in text.split('\n').enumerate() {
        let mut start = offset;
        offset += whole.len() + 1;
        let mut line = whole.strip_suffix('\r').unwrap_or(whole);
        if number == 0
            && let Some(rest) = line.strip_prefix('\u{feff}')
        {
            start += line.len() - rest.len();
            line = rest;
        }
        let trimmed = line.trim();
        if line.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        start += line.len() - line.trim_start().len();
        let (sign, path) = match trimmed.strip_prefix('!') {
            Some(rest) => ("!", rest.trim()),
            None => ("", trimmed),
        };
        let mut cleaned = if path.is_empty() { "".into() } else { clean(path) };
        if cleaned.len() > 1 && cleaned.starts_with('/') {
            cleaned = cleaned.get(1..).unwrap_or_default().to_owned().into();
        }
        let range = TextRange::new(start, start + trimmed.len());
        found.push(Line { text: format!("{sign}{cleaned}"), range });
    }
    found
}

impl Ignore {
    /// Reads a `.dockerignore`. A pattern that the builder refuses is left out and told; the builder stops at the first one.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<SyntaxError>) {
        let mut ignore = Self { plain_exceptions: true, ..Self::default() };
        let mut errors = Vec::new();
        for line in lines(text) {
            let error = match Pattern::new(&line.text, line.range) {
                Ok(Some(pattern)) if pattern.matcher.is_broken() => Some(PatternError::Syntax),
                Ok(Some(pattern)) => {
                    ignore.push(pattern);
                    None
                }
                Ok(None) => None,
                Err(error) => Some(error),
            };
            errors.extend(error.map(|error| refused(error, line.range, text)));
            if line.range.len() >= LONGEST_LINE {
                errors.push(SyntaxError {
                    code: "dockerignore-line-too-long",
                    stage: ErrorStage::Build,
                    message: "this line is longer than 65535 bytes (bufio.Scanner: token too long)".to_owned(),
                    range: line.range,
                    help: Some("split it into several patterns".to_owned()),
                });
            }
        }
        (ignore, errors)
    }

    /// A matcher for patterns that come from elsewhere: `COPY --exclude`, an API.
    ///
    /// # Errors
    /// The first pattern that the builder refuses before it matches anything. One that it refuses only while matching
    /// (a regular expression that does not compile, `a\q`) is told by [`Ignore::test`].
    pub fn from_patterns<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, PatternError> {
        let mut ignore = Self { plain_exceptions: true, ..Self::default() };
        for text in patterns {
            if let Some(pattern) = Pattern::new(text, TextRange::default())? {
                ignore.push(pattern);
            }
        }
        Ok(ignore)
    }

    fn push(&mut self, pattern: Pattern) {
        self.exceptions |= pattern.negated;
        self.plain_exceptions &= !pattern.negated || pattern.is_plain();
        self.patterns.push(pattern);
    }

    /// The patterns in the order of the file.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Whether it leaves nothing out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether one of the patterns begins with `!`.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        self.exceptions
    }

    /// Whether a path, relative to the context and with `/` between its names, is left out: by a pattern that matches it
    /// or a directory above it, unless a later exception does. Whether it is a directory does not matter to the builder.
    #[must_use]
    pub fn is_excluded(&self, path: &str) -> bool {
        self.test(path).unwrap_or(false)
    }

    /// As [`Ignore::is_excluded`], with the error the builder stops with when it comes to a pattern that does not compile.
    ///
    /// # Errors
    /// [`PatternError::Syntax`], only for patterns given to [`Ignore::from_patterns`].
    pub fn test(&self, path: &str) -> Result<bool, PatternError> {
        self.decide(path).map(|pattern| pattern.is_some_and(|pattern| !pattern.negated))
    }

    /// The last pattern that had a say about a path: the one that leaves it out, or the exception that takes it back.
    #[must_use]
    pub fn deciding(&self, path: &str) -> Option<&Pattern> {
        self.decide(path).ok().flatten()
    }

    fn decide(&self, path: &str) -> Result<Option<&Pattern>, PatternError> {
        let parents = Parents::of(path);
        let signature = Signature::of(path);
        let mut excluded = false;
        let mut deciding = None;
        for pattern in &self.patterns {
            // An exception has a say only about what is out, a plain pattern about what is in.
            if pattern.negated == excluded && pattern.matches_or_parent(path, &parents, &signature)? {
                excluded = !pattern.negated;
                deciding = Some(pattern);
            }
        }
        Ok(deciding)
    }

    /// Whether an exception could take back something below `dir`, a directory that is left out itself. Where it cannot,
    /// the builder does not look below.
    #[must_use]
    pub fn may_reinclude_below(&self, dir: &str) -> bool {
        if !self.exceptions || !self.plain_exceptions {
            return self.exceptions;
        }
        self.patterns.iter().any(|pattern| pattern.negated && pattern.may_be_below(dir))
    }

    /// Reads a context from its root on, directory by directory.
    #[must_use]
    pub fn walker(&self) -> Walker<'_> {
        Walker::new(None, Some(self))
    }

    /// One step of the walk: whether `path` matches, given what its directory's patterns said (nothing for a path at the
    /// root), and into `said` what its own say, for what is below it.
    fn step(&self, path: &str, above: Option<&[bool]>, said: &mut Vec<bool>) -> Result<bool, PatternError> {
        let signature = Signature::of(path);
        let parents = if above.is_none() { Parents::of(path) } else { Parents::None };
        let mut matched = false;
        said.clear();
        said.resize(self.patterns.len(), false);
        for (index, (pattern, said)) in self.patterns.iter().zip(said.iter_mut()).enumerate() {
            let mut hit = above.and_then(|above| above.get(index)).copied().unwrap_or(false);
            if !hit {
                if pattern.negated != matched {
                    continue;
                }
                hit = pattern.matches_or_parent(path, &parents, &signature)?;
            }
            *said = hit;
            if hit {
                matched = !pattern.negated;
            }
        }
        Ok(matched)
    }
}

impl Pattern {
    /// Cleaned, without the `!`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it begins with `!`.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        self.negated
    }

    /// Where it stands in the file, the `!` included.
    #[must_use]
    pub fn range(&self) -> TextRange {
        self.range
    }

    /// Whether it takes exactly this path; directories above it and other patterns do not count.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.matcher.matches(&self.text, path, &Signature::of(path)).unwrap_or(false)
    }

    fn new(text: &str, range: TextRange) -> Result<Option<Self>, PatternError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        // Cleaned with its `!`, as the builder does: `!a/..` is `.` and no exception.
        let cleaned = clean(text);
        let (negated, text) = match cleaned.strip_prefix('!') {
            Some("") => return Err(PatternError::IllegalExclusion),
            Some(rest) => (true, rest),
            None => (false, &*cleaned),
        };
        if !regexp::is_well_formed(text) {
            return Err(PatternError::Syntax);
        }
        Ok(Some(Self { text: text.to_owned(), negated, range, matcher: Matcher::new(text) }))
    }

    fn matches_or_parent(
        &self,
        path: &str,
        parents: &Parents<'_>,
        signature: &Signature,
    ) -> Result<bool, PatternError> {
        // The signature of the whole path serves for the parents too: it promises only what cannot match.
        if !self.matcher.may_match(signature) {
            return Ok(false);
        }
        if let Parents::Clean(_) = parents
            && let Some(matched) = self.matcher.matches_or_above(path, signature)
        {
            return Ok(matched);
        }
        if self.matcher.matches(&self.text, path, signature)? {
            return Ok(true);
        }
        let Some(parent) = parents.nearest() else { return Ok(false) };
        let ends = parent.match_indices('/').map(|(index, _)| index).chain([parent.len()]);
        for end in ends {
            let parent = parent.get(..end).unwrap_or_default();
            if self.matcher.matches(&self.text, parent, signature)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Without a last `/**` and then a last `/*`.
    fn stem(&self) -> &str {
        let text = self.text.strip_suffix("/**").unwrap_or(&self.text);
        text.strip_suffix("/*").unwrap_or(text)
    }

    fn is_plain(&self) -> bool {
        !self.stem().contains(['*', '[', ']', '?', '^', '\\'])
    }

    fn may_be_below(&self, dir: &str) -> bool {
        self.stem().strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The directories above a path, as Go's `filepath.Dir` gives them.
enum Parents<'p> {
    None,
    Clean(&'p str),
    Cleaned(String),
}

impl<'p> Parents<'p> {
    fn of(path: &'p str) -> Self {
        let above = path.rfind('/').and_then(|end| path.get(..=end)).unwrap_or_default();
        match clean(above) {
            std::borrow::Cow::Borrowed(".") => Self::None,
            std::borrow::Cow::Borrowed(dir) => Self::Clean(dir),
            std::borrow::Cow::Owned(dir) if dir == "." => Self::None,
            std::borrow::Cow::Owned(dir) => Self::Cleaned(dir),
        }
    }

    fn nearest(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Clean(dir) => Some(dir),
            Self::Cleaned(dir) => Some(dir),
        }
    }
}

fn refused(error: PatternError, range: TextRange, text: &str) -> SyntaxError {
    let written = range.of(text);
    let (code, message, help) = match error {
        PatternError::IllegalExclusion => (
            "dockerignore-empty-exception",
            format!("{error}: an exception needs a path behind the `!`"),
            "write the path to keep, as in `!docs/README.md`, or remove the line",
        ),
        PatternError::Syntax => (
            "dockerignore-bad-pattern",
            format!("{error}: `{written}`"),
            "close every `[` with a `]`, let ranges run upwards, and write `\\` only before a character that would mean \
             something else",
        ),
    };
    SyntaxError { code, stage: ErrorStage::Build, message, range, help: Some(help.to_owned()) }
}
