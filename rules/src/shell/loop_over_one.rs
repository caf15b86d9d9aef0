//! `loop-over-one`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A loop goes over one word.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN for x in one; do echo "$x"; done
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN for x in one two; do echo "$x"; done
    /// ```
    pub LoopOverOne {
        id: "loop-over-one", aliases: &["SC2043"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LoopOverOne {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::LoopOverOne) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "the loop runs once"));
        }
    }
}
