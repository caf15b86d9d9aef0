//! `array-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// An array in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN A=(x y) && z "$A"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN A=x && z "$A"
    /// ```
    pub ArrayInSh {
        id: "array-in-sh", aliases: &["SC3030"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ArrayInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::ArrayInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "an array is unknown to plain sh"));
        }
    }
}
