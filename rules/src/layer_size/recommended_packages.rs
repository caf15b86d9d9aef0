//! `recommended-packages`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::commands::apt;
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::Model;
use plimsoll_parser::Edit;

crate::declare_rule! {
    /// `apt-get install` brings packages that are only recommended.
    ///
    /// ## Why it weighs
    /// Debian installs what a package recommends unless told otherwise: `python3-pip` alone then brings a C compiler, over
    /// 200 MB. The fix is not counted as safe, because now and then a program does need a recommended package
    /// (`ca-certificates` with `curl` is the usual one): build and compare.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y python3-pip
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y --no-install-recommends python3-pip
    /// ```
    pub RecommendedPackages {
        id: "recommended-packages", aliases: &["DL3015"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Always,
        may_change: &[
            "/bin/**", "/boot/**", "/etc/**", "/lib*/**", "/opt/**", "/root/**", "/run/**", "/sbin/**", "/srv/**",
            "/tmp/**", "/usr/**", "/var/**",
        ],
    }
}

impl Rule for RecommendedPackages {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            for command in &run.commands {
                if !apt::is_install(command) || apt::refuses_recommends(command) {
                    continue;
                }
                let verb = command.args.iter().find(|arg| arg.text == "install" && arg.known);
                let edit = verb
                    .filter(|_| !run.is_exec())
                    .map(|verb| Edit::insert(verb.range.end, " --no-install-recommends"));
                let fix = edit.and_then(|edit| {
                    Some(Fix::risky("leave recommended packages out", [edit])?.changing(Self::META.may_change))
                });
                let message = "recommended packages are installed as well";
                let diagnostic = Diagnostic::new(Self::META.id, command.words_range, message).with_fix(fix);
                found.push(diagnostic.beyond_others(command.is("apt")));
            }
        }
    }
}
