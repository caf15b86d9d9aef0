//! `unset-variable`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A variable is used that neither the script nor ENV nor ARG sets.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo "$version"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ARG version=1
    /// RUN echo "$version"
    /// ```
    pub UnsetVariable {
        id: "unset-variable", aliases: &["SC2154"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for UnsetVariable {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::UnsetVariable) {
            found.push(Diagnostic::new(Self::META.id, fact.range, format!("nothing sets {}", fact.name)));
        }
    }
}
