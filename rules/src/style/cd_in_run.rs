//! `cd-in-run`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// RUN changes the directory.
    ///
    /// WORKDIR says it for everyone to see. No fix is offered: WORKDIR would change the directory of the image and of what follows.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN cd /srv && make
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// WORKDIR /srv
    /// RUN make
    /// ```
    pub CdInRun {
        id: "cd-in-run", aliases: &["DL3003"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for CdInRun {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            let told = run.commands.iter().find(|command| command.is("cd"));
            let Some(command) = told else { continue };

            found.push(Diagnostic::new(
                Self::META.id,
                command.words_range,
                "RUN changes the directory; WORKDIR would say so",
            ));
        }
    }
}
