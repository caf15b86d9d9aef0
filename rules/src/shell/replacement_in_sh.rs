//! `replacement-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `${name/a/b}` in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo "${HOME/a/b}"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// SHELL ["/bin/bash", "-c"]
    /// RUN echo "${HOME/a/b}"
    /// ```
    pub ReplacementInSh {
        id: "replacement-in-sh", aliases: &["SC3060"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ReplacementInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::ReplacementInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "`${name/a/b}` is unknown to plain sh"));
        }
    }
}
