//! `odd-command-name`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A command's name ends in a sign that no name ends in.
    ///
    /// Most likely a quote or an operator is missing before it.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN true && apt-get, install
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN true && apt-get install -y x
    /// ```
    pub OddCommandName {
        id: "odd-command-name", aliases: &["SC2288"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for OddCommandName {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::OddCommandName) {
            found.push(Diagnostic::new(Self::META.id, fact.range, format!("a command called {}?", fact.name)));
        }
    }
}
