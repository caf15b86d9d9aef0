//! `command-not-last`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, Step};

crate::declare_rule! {
    /// CMD or ENTRYPOINT does not stand at the end of its stage.
    ///
    /// A reader looks for it there.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// CMD ["/app"]
    /// RUN true
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN true
    /// CMD ["/app"]
    /// ```
    pub CommandNotLast {
        id: "command-not-last", aliases: &[], since: "0.1.0",
        group: Group::Style, severity: Severity::Style, fixable: Fixable::No,
    }
}

impl Rule for CommandNotLast {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for stage in &model.stages().stages {
            let steps = model.steps_of(stage.index);
            let is_command =
                |step: &Step<'_>| matches!(step.instruction.kind, Kind::Cmd(_) | Kind::Entrypoint(_)) && !step.onbuild;
            let Some(at) = steps.iter().rposition(is_command) else { continue };
            let works = |step: &Step<'_>| matches!(step.instruction.kind, Kind::Run(_) | Kind::Copy(_) | Kind::Add(_));
            let after = steps.get(at + 1..).unwrap_or_default();
            if let Some(step) = steps.get(at).filter(|_| after.iter().any(|step| works(step) && !step.onbuild)) {
                found.push(Diagnostic::new(
                    Self::META.id,
                    step.instruction.keyword.range,
                    "this would be looked for at the end",
                ));
            }
        }
    }
}
