//! `unreadable-script`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// The shell cannot read the script to its end.
    ///
    /// A quote, a bracket or a word like `then`, `do`, `fi`, `done` is missing or too many.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN if true; then echo a
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN if true; then echo a; fi
    /// ```
    pub UnreadableScript {
        id: "unreadable-script", aliases: &["SC1072"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for UnreadableScript {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::Unreadable) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "the shell cannot read on from here"));
        }
    }
}
