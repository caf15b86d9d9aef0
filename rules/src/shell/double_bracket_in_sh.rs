//! `double-bracket-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `[[ … ]]` in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN [[ -e /x ]] && y
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN [ -e /x ] && y
    /// ```
    pub DoubleBracketInSh {
        id: "double-bracket-in-sh", aliases: &["SC3010"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for DoubleBracketInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::DoubleBracketInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "`[[ … ]]` is unknown to plain sh"));
        }
    }
}
