//! `bash-builtin-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// This command in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN pushd /x && y
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN cd /x && y
    /// ```
    pub BashBuiltinInSh {
        id: "bash-builtin-in-sh", aliases: &["SC3044"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for BashBuiltinInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::BashBuiltinInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "this command is unknown to plain sh"));
        }
    }
}
