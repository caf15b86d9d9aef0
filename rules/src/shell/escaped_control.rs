//! `escaped-control`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `\n` or `\t` outside of quotes is only a letter.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN tr \n x
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN tr '\n' x
    /// ```
    pub EscapedControl {
        id: "escaped-control", aliases: &["SC1012"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for EscapedControl {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::EscapedControl) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                format!("this is the letter {}, not a control character", fact.name),
            ));
        }
    }
}
