//! `wget-progress`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// wget draws its progress bar into the build's log.
    ///
    /// `--progress=dot:giga` or `-q` keep it short; busybox's wget knows only `-q`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN wget https://example.org/a.tar.gz
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN wget --progress=dot:giga https://example.org/a.tar.gz
    /// ```
    pub WgetProgress {
        id: "wget-progress", aliases: &["DL3047"], since: "0.1.0",
        group: Group::Style, severity: Severity::Info, fixable: Fixable::Sometimes,
    }
}

impl Rule for WgetProgress {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (run, command) in model.commands().filter(|(_, command)| command.is("wget")) {
            let quiet = ["q", "quiet", "no-verbose", "o", "output-file", "a", "append-output", "progress"];
            if command.has_any_flag(&quiet) || command.has_any_arg(&["-nv"]) {
                continue;
            }
            let place = command.name_range.end;
            let fix = (!run.is_exec())
                .then(|| Fix::risky("draw dots, few of them", [Edit::insert(place, " --progress=dot:giga")]));
            let message = "wget draws its progress bar into the log";
            found.push(Diagnostic::new(Self::META.id, command.words_range, message).with_fix(fix.flatten()));
        }
    }
}
