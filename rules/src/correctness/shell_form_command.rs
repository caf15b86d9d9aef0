//! `shell-form-command`

use crate::prelude::{Command, Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, syntax};

crate::declare_rule! {
    /// CMD or ENTRYPOINT is in shell form.
    ///
    /// The program is then a child of `/bin/sh`, which passes no signals on: `docker stop` waits and kills. Write the words as a
    /// JSON array. A fix is not offered: variables, quotes and `exec` would come to mean something else.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// CMD flask run
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// CMD ["flask", "run"]
    /// ```
    pub ShellFormCommand {
        id: "shell-form-command", aliases: &["DL3025", "JSONArgsRecommended"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ShellFormCommand {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps().iter().filter(|step| !step.onbuild) {
            let (command, health) = match &step.instruction.kind {
                Kind::Cmd(command) | Kind::Entrypoint(command) => (command, false),
                Kind::Healthcheck(syntax::Healthcheck::Cmd { command, .. }) => (command, true),
                _ => continue,
            };
            if !matches!(command, Command::Shell(_)) {
                continue;
            }
            let aliases: &[&str] = if health || crate::words::shell_is_chosen(model, step) {
                &["DL3025"]
            } else {
                &["DL3025", "JSONArgsRecommended"]
            };
            let message = "the shell form keeps signals from the program";
            found.push(Diagnostic::new(Self::META.id, step.instruction.range, message).under(aliases));
        }
    }
}
