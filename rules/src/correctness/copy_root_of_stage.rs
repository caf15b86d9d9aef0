//! `copy-root-of-stage`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, unquoted};

crate::declare_rule! {
    /// The whole root of another stage is copied.
    ///
    /// That brings the tools and caches that the stage was meant to keep, and what `/proc`-like folders hold. Name what is needed.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12 AS build
    /// FROM debian:12
    /// COPY --from=build / /
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS build
    /// FROM debian:12
    /// COPY --from=build /app /app
    /// ```
    pub CopyRootOfStage {
        id: "copy-root-of-stage", aliases: &["DL3067"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for CopyRootOfStage {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| copy.syntax.from.is_some() && !copy.onbuild) {
            let into_root = unquoted(&copy.syntax.destination) == "/";
            if let Some(source) = copy.syntax.sources.iter().find(|source| into_root && unquoted(source) == "/") {
                found.push(Diagnostic::new(Self::META.id, source.range, "the whole of another stage is copied"));
            }
        }
    }
}
