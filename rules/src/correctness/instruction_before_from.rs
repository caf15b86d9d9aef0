//! `instruction-before-from`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// An instruction stands before the first FROM.
    ///
    /// Only ARG may.
    ///
    /// ```dockerfile,bad
    /// LABEL a=b
    /// FROM debian:12
    /// ```
    /// ```dockerfile,good
    /// ARG TAG=12
    /// FROM debian:$TAG
    /// ```
    pub InstructionBeforeFrom {
        id: "instruction-before-from", aliases: &["DL3061"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for InstructionBeforeFrom {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            if step.stage.is_none() && !matches!(step.instruction.kind, Kind::Arg(_)) {
                found.push(Diagnostic::new(
                    Self::META.id,
                    step.instruction.keyword.range,
                    "only ARG may stand before FROM",
                ));
            }
        }
    }
}
