//! `variable-in-format`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `printf` takes its format from a variable.
    ///
    /// Write `printf '%s' "$name"`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN printf "$NAME"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN printf '%s' "$NAME"
    /// ```
    pub VariableInFormat {
        id: "variable-in-format", aliases: &["SC2059"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for VariableInFormat {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::VariableInFormat) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "a % in the value would be taken for a format"));
        }
    }
}
