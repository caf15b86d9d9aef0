//! `escaped-letter`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A backslash outside of quotes stands before an ordinary letter, and is dropped.
    ///
    /// Quote the text where the backslash is meant.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN grep \d file
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN grep '\d' file
    /// ```
    pub EscapedLetter {
        id: "escaped-letter", aliases: &["SC1001"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for EscapedLetter {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::EscapedLetter) {
            found.push(Diagnostic::new(Self::META.id, fact.range, format!("the backslash is dropped: {}", fact.name)));
        }
    }
}
