//! `braces-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `{a,b}` in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN mkdir /srv/{a,b}
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN mkdir /srv/a /srv/b
    /// ```
    pub BracesInSh {
        id: "braces-in-sh", aliases: &["SC3009"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for BracesInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::BracesInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "`{a,b}` is unknown to plain sh"));
        }
    }
}
