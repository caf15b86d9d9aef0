//! `escape-for-echo`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `echo` is given an escape sequence.
    ///
    /// dash expands it, bash does not. `printf` does in every shell.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo "a\nb"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN printf 'a\nb\n'
    /// ```
    pub EscapeForEcho {
        id: "escape-for-echo", aliases: &["SC2028"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for EscapeForEcho {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::EscapeForEcho) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                "whether echo expands this depends on the shell; printf does",
            ));
        }
    }
}
