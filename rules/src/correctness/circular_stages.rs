//! `circular-stages`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// Stages need one another in a circle.
    ///
    /// No order of building them exists.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12 AS a
    /// COPY --from=b /x /x
    /// FROM debian:12 AS b
    /// COPY --from=a /x /x
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS a
    /// FROM debian:12 AS b
    /// COPY --from=a /x /x
    /// ```
    pub CircularStages {
        id: "circular-stages", aliases: &[], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for CircularStages {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        use plimsoll_analyzer::stages::StageErrorCode;
        for error in model.stages().errors.iter().filter(|error| error.code == StageErrorCode::Circular) {
            found.push(Diagnostic::new(Self::META.id, error.range, error.message.clone()));
        }
    }
}
