//! `pipe-hides-failure`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::shell::ShellKind;

crate::declare_rule! {
    /// A failure on the left of a pipe goes unnoticed.
    ///
    /// A pipe gives the status of its last command. `SHELL ["/bin/bash", "-o", "pipefail", "-c"]` changes that, where the image
    /// has bash; a fix is not offered because that cannot be seen here.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN curl https://example.org/a | tar -x
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// SHELL ["/bin/bash", "-o", "pipefail", "-c"]
    /// RUN curl https://example.org/a | tar -x
    /// ```
    pub PipeHidesFailure {
        id: "pipe-hides-failure", aliases: &["DL4006"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for PipeHidesFailure {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if matches!(run.state.shell.kind, ShellKind::PowerShell | ShellKind::Cmd) || run.state.shell.has_pipefail()
            {
                continue;
            }
            let Some(command) = run.commands.iter().find(|command| command.place.piped) else { continue };
            found.push(Diagnostic::new(
                Self::META.id,
                command.words_range,
                "a failure on the left of the pipe goes unnoticed",
            ));
        }
    }
}
