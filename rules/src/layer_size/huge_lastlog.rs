//! `huge-lastlog`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::users;

crate::declare_rule! {
    /// A user with a high number makes `/var/log/lastlog` huge.
    ///
    /// The file has a record for every number below; layers store what it is not, too. `-l` leaves the user out of it.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN useradd -u 123456 app
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN useradd -l -u 123456 app
    /// ```
    pub HugeLastlog {
        id: "huge-lastlog", aliases: &["DL3046"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::Sometimes,
        may_change: &["/var/log/lastlog", "/var/log/faillog"],
    }
}

impl Rule for HugeLastlog {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            let told = run.commands.iter().find(|command| {
                command.is("useradd")
                    && !command.has_any_flag(&["l", "no-log-init"])
                    && users::uid(command)
                        .is_some_and(|uid| uid.text.len() > 5 && uid.text.bytes().all(|b| b.is_ascii_digit()))
            });
            let Some(command) = told else { continue };
            let fix = (command.name_known && !run.is_exec())
                .then(|| Fix::safe("leave the user out of lastlog", [Edit::insert(command.name_range.end, " -l")]));
            let fix = fix.flatten().map(|fix| fix.changing(Self::META.may_change));
            found.push(
                Diagnostic::new(Self::META.id, command.words_range, "lastlog grows with the user's number")
                    .with_fix(fix),
            );
        }
    }
}
