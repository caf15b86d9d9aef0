//! `base-platform-mismatch`

use crate::prelude::{Base, Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// The base image is for another platform than the stage.
    ///
    /// Known only where the image's platform is known: from the local store, or where an earlier stage fixes another one.
    ///
    /// ```dockerfile,bad
    /// FROM --platform=linux/arm64 debian:12 AS base
    /// FROM --platform=linux/s390x base
    /// ```
    /// ```dockerfile,good
    /// FROM --platform=linux/arm64 debian:12 AS base
    /// FROM --platform=linux/arm64 base
    /// ```
    pub BasePlatformMismatch {
        id: "base-platform-mismatch", aliases: &["InvalidBaseImagePlatform"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for BasePlatformMismatch {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for stage in &model.stages().stages {
            let Some(wanted) = stage.platform.as_deref() else { continue };
            let there = match &stage.base {
                Base::Stage(base) => model.stages().stages.get(*base).and_then(|base| base.platform.as_deref()),
                Base::Image(image) => model.inputs.base_platforms.get(image).map(String::as_str),
                _ => None,
            };
            let Some(there) = there.filter(|there| *there != wanted) else { continue };
            let Some(step) = model.steps_of(stage.index).first() else { continue };
            let message = format!("the base is for {there}, the stage for {wanted}");
            found.push(Diagnostic::new(Self::META.id, step.instruction.range, message));
        }
    }
}
