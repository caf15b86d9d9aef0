//! `unquoted-arguments`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `$@` outside of quotes falls apart at blanks.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN run $@
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN run "$@"
    /// ```
    pub UnquotedArguments {
        id: "unquoted-arguments", aliases: &["SC2068"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for UnquotedArguments {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::UnquotedArguments) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                "the arguments fall apart into other words than they were",
            ));
        }
    }
}
