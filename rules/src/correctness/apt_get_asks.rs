//! `apt-get-asks`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::commands::apt;
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::Model;
use plimsoll_parser::Edit;

crate::declare_rule! {
    /// `apt-get install` waits for an answer that nobody gives.
    ///
    /// Without `-y` the build stops as soon as a package brings others with it.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN apt-get install curl
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN apt-get install -y curl
    /// ```
    pub AptGetAsks {
        id: "apt-get-asks", aliases: &["DL3014"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::Sometimes,
    }
}

impl Rule for AptGetAsks {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (run, command) in model.commands() {
            if !apt::is_install(command) || apt::assumes_yes(command) {
                continue;
            }
            let verb = command.args.iter().find(|arg| arg.text == "install" && arg.known);
            let edit =
                verb.filter(|_| !run.is_exec() && !command.place.piped).map(|verb| Edit::insert(verb.range.end, " -y"));
            let fix = edit.and_then(|edit| Fix::safe("say yes beforehand", [edit]));
            let message = "apt-get would ask before it installs";
            let diagnostic = Diagnostic::new(Self::META.id, command.words_range, message).with_fix(fix);
            found.push(diagnostic.beyond_others(command.is("apt")));
        }
    }
}
