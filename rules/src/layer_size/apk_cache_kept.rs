//! `apk-cache-kept`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::apk;

crate::declare_rule! {
    /// `apk add` keeps its index.
    ///
    /// With `--no-cache` the index is fetched and thrown away; `--update` and a removal of `/var/cache/apk` are not needed then.
    ///
    /// ```dockerfile,bad
    /// FROM alpine:3.20
    /// RUN apk add curl~=8.9
    /// ```
    /// ```dockerfile,good
    /// FROM alpine:3.20
    /// RUN apk add --no-cache curl~=8.9
    /// ```
    pub ApkCacheKept {
        id: "apk-cache-kept", aliases: &["DL3019"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Sometimes,
        may_change: &["/var/cache/apk/**", "/lib/apk/**", "/etc/apk/**"],
    }
}

impl Rule for ApkCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if run.mounts_cache_over("/var/cache/apk") {
                continue;
            }
            for command in run.commands.iter().filter(|command| apk::is_add(command) && !command.has_flag("no-cache")) {
                let verb = command.args.iter().find(|arg| arg.text == "add" && arg.known);
                let edit = verb.filter(|_| !run.is_exec()).map(|verb| Edit::insert(verb.range.end, " --no-cache"));
                let fix =
                    edit.and_then(|edit| Some(Fix::safe("add --no-cache", [edit])?.changing(Self::META.may_change)));
                found.push(
                    Diagnostic::new(Self::META.id, command.words_range, "apk keeps its index in the image")
                        .with_fix(fix),
                );
            }
        }
    }
}
