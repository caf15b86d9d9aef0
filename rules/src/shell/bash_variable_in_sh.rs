//! `bash-variable-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// This variable in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo "$RANDOM"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// SHELL ["/bin/bash", "-c"]
    /// RUN echo "$RANDOM"
    /// ```
    pub BashVariableInSh {
        id: "bash-variable-in-sh", aliases: &["SC3028"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for BashVariableInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::BashVariableInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "this variable is unknown to plain sh"));
        }
    }
}
