//! `unquoted-variable`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A variable outside of quotes falls apart at blanks, and its patterns are looked up.
    ///
    /// Write `"$name"`, unless several words are meant.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN touch $FILE
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN touch "$FILE"
    /// ```
    pub UnquotedVariable {
        id: "unquoted-variable", aliases: &["SC2086"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for UnquotedVariable {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::UnquotedVariable) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                format!("${} may fall apart into several words", fact.name),
            ));
        }
    }
}
