//! `dnf-asks`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `dnf install` waits for an answer that nobody gives.
    ///
    /// ```dockerfile,bad
    /// FROM fedora:42
    /// RUN dnf install httpd-2.4.62 && dnf clean all
    /// ```
    /// ```dockerfile,good
    /// FROM fedora:42
    /// RUN dnf install -y httpd-2.4.62 && dnf clean all
    /// ```
    pub DnfAsks {
        id: "dnf-asks", aliases: &["DL3038"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::Sometimes,
    }
}

const VERBS: [&str; 3] = ["install", "groupinstall", "localinstall"];

impl Rule for DnfAsks {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (run, command) in model.commands() {
            if !(command.is_any(&["dnf", "microdnf"]))
                || !command.has_any_arg(&VERBS)
                || command.has_any_flag(&["y", "yes", "assumeyes"])
            {
                continue;
            }
            let verb = command.args.iter().find(|arg| VERBS.contains(&arg.text.as_ref()) && arg.known);
            let edit =
                verb.filter(|_| !run.is_exec() && !command.place.piped).map(|verb| Edit::insert(verb.range.end, " -y"));
            let fix = edit.and_then(|edit| Fix::safe("say yes beforehand", [edit]));
            found.push(
                Diagnostic::new(Self::META.id, command.words_range, "dnf would ask before it installs").with_fix(fix),
            );
        }
    }
}
