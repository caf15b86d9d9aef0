//! `zypper-asks`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `zypper` waits for an answer that nobody gives.
    ///
    /// ```dockerfile,bad
    /// FROM opensuse/leap:15.6
    /// RUN zypper install httpd=2.4.62 && zypper clean
    /// ```
    /// ```dockerfile,good
    /// FROM opensuse/leap:15.6
    /// RUN zypper install -y httpd=2.4.62 && zypper clean
    /// ```
    pub ZypperAsks {
        id: "zypper-asks", aliases: &["DL3034"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::Sometimes,
    }
}

const VERBS: [&str; 7] = ["install", "in", "remove", "rm", "source-install", "si", "patch"];

impl Rule for ZypperAsks {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (run, command) in model.commands() {
            if !(command.is("zypper"))
                || !command.has_any_arg(&VERBS)
                || command.has_any_flag(&["n", "non-interactive", "no-confirm", "y"])
            {
                continue;
            }
            let verb = command.args.iter().find(|arg| VERBS.contains(&arg.text.as_ref()) && arg.known);
            let edit =
                verb.filter(|_| !run.is_exec() && !command.place.piped).map(|verb| Edit::insert(verb.range.end, " -y"));
            let fix = edit.and_then(|edit| Fix::safe("say yes beforehand", [edit]));
            found.push(Diagnostic::new(Self::META.id, command.words_range, "zypper would ask").with_fix(fix));
        }
    }
}
