//! `yum-cache-kept`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `yum install` leaves its cache in the layer.
    ///
    /// ```dockerfile,bad
    /// FROM centos:7
    /// RUN yum install -y httpd-2.4.6
    /// ```
    /// ```dockerfile,good
    /// FROM centos:7
    /// RUN yum install -y httpd-2.4.6 && yum clean all
    /// ```
    pub YumCacheKept {
        id: "yum-cache-kept", aliases: &["DL3032"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::Sometimes,
        may_change: &["/var/cache/yum/**"],
    }
}

impl Rule for YumCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if run.mounts_cache_over("/var/cache/yum") {
                continue;
            }
            let install = run.commands.iter().position(|command| command.is("yum") && command.has_arg("install"));
            let Some((at, install)) = install.and_then(|at| Some((at, run.commands.get(at)?))) else { continue };
            let after = run.commands.get(at..).unwrap_or_default();
            if after.iter().any(|command| {
                command.is("yum") && command.has_arg("clean") || crate::pins::removes_cache(command, "yum")
            }) {
                continue;
            }
            let end = run.and_list_end().filter(|_| !install.place.conditional && !crate::pins::uninstalls(after));
            let edit = end.map(|end| crate::append::command(model, run, end, "yum clean all"));
            let fix = edit.and_then(|edit| {
                Some(Fix::safe("empty the cache in this RUN", [edit])?.changing(Self::META.may_change))
            });
            found.push(
                Diagnostic::new(Self::META.id, install.words_range, "yum leaves its cache in this layer").with_fix(fix),
            );
        }
    }
}
