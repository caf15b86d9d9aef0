//! `dnf-cache-kept`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `dnf install` leaves its cache in the layer.
    ///
    /// ```dockerfile,bad
    /// FROM fedora:42
    /// RUN dnf install -y httpd-2.4.62
    /// ```
    /// ```dockerfile,good
    /// FROM fedora:42
    /// RUN dnf install -y httpd-2.4.62 && dnf clean all
    /// ```
    pub DnfCacheKept {
        id: "dnf-cache-kept", aliases: &["DL3040"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::Sometimes,
        may_change: &["/var/cache/dnf/**", "/var/cache/yum/**", "/var/cache/libdnf5/**"],
    }
}

const VERBS: [&str; 8] = ["install", "in", "upgrade", "up", "upgrade-minimal", "up-min", "reinstall", "rei"];

impl Rule for DnfCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if run.mounts_cache_over("/var/cache/libdnf5")
                || run.mounts_cache_over("/var/cache/dnf")
                || run.mounts_cache_over("/var/cache/yum")
            {
                continue;
            }
            let install = run
                .commands
                .iter()
                .position(|command| command.is_any(&["dnf", "microdnf"]) && command.has_any_arg(&VERBS));
            let Some((at, install)) = install.and_then(|at| Some((at, run.commands.get(at)?))) else { continue };
            let after = run.commands.get(at..).unwrap_or_default();
            if after.iter().any(|command| {
                command.name == install.name && command.has_arg("clean")
                    || ["dnf", "yum", "libdnf5"].iter().any(|name| crate::pins::removes_cache(command, name))
            }) {
                continue;
            }
            let end = run.and_list_end().filter(|_| !install.place.conditional && !crate::pins::uninstalls(after));
            let edit = end.map(|end| crate::append::command(model, run, end, &format!("{} clean all", install.name)));
            let fix = edit.and_then(|edit| {
                Some(Fix::safe("empty the cache in this RUN", [edit])?.changing(Self::META.may_change))
            });
            found.push(
                Diagnostic::new(Self::META.id, install.words_range, "dnf leaves its cache in this layer").with_fix(fix),
            );
        }
    }
}
