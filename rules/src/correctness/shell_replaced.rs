//! `shell-replaced`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `/bin/sh` is made to be another shell.
    ///
    /// Everything in the image that runs `/bin/sh` gets it too. SHELL changes what RUN uses, and nothing else.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN ln -sf /bin/bash /bin/sh
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// SHELL ["/bin/bash", "-c"]
    /// RUN true
    /// ```
    pub ShellReplaced {
        id: "shell-replaced", aliases: &["DL4005"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ShellReplaced {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            let told = run.commands.iter().find(|command| command.is("ln") && command.has_arg("/bin/sh"));
            let Some(command) = told else { continue };

            found.push(Diagnostic::new(
                Self::META.id,
                command.words_range,
                "SHELL would change the shell of RUN alone",
            ));
        }
    }
}
