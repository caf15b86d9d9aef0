//! `healthcheck-missing`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// No HEALTHCHECK in an image that ends a line of stages.
    ///
    /// Off unless asked for: Kubernetes disregards the instruction.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// CMD ["/app"]
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// HEALTHCHECK CMD ["/check"]
    /// CMD ["/app"]
    /// ```
    pub HealthcheckMissing {
        id: "healthcheck-missing", aliases: &["DL3057"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Off, fixable: Fixable::No,
    }
}

impl Rule for HealthcheckMissing {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let stages = &model.stages().stages;
        let has = |stage: usize| {
            model
                .steps_of(stage)
                .iter()
                .any(|step| matches!(step.instruction.kind, Kind::Healthcheck(_)) && !step.onbuild)
        };
        for stage in stages {
            let above = stages.iter().any(|other| model.stands_on(other.index, stage.index) && has(other.index));
            let below = stages.iter().any(|other| model.stands_on(stage.index, other.index) && has(other.index));
            if above || below {
                continue;
            }
            let Some(step) = model.steps_of(stage.index).first() else { continue };
            found.push(Diagnostic::new(
                Self::META.id,
                step.instruction.keyword.range,
                "nothing says how to see that it is healthy",
            ));
        }
    }
}
