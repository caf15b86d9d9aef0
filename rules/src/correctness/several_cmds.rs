//! `several-cmds`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, Step};

crate::declare_rule! {
    /// A stage has several CMD instructions.
    ///
    /// Only the last one counts.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// CMD ["a"]
    /// CMD ["b"]
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// CMD ["b"]
    /// ```
    pub SeveralCmds {
        id: "several-cmds", aliases: &["DL4003"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for SeveralCmds {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let is_cmd = |step: &Step<'_>| matches!(step.instruction.kind, Kind::Cmd(_));
        for step in crate::words::repeated(model, is_cmd) {
            found.push(Diagnostic::new(
                Self::META.id,
                step.instruction.keyword.range,
                "only the last CMD of a stage counts",
            ));
        }
    }
}
