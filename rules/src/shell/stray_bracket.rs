//! `stray-bracket`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A bracket stands where the shell expects none.
    ///
    /// The RUN fails. Quote the text if the bracket belongs to it.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo a (b)
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN echo 'a (b)'
    /// ```
    pub StrayBracket {
        id: "stray-bracket", aliases: &["SC1088", "SC1065", "SC1036"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for StrayBracket {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::StrayBracket) {
            found.push(
                Diagnostic::new(Self::META.id, fact.range, "the shell cannot read on at this bracket")
                    .under(&["SC1088"]),
            );
        }
    }
}
