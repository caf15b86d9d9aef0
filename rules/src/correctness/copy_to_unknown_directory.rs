//! `copy-to-unknown-directory`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, unquoted};

crate::declare_rule! {
    /// A relative destination of COPY with no WORKDIR before it.
    ///
    /// Where the files land is the base image's business then.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY app.py app.py
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// WORKDIR /app
    /// COPY app.py app.py
    /// ```
    pub CopyToUnknownDirectory {
        id: "copy-to-unknown-directory", aliases: &["DL3045"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for CopyToUnknownDirectory {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| !copy.onbuild) {
            let destination = unquoted(&copy.syntax.destination);
            if plimsoll_analyzer::model::is_absolute(destination) || destination.starts_with('$') {
                continue;
            }
            let placed = model.steps().get(copy.step).is_some_and(|step| step.state.workdir.is_some());
            if !placed {
                let message = "a relative destination, and no WORKDIR before it";
                let diagnostic = Diagnostic::new(Self::META.id, copy.syntax.destination.range, message);
                found.push(diagnostic.beyond_others(copy.add));
            }
        }
    }
}
