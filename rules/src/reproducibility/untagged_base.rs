//! `untagged-base`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// The base image has no tag.
    ///
    /// Without one `latest` is meant, and that is another image every few weeks.
    ///
    /// ```dockerfile,bad
    /// FROM debian
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ```
    pub UntaggedBase {
        id: "untagged-base", aliases: &["DL3006"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for UntaggedBase {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let image = from.image.as_str();
            let Some(stage) = step.stage.and_then(|at| model.stages().stages.get(at)) else { continue };
            if image == "scratch" || image.starts_with('$') || is_stage(model, stage.index, image) {
                continue;
            }
            if crate::words::tag_of(image).is_none() && !image.contains('@') {
                found.push(Diagnostic::new(Self::META.id, from.image.range, "the base image has no tag"));
            }
        }
    }
}

/// Whether an earlier stage has that name. hadolint minds letter case where the builder does not; the builder is right.
fn is_stage(model: &Model<'_>, at: usize, image: &str) -> bool {
    model
        .stages()
        .stages
        .iter()
        .take(at)
        .any(|stage| stage.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(image)))
}
