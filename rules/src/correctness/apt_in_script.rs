//! `apt-in-script`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `apt` is for people; scripts use `apt-get`.
    ///
    /// It says itself that its behaviour may change from one version to the next.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN apt install -y curl
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN apt-get install -y curl
    /// ```
    pub AptInScript {
        id: "apt-in-script", aliases: &["DL3027"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::Sometimes,
    }
}

impl Rule for AptInScript {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            let told = run.commands.iter().find(|command| command.is("apt"));
            let Some(command) = told else { continue };
            let verbs = ["update", "install", "remove", "purge", "upgrade", "autoremove", "clean"];
            let plain = command.name_known && command.name_range.len() == 3 && !run.is_exec();
            let same = plain && command.subcommand().is_some_and(|verb| verbs.contains(&verb.text.as_ref()));
            let fix =
                same.then(|| Fix::safe("write apt-get", [Edit::insert(command.name_range.end, "-get")])).flatten();
            found.push(Diagnostic::new(Self::META.id, command.words_range, "apt is made for terminals").with_fix(fix));
        }
    }
}
