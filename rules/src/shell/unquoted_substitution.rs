//! `unquoted-substitution`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// The output of a command outside of quotes falls apart at blanks, and its patterns are looked up.
    ///
    /// Write `"$(command)"`, unless several words are meant.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN touch $(date)
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN touch "$(date)"
    /// ```
    pub UnquotedSubstitution {
        id: "unquoted-substitution", aliases: &["SC2046"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for UnquotedSubstitution {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::UnquotedSubstitution) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "the output may fall apart into several words"));
        }
    }
}
