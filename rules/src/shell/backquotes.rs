//! `backquotes`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A substitution is written in backquotes.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN touch "`date`"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN touch "$(date)"
    /// ```
    pub Backquotes {
        id: "backquotes", aliases: &["SC2006"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Style, fixable: Fixable::No,
    }
}

impl Rule for Backquotes {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::Backquotes) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "$(…) nests and reads better than backquotes"));
        }
    }
}
