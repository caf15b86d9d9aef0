//! `latest-base`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// The base image is `latest`.
    ///
    /// What is latest today is not tomorrow. Name a version, or a digest.
    ///
    /// ```dockerfile,bad
    /// FROM debian:latest
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ```
    pub LatestBase {
        id: "latest-base", aliases: &["DL3007"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LatestBase {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let image = from.image.as_str();
            if crate::words::tag_of(image) == Some("latest") && !image.contains('@') {
                found.push(Diagnostic::new(Self::META.id, from.image.range, "the base image is whatever is latest"));
            }
        }
    }
}
