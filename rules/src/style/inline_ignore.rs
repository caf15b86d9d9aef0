//! `inline-ignore`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// A comment switches a finding off.
    ///
    /// Off unless asked for: for projects whose findings are to be settled in one configuration file.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// # hadolint ignore=DL3059
    /// RUN true
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// # a comment
    /// RUN true
    /// ```
    pub InlineIgnore {
        id: "inline-ignore", aliases: &["DL1001"], since: "0.1.0",
        group: Group::Style, severity: Severity::Off, fixable: Fixable::No,
    }
}

impl Rule for InlineIgnore {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        use plimsoll_analyzer::pragma::{Ask, Dialect};
        for pragma in model.pragmas() {
            if matches!(pragma.ask, Ask::Ignore { .. }) && pragma.dialect != Dialect::Buildkit {
                let message = "a finding is switched off here";
                found.push(Diagnostic::new(Self::META.id, pragma.range, message).at_line_of(pragma.range.start));
            }
        }
    }
}
