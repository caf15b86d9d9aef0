//! `pipe-both-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `|&` in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN x |& y
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN x 2>&1 | y
    /// ```
    pub PipeBothInSh {
        id: "pipe-both-in-sh", aliases: &["SC3029"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for PipeBothInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::PipeBothInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "`|&` is unknown to plain sh"));
        }
    }
}
