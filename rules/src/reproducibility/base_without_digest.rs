//! `base-without-digest`

use crate::prelude::{Base, Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, has_variable};

crate::declare_rule! {
    /// The base image is named by tag alone.
    ///
    /// Off unless asked for. A tag can be moved; a digest cannot: `debian:12@sha256:…`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12@sha256:7959ed6f7e35f8b1aaa06d1d8259d4ee25aa85a086d5c125480c333183f9deeb
    /// ```
    pub BaseWithoutDigest {
        id: "base-without-digest", aliases: &[], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Off, fixable: Fixable::No,
    }
}

impl Rule for BaseWithoutDigest {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let stage = step.stage.and_then(|stage| model.stages().stages.get(stage));
            if stage.is_some_and(|stage| matches!(stage.base, Base::Image(_)))
                && !from.image.contains('@')
                && !has_variable(&from.image)
            {
                found.push(Diagnostic::new(Self::META.id, from.image.range, "a tag can be moved to another image"));
            }
        }
    }
}
