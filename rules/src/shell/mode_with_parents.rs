//! `mode-with-parents`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `mkdir -p -m` gives its mode to the last directory alone.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN mkdir -p -m 700 /srv/a/b
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN mkdir -p /srv/a/b && chmod 700 /srv/a/b
    /// ```
    pub ModeWithParents {
        id: "mode-with-parents", aliases: &["SC2174"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ModeWithParents {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::ModeWithParents) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "only the last directory gets this mode"));
        }
    }
}
