//! Fixes applied again and again until none is left.

use crate::apply::{Level, apply};
use crate::ledger::{Ledger, Left, Why};
use plimsoll_analyzer::diagnostic::Diagnostic;
use std::collections::BTreeMap;
use std::fmt;

/// More passes than any file needs whose fixes settle at all.
const MAX_PASSES: usize = 64;

/// What came of applying fixes to a fixed point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converged {
    /// The new text; the original where nothing was done or everything was undone.
    pub text: String,
    /// Everything that went in over all passes, and what stayed out of the last.
    pub ledger: Ledger,
    /// How many passes changed the text.
    pub passes: usize,
    /// How it ended.
    pub outcome: Outcome,
}

/// How applying fixes ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Fixes went in and nothing more applies.
    Fixed,
    /// Nothing applied.
    Unchanged,
    /// Everything was taken back.
    UndoneBecause {
        /// The rules whose fixes are to blame: those of the last pass.
        rules: Vec<&'static str>,
        /// What went wrong.
        reason: Undone,
    },
}

/// Why everything was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Fixes still applied after as many passes.
    TooManyPasses(usize),
    /// A pass gave a text that had been there before.
    Repeats,
    /// The new text has a syntax error that the original has not.
    SyntaxError(String),
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyPasses(passes) => write!(f, "fixes still applied after {passes} passes"),
            Self::Repeats => f.write_str("fixes undo each other"),
            Self::SyntaxError(message) => write!(f, "the fixed file would not parse: {message}"),
        }
    }
}

/// Checks, applies and checks again until nothing applies. Too many passes, a text seen before or a syntax error that
/// was not there give the original back, with the rules to blame.
pub fn converge(text: &str, check: &mut dyn FnMut(&str) -> Vec<Diagnostic>, level: Level) -> Converged {
    let mut seen = vec![text.to_owned()];
    let mut ledger = Ledger::default();
    let errors = errors_of(text);
    loop {
        let current = seen.last().map_or(text, String::as_str);
        let passes = seen.len() - 1;
        let mut pass = apply(current, &check(current), level);
        for applied in &mut pass.ledger.applied {
            applied.pass = passes + 1;
        }
        let rules = pass.ledger.rules();
        ledger.left = pass.ledger.left;
        if pass.ledger.applied.is_empty() || pass.text == current {
            let outcome = if passes == 0 { Outcome::Unchanged } else { Outcome::Fixed };
            return Converged { text: current.to_owned(), ledger, passes, outcome };
        }
        ledger.applied.append(&mut pass.ledger.applied);
        let reason = if seen.contains(&pass.text) {
            Some(Undone::Repeats)
        } else if let Some(error) = new_error(&errors, &pass.text) {
            Some(Undone::SyntaxError(error))
        } else if passes + 1 >= MAX_PASSES {
            Some(Undone::TooManyPasses(MAX_PASSES))
        } else {
            None
        };
        if let Some(reason) = reason {
            let undone = ledger.applied.drain(..);
            ledger.left.extend(undone.map(|a| Left { rule: a.rule, title: a.title, range: a.range, why: Why::Undone }));
            let outcome = Outcome::UndoneBecause { rules, reason };
            return Converged { text: text.to_owned(), ledger, passes: 0, outcome };
        }
        seen.push(pass.text);
    }
}

/// How often each kind of syntax error stands in `text`.
fn errors_of(text: &str) -> BTreeMap<&'static str, usize> {
    let mut errors = BTreeMap::new();
    for error in plimsoll_parser::parse(text).errors {
        *errors.entry(error.code).or_default() += 1;
    }
    errors
}

/// The message of a syntax error of `text` of which there are more than before.
fn new_error(before: &BTreeMap<&'static str, usize>, text: &str) -> Option<String> {
    let after = errors_of(text);
    let code = after.iter().find(|(code, count)| before.get(*code).copied().unwrap_or_default() < **count)?.0;
    let parsed = plimsoll_parser::parse(text);
    parsed.errors.into_iter().find(|error| error.code == *code).map(|error| error.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_analyzer::diagnostic::Fix;
    use plimsoll_parser::{Edit, TextRange};

    fn replace(rule: &'static str, text: &str, from: &str, to: &str) -> Option<Diagnostic> {
        let at = text.find(from)?;
        let range = TextRange::new(at, at + from.len());
        Some(Diagnostic::new(rule, range, "m").with_fix(Fix::safe("t", [Edit::replace(range, to)])))
    }

    #[test]
    fn settles() {
        let mut check = |text: &str| replace("r", text, "a b", "ab").into_iter().collect();
        let done = converge(
            "FROM a b c\n",
            &mut |text| replace("r", text, "true true", "true").into_iter().collect(),
            Level::Safe,
        );
        assert_eq!(done.outcome, Outcome::Unchanged);
        let done = converge("FROM x\nRUN a b b\n", &mut check, Level::Safe);
        assert_eq!((done.text.as_str(), done.passes, done.outcome), ("FROM x\nRUN ab b\n", 1, Outcome::Fixed));
    }

    #[test]
    fn fixes_that_undo_each_other_are_undone() {
        let mut check = |text: &str| {
            let there = replace("one", text, "1", "2");
            there.or_else(|| replace("two", text, "2", "1")).into_iter().collect()
        };
        let done = converge("FROM x\nRUN 1\n", &mut check, Level::Safe);
        assert_eq!(done.text, "FROM x\nRUN 1\n");
        assert_eq!(done.outcome, Outcome::UndoneBecause { rules: vec!["two"], reason: Undone::Repeats });
        assert!(done.ledger.applied.is_empty());
    }

    #[test]
    fn a_file_that_would_not_parse_is_undone() {
        let mut check = |text: &str| replace("breaker", text, "RUN", "ROWN").into_iter().collect();
        let done = converge("FROM x\nRUN 1\n", &mut check, Level::Safe);
        assert_eq!(done.text, "FROM x\nRUN 1\n");
        assert!(matches!(done.outcome, Outcome::UndoneBecause { reason: Undone::SyntaxError(_), .. }));
    }

    #[test]
    fn a_fix_without_end_is_undone() {
        let mut check = |text: &str| replace("grow", text, "1", "11").into_iter().collect();
        let done = converge("FROM x\nRUN 1\n", &mut check, Level::Safe);
        assert!(matches!(done.outcome, Outcome::UndoneBecause { reason: Undone::TooManyPasses(_), .. }));
    }
}
