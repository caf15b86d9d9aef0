//! `overridden-instruction`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, TextRange};

crate::declare_rule! {
    /// A later instruction of the stage takes the place of this one.
    ///
    /// Of several CMD, ENTRYPOINT or HEALTHCHECK in a stage the last one counts; the others can go.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// CMD ["a"]
    /// RUN true
    /// CMD ["b"]
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// CMD ["b"]
    /// ```
    pub OverriddenInstruction {
        id: "overridden-instruction", aliases: &["MultipleInstructionsDisallowed"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for OverriddenInstruction {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for stage in &model.stages().stages {
            let mut last: [Option<TextRange>; 3] = [None; 3];
            for step in model.steps_of(stage.index).iter().filter(|step| !step.onbuild) {
                let slot = match step.instruction.kind {
                    Kind::Cmd(_) => 0,
                    Kind::Entrypoint(_) => 1,
                    Kind::Healthcheck(_) => 2,
                    _ => continue,
                };
                let Some(slot) = last.get_mut(slot) else { continue };
                if let Some(before) = slot.replace(step.instruction.keyword.range) {
                    let name = step.instruction.keyword.to_ascii_uppercase();
                    let message = format!("a later {name} of this stage takes the place of this one");
                    found.push(
                        Diagnostic::new(Self::META.id, before, message)
                            .with_label(step.instruction.keyword.range, "this one counts"),
                    );
                }
            }
        }
    }
}
