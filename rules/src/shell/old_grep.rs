//! `old-grep`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `egrep` or `fgrep` is used.
    ///
    /// Newer versions of grep warn about them. `grep -E` and `grep -F` do the same.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN egrep a b
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN grep -E a b
    /// ```
    pub OldGrep {
        id: "old-grep", aliases: &["SC2196", "SC2197"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for OldGrep {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::OldGrep) {
            found.push(
                Diagnostic::new(Self::META.id, fact.range, format!("{} is out of use: grep -E and grep -F", fact.name))
                    .under(if fact.name == "egrep" { &["SC2196"] } else { &["SC2197"] }),
            );
        }
    }
}
