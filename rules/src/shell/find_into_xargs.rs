//! `find-into-xargs`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `find` hands names to `xargs` line by line; names with blanks or quotes fall apart.
    ///
    /// Write `find … -print0 | xargs -0 …` or `find … -exec … {} +`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN find . -name a | xargs rm
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN find . -name a -print0 | xargs -0 rm
    /// ```
    pub FindIntoXargs {
        id: "find-into-xargs", aliases: &["SC2038"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for FindIntoXargs {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::FindIntoXargs) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                "names with blanks fall apart: -print0 and xargs -0",
            ));
        }
    }
}
