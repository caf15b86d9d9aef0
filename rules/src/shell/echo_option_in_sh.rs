//! `echo-option-in-sh`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// An option of echo in a script for plain sh.
    ///
    /// dash, which is `/bin/sh` of Debian and Ubuntu, does not know it. Write it otherwise, or name bash by SHELL.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo -e 'a'
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN printf 'a\n'
    /// ```
    pub EchoOptionInSh {
        id: "echo-option-in-sh", aliases: &["SC3037"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for EchoOptionInSh {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::EchoOptionInSh) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "an option of echo is unknown to plain sh"));
        }
    }
}
