//! `echo-of-substitution`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `echo` prints what a command would have printed anyway.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo "$(date)"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN date
    /// ```
    pub EchoOfSubstitution {
        id: "echo-of-substitution", aliases: &["SC2005"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Style, fixable: Fixable::No,
    }
}

impl Rule for EchoOfSubstitution {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::EchoOfSubstitution) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "the command prints its output anyway"));
        }
    }
}
