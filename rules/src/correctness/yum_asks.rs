//! `yum-asks`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `yum install` waits for an answer that nobody gives.
    ///
    /// ```dockerfile,bad
    /// FROM centos:7
    /// RUN yum install httpd-2.4.6 && yum clean all
    /// ```
    /// ```dockerfile,good
    /// FROM centos:7
    /// RUN yum install -y httpd-2.4.6 && yum clean all
    /// ```
    pub YumAsks {
        id: "yum-asks", aliases: &["DL3030"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::Sometimes,
    }
}

const VERBS: [&str; 3] = ["install", "groupinstall", "localinstall"];

impl Rule for YumAsks {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (run, command) in model.commands() {
            if !(command.is("yum")) || !command.has_any_arg(&VERBS) || command.has_any_flag(&["y", "yes", "assumeyes"])
            {
                continue;
            }
            let verb = command.args.iter().find(|arg| VERBS.contains(&arg.text.as_ref()) && arg.known);
            let edit =
                verb.filter(|_| !run.is_exec() && !command.place.piped).map(|verb| Edit::insert(verb.range.end, " -y"));
            let fix = edit.and_then(|edit| Fix::safe("say yes beforehand", [edit]));
            found.push(
                Diagnostic::new(Self::META.id, command.words_range, "yum would ask before it installs").with_fix(fix),
            );
        }
    }
}
