//! `masked-status`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A variable is declared and set from a command's output in one go.
    ///
    /// `export` and its like have a status of their own, which hides the command's failure.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN export NOW="$(date)" && run
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN NOW="$(date)" && export NOW && run
    /// ```
    pub MaskedStatus {
        id: "masked-status", aliases: &["SC2155"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for MaskedStatus {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::MaskedStatus) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                format!("the status of the command is lost; set {} first, then declare it", fact.name),
            ));
        }
    }
}
