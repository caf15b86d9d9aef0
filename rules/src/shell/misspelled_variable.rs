//! `misspelled-variable`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A variable is used that nothing sets, while one letter makes it another that is set.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo "$HTTQ_PROXY"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN echo "$HTTP_PROXY"
    /// ```
    pub MisspelledVariable {
        id: "misspelled-variable", aliases: &["SC2153"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for MisspelledVariable {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::MisspelledVariable) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                format!("nothing sets {}, but something nearly like it", fact.name),
            ));
        }
    }
}
