//! `useless-in-container`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// A command makes no sense in a build.
    ///
    /// There is no terminal, no init and no other process: `ssh`, `vim`, `shutdown`, `service`, `ps`, `free`, `top`, `kill`, `mount`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN service nginx start
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// CMD ["nginx", "-g", "daemon off;"]
    /// ```
    pub UselessInContainer {
        id: "useless-in-container", aliases: &["DL3001"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for UselessInContainer {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            let told = run.commands.iter().find(|command| {
                command.is_any(&["ssh", "vim", "shutdown", "service", "ps", "free", "top", "kill", "mount"])
            });
            let Some(command) = told else { continue };

            found.push(Diagnostic::new(
                Self::META.id,
                command.words_range,
                format!("{} has nothing to do in a build", command.name),
            ));
        }
    }
}
