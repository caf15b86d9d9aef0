//! `idle-negation`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `!` stands before a command whose status nothing looks at.
    ///
    /// It also keeps `set -e` from stopping. Write `if command; then exit 1; fi`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN ! test -e /x; echo done
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN if test -e /x; then exit 1; fi; echo done
    /// ```
    pub IdleNegation {
        id: "idle-negation", aliases: &["SC2251"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for IdleNegation {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::IdleNegation) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                "nothing looks at this status, and set -e does not stop here",
            ));
        }
    }
}
