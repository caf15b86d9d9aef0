//! `unused-variable`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A variable is set and never used.
    ///
    /// Every RUN has a shell of its own: it does not last until the next one. ENV and ARG do.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN VERSION=1
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN VERSION=1 && echo "$VERSION"
    /// ```
    pub UnusedVariable {
        id: "unused-variable", aliases: &["SC2034"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for UnusedVariable {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::UnusedVariable) {
            found.push(Diagnostic::new(Self::META.id, fact.range, format!("{} is set and never used", fact.name)));
        }
    }
}
