//! `copy-from-itself`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `COPY --from` names the stage it stands in.
    ///
    /// A stage cannot take files from itself.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12 AS app
    /// COPY --from=app /a /b
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS build
    /// FROM debian:12 AS app
    /// COPY --from=build /a /b
    /// ```
    pub CopyFromItself {
        id: "copy-from-itself", aliases: &["DL3023"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for CopyFromItself {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| !copy.add && !copy.onbuild) {
            let Some(name) = &copy.syntax.from else { continue };
            let own =
                copy.stage.and_then(|stage| model.stages().stages.get(stage)).and_then(|stage| stage.name.as_deref());
            if own.is_some_and(|own| own.eq_ignore_ascii_case(name)) {
                found.push(Diagnostic::new(Self::META.id, name.range, "the stage copies from itself"));
            }
        }
    }
}
