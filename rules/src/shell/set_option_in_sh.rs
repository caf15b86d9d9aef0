//! `set-option-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// This option of `set` in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN set -o pipefail && x
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN set -o errexit && x
    /// ```
    pub SetOptionInSh {
        id: "set-option-in-sh", aliases: &["SC3040"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for SetOptionInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::SetOptionInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "this option of `set` is unknown to plain sh"));
        }
    }
}
