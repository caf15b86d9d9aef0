//! One pass: as many fixes as fit beside each other.

use crate::ledger::{self, Ledger, Left, Why};
use plimsoll_analyzer::diagnostic::{Applicability, Diagnostic, Fix};
use plimsoll_parser::{Edit, TextRange};

/// How much a fix has to promise to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// The built images differ at most in the declared paths.
    #[default]
    Safe,
    /// They may differ in more; somebody builds both and looks.
    Unsafe,
}

impl Level {
    /// Why a fix of this applicability stays out, if it does.
    fn refuses(self, applicability: Applicability) -> Option<Why> {
        match (applicability, self) {
            (Applicability::Manual, _) => Some(Why::Manual),
            (Applicability::Unsafe, Self::Safe) => Some(Why::Unsafe),
            (Applicability::Safe, _) | (Applicability::Unsafe, Self::Unsafe) => None,
        }
    }
}

/// What one pass made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The new text.
    pub text: String,
    /// What went in and what did not.
    pub ledger: Ledger,
}

/// Applies the fixes of `found` that `level` admits. A fix goes in whole or not at all; where two overlap or touch, the
/// one that begins first does, and of two that begin at the same place the one of the rule first in the alphabet.
#[must_use]
pub fn apply(text: &str, found: &[Diagnostic], level: Level) -> Applied {
    let mut fixes: Vec<(&'static str, &Fix)> =
        found.iter().filter_map(|diagnostic| diagnostic.fix.as_ref().map(|fix| (diagnostic.rule, fix))).collect();
    fixes.sort_by_key(|(rule, fix)| (fix.range(), *rule));
    let mut ledger = Ledger::default();
    let mut taken: Vec<(&'static str, &Fix)> = Vec::new();
    for (rule, fix) in fixes {
        let range = fix.range();
        let overlap = || taken.iter().find(|(_, other)| touch(other.range(), range));
        let why = level
            .refuses(fix.applicability())
            .or_else(|| (!fits(text, fix)).then_some(Why::Misplaced))
            .or_else(|| overlap().map(|(with, _)| Why::Overlap { with }));
        match why {
            Some(why) => ledger.left.push(Left { rule, title: fix.title().to_owned(), range, why }),
            None => {
                taken.push((rule, fix));
                ledger.applied.push(ledger::Applied {
                    rule,
                    title: fix.title().to_owned(),
                    range,
                    pass: 1,
                    may_change: fix.may_change(),
                });
            }
        }
    }
    let edits: Vec<&Edit> = taken.iter().flat_map(|(_, fix)| fix.edits()).collect();
    Applied { text: splice(text, edits), ledger }
}

/// `text` with every edit made. They must be disjoint and fit; order does not matter.
#[must_use]
pub(crate) fn splice<'e>(text: &str, edits: impl IntoIterator<Item = &'e Edit>) -> String {
    let mut edits: Vec<&Edit> = edits.into_iter().collect();
    edits.sort_by_key(|edit| edit.range);
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        result.push_str(text.get(at..edit.range.start as usize).unwrap_or_default());
        result.push_str(&edit.text);
        at = edit.range.end as usize;
    }
    result.push_str(text.get(at..).unwrap_or_default());
    result
}

fn touch(a: TextRange, b: TextRange) -> bool {
    a.start <= b.end && b.start <= a.end
}

fn fits(text: &str, fix: &Fix) -> bool {
    fix.edits().iter().all(|edit| text.get(edit.range.to_usize()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rule: &'static str, fix: Option<Fix>) -> Diagnostic {
        Diagnostic::new(rule, TextRange::at(0), "m").with_fix(fix)
    }

    #[test]
    fn a_fix_goes_in_whole_or_not_at_all() {
        let text = "abcdefgh";
        let first =
            Fix::safe("first", [Edit::replace(TextRange::new(0, 1), "A"), Edit::replace(TextRange::new(4, 5), "E")]);
        let inside = Fix::safe("inside", [Edit::replace(TextRange::new(4, 6), "x"), Edit::insert(8, "!")]);
        let after = Fix::safe("after", [Edit::insert(7, "-")]);
        let applied = apply(text, &[found("b", inside), found("a", first), found("c", after)], Level::Safe);
        assert_eq!(applied.text, "AbcdEfg-h");
        assert_eq!(applied.ledger.left.len(), 1);
        assert_eq!(applied.ledger.left[0].why, Why::Overlap { with: "a" });
    }

    #[test]
    fn touching_is_overlapping_and_the_rules_name_decides() {
        let here = |text: &str| Fix::safe("t", [Edit::insert(2, text)]);
        let applied = apply("abcd", &[found("z", here("Z")), found("a", here("A"))], Level::Safe);
        assert_eq!(applied.text, "abAcd");
        assert_eq!(applied.ledger.left[0].why, Why::Overlap { with: "a" });
    }

    #[test]
    fn levels_keep_fixes_out() {
        let edits = || [Edit::insert(0, "x")];
        let found = [found("m", Fix::manual("t", edits())), found("u", Fix::risky("t", edits()))];
        let whys = |level| apply("a", &found, level).ledger.left.into_iter().map(|left| left.why).collect::<Vec<_>>();
        assert_eq!(whys(Level::Safe), [Why::Manual, Why::Unsafe]);
        assert_eq!(whys(Level::Unsafe), [Why::Manual]);
        assert_eq!(apply("a", &found, Level::Unsafe).text, "xa");
    }

    #[test]
    fn an_edit_that_is_not_of_this_text_stays_out() {
        let fix = Fix::safe("t", [Edit::delete(TextRange::new(1, 9))]);
        let applied = apply("é", &[found("a", fix)], Level::Safe);
        assert_eq!((applied.text.as_str(), &applied.ledger.left[0].why), ("é", &Why::Misplaced));
    }
}
