//! What a rule has to say: a finding, the places it is about and what would mend it.

use plimsoll_parser::{Edit, TextRange};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// How much a finding matters. Ordered from the gravest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The build fails or does something its author cannot want.
    Error,
    /// Costs bytes, time, safety or reproducibility.
    Warning,
    /// Worth knowing.
    Info,
    /// A matter of taste.
    Style,
    /// Not told unless asked for.
    Off,
}

impl Severity {
    /// Its name in configuration and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Style => "style",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "error" => Ok(Self::Error),
            "warning" | "warn" => Ok(Self::Warning),
            "info" | "note" => Ok(Self::Info),
            "style" => Ok(Self::Style),
            "off" | "ignore" | "none" | "false" => Ok(Self::Off),
            _ => Err(()),
        }
    }
}

/// What a fix promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Applicability {
    /// The built images differ at most in the paths the fix declares.
    Safe,
    /// They may differ in more; the program should be the same, and a build of both shows whether it is.
    Unsafe,
    /// The author has to choose; shown, never applied.
    Manual,
}

impl Applicability {
    /// Its name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::Manual => "manual",
        }
    }
}

/// A title and edits of the author's file that go in whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    title: Cow<'static, str>,
    applicability: Applicability,
    edits: Vec<Edit>,
    may_change: &'static [&'static str],
}

impl Fix {
    /// A fix out of `edits`, sorted here; nothing when two of them overlap or touch, or when there is none.
    #[must_use]
    pub fn new(
        title: impl Into<Cow<'static, str>>,
        applicability: Applicability,
        edits: impl IntoIterator<Item = Edit>,
    ) -> Option<Self> {
        let mut edits: Vec<Edit> = edits.into_iter().collect();
        edits.sort_by_key(|edit| edit.range);
        let disjoint = edits.iter().zip(edits.iter().skip(1)).all(|(a, b)| a.range.end < b.range.start);
        (disjoint && !edits.is_empty()).then(|| Self { title: title.into(), applicability, edits, may_change: &[] })
    }
    /// The images differ at most in the paths that [`Fix::may_change`] names.
    #[must_use]
    pub fn safe(title: impl Into<Cow<'static, str>>, edits: impl IntoIterator<Item = Edit>) -> Option<Self> {
        Self::new(title, Applicability::Safe, edits)
    }
    /// The images may differ in more.
    #[must_use]
    pub fn risky(title: impl Into<Cow<'static, str>>, edits: impl IntoIterator<Item = Edit>) -> Option<Self> {
        Self::new(title, Applicability::Unsafe, edits)
    }
    /// A proposal for the author.
    #[must_use]
    pub fn manual(title: impl Into<Cow<'static, str>>, edits: impl IntoIterator<Item = Edit>) -> Option<Self> {
        Self::new(title, Applicability::Manual, edits)
    }
    /// Declares the paths (globs) and config keys (`config:Labels`) in which the images may differ.
    #[must_use]
    pub fn changing(mut self, may_change: &'static [&'static str]) -> Self {
        self.may_change = may_change;
        self
    }
    /// What to do, in the imperative.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }
    /// What it promises.
    #[must_use]
    pub fn applicability(&self) -> Applicability {
        self.applicability
    }
    /// Sorted, disjoint, not touching, at least one.
    #[must_use]
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }
    /// In what the images may differ.
    #[must_use]
    pub fn may_change(&self) -> &'static [&'static str] {
        self.may_change
    }
    /// From the first edited byte to the last.
    #[must_use]
    pub fn range(&self) -> TextRange {
        self.edits.iter().map(|edit| edit.range).reduce(TextRange::cover).unwrap_or_default()
    }
}

/// A second place a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub range: TextRange,
    /// What is there.
    pub text: Cow<'static, str>,
}

/// One finding of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule's own id.
    pub rule: &'static str,
    /// Names of other linters under which this finding stands. A rule may find more than its namesake does, and then this is shorter than its list.
    pub aliases: &'static [&'static str],
    /// Whether no namesake in another linter would find it; it then stands under the rule's own id alone.
    pub beyond: bool,
    /// What it is about.
    pub range: TextRange,
    /// The offset that names its line for other linters: the first byte of the instruction, where a rule does not say otherwise.
    pub anchor: Option<u32>,
    /// How much it matters, after configuration.
    pub severity: Severity,
    /// What is wrong.
    pub message: Cow<'static, str>,
    /// What to do, where no fix says it.
    pub help: Option<Cow<'static, str>>,
    /// Other places.
    pub labels: Vec<Label>,
    /// What it costs in the image or the context, where known.
    pub bytes: Option<u64>,
    /// What would mend it.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding of `rule` at `range`. Its severity and aliases are the rule's own until the registry says otherwise.
    #[must_use]
    pub fn new(rule: &'static str, range: TextRange, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            rule,
            aliases: &[],
            beyond: false,
            range,
            anchor: None,
            severity: Severity::Warning,
            message: message.into(),
            help: None,
            labels: Vec::new(),
            bytes: None,
            fix: None,
        }
    }
    /// With what would mend it, if anything would.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<Option<Fix>>) -> Self {
        self.fix = fix.into();
        self
    }
    /// With a word on what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// With a second place.
    #[must_use]
    pub fn with_label(mut self, range: TextRange, text: impl Into<Cow<'static, str>>) -> Self {
        self.labels.push(Label { range, text: text.into() });
        self
    }
    /// With what it costs.
    #[must_use]
    pub fn with_bytes(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.bytes = bytes.into();
        self
    }
    /// On another line for other linters than that of the instruction's first byte.
    #[must_use]
    pub fn at_line_of(mut self, offset: u32) -> Self {
        self.anchor = Some(offset);
        self
    }
    /// Found where no other linter does, if `beyond`.
    #[must_use]
    pub fn beyond_others(mut self, beyond: bool) -> Self {
        self.beyond = beyond;
        self
    }
    /// Standing under these names of other linters only.
    #[must_use]
    pub fn under(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_sorted_and_must_not_touch() {
        let fix = Fix::safe("t", [Edit::insert(9, "b"), Edit::delete(TextRange::new(1, 4))]).expect("disjoint");
        assert_eq!(fix.edits().iter().map(|e| e.range.start).collect::<Vec<_>>(), [1, 9]);
        assert!(Fix::safe("t", [Edit::insert(4, "b"), Edit::delete(TextRange::new(1, 4))]).is_none());
        assert!(Fix::safe("t", []).is_none());
    }
}
