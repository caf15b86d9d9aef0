//! `sudo`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// RUN uses sudo.
    ///
    /// A build is root unless USER says otherwise; then say `USER root` for the steps that need it.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN sudo make install
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// USER root
    /// RUN make install
    /// USER 1000
    /// ```
    pub Sudo {
        id: "sudo", aliases: &["DL3004"], since: "0.1.0",
        group: Group::Security, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for Sudo {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            let told = run.commands.iter().find(|command| command.is("sudo"));
            let Some(command) = told else { continue };

            found.push(Diagnostic::new(Self::META.id, command.words_range, "sudo in a build"));
        }
    }
}
