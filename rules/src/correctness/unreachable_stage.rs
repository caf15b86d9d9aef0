//! `unreachable-stage`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// The image does not need this stage.
    ///
    /// It is built only when `--target` names it. If nothing does, it can go.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12 AS unused
    /// RUN true
    /// FROM debian:12
    /// CMD ["/app"]
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS build
    /// RUN true
    /// FROM debian:12
    /// COPY --from=build /app /app
    /// ```
    pub UnreachableStage {
        id: "unreachable-stage", aliases: &[], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for UnreachableStage {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let stages = model.stages();
        let Some(last) = stages.stages.len().checked_sub(1) else { return };
        let needed = stages.needed(last);
        for stage in stages.stages.iter().filter(|stage| !needed.contains(&stage.index)) {
            let used = stages.stages.iter().any(|other| stages.before(other.index).any(|before| before == stage.index));
            let Some(step) = model.steps_of(stage.index).first().filter(|_| !used) else { continue };
            let Kind::From(from) = &step.instruction.kind else { continue };
            let range = from.name.as_ref().map_or(step.instruction.range, |name| name.range);
            found.push(Diagnostic::new(Self::META.id, range, "nothing needs this stage"));
        }
    }
}
