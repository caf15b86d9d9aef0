//! `reserved-stage-name`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// A stage has a name that the builder keeps for itself.
    ///
    /// `scratch` and `context` mean something else wherever a stage could be named.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12 AS scratch
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS app
    /// ```
    pub ReservedStageName {
        id: "reserved-stage-name", aliases: &["DL3063", "ReservedStageName"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for ReservedStageName {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let Some(name) = &from.name else { continue };
            if matches!(name.to_ascii_lowercase().as_str(), "scratch" | "context") {
                let exact = matches!(name.as_str(), "scratch" | "context");
                let aliases: &[&str] = if exact { &["DL3063", "ReservedStageName"] } else { &["ReservedStageName"] };
                let message = format!("{} is a reserved name", name.as_str());
                found.push(Diagnostic::new(Self::META.id, name.range, message).under(aliases));
            }
        }
    }
}
