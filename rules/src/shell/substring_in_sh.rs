//! `substring-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `${name:1:2}` in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo "${HOME:1:2}"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// SHELL ["/bin/bash", "-c"]
    /// RUN echo "${HOME:1:2}"
    /// ```
    pub SubstringInSh {
        id: "substring-in-sh", aliases: &["SC3057"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for SubstringInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::SubstringInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "`${name:1:2}` is unknown to plain sh"));
        }
    }
}
