//! `several-healthchecks`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, Step};

crate::declare_rule! {
    /// A stage has several HEALTHCHECK instructions.
    ///
    /// Only the last one counts.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// HEALTHCHECK NONE
    /// HEALTHCHECK CMD ["/check"]
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// HEALTHCHECK CMD ["/check"]
    /// ```
    pub SeveralHealthchecks {
        id: "several-healthchecks", aliases: &["DL3012"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for SeveralHealthchecks {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let is_check = |step: &Step<'_>| matches!(step.instruction.kind, Kind::Healthcheck(_));
        for step in crate::words::repeated(model, is_check) {
            let range = step.instruction.keyword.range;
            found.push(Diagnostic::new(Self::META.id, range, "only the last HEALTHCHECK of a stage counts"));
        }
    }
}
