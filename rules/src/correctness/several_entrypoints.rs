//! `several-entrypoints`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, Step};

crate::declare_rule! {
    /// A stage has several ENTRYPOINT instructions.
    ///
    /// Only the last one counts.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ENTRYPOINT ["a"]
    /// ENTRYPOINT ["b"]
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ENTRYPOINT ["b"]
    /// ```
    pub SeveralEntrypoints {
        id: "several-entrypoints", aliases: &["DL4004"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for SeveralEntrypoints {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let is_entrypoint = |step: &Step<'_>| matches!(step.instruction.kind, Kind::Entrypoint(_));
        for step in crate::words::repeated(model, is_entrypoint) {
            let range = step.instruction.keyword.range;
            found.push(Diagnostic::new(Self::META.id, range, "only the last ENTRYPOINT of a stage counts"));
        }
    }
}
