//! `zypper-cache-kept`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `zypper install` leaves its cache in the layer.
    ///
    /// ```dockerfile,bad
    /// FROM opensuse/leap:15.6
    /// RUN zypper install -y httpd=2.4.62
    /// ```
    /// ```dockerfile,good
    /// FROM opensuse/leap:15.6
    /// RUN zypper install -y httpd=2.4.62 && zypper clean --all
    /// ```
    pub ZypperCacheKept {
        id: "zypper-cache-kept", aliases: &["DL3036"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::Sometimes,
        may_change: &["/var/cache/zypp/**"],
    }
}

impl Rule for ZypperCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if run.mounts_cache_over("/var/cache/zypp") {
                continue;
            }
            let install =
                run.commands.iter().position(|command| command.is("zypper") && command.has_any_arg(&["install", "in"]));
            let Some((at, install)) = install.and_then(|at| Some((at, run.commands.get(at)?))) else { continue };
            let after = run.commands.get(at..).unwrap_or_default();
            if after.iter().any(|command| {
                command.is("zypper") && command.has_any_arg(&["clean", "cc"])
                    || crate::pins::removes_cache(command, "zypp")
            }) {
                continue;
            }
            let end = run.and_list_end().filter(|_| !install.place.conditional && !crate::pins::uninstalls(after));
            let edit = end.map(|end| crate::append::command(model, run, end, "zypper clean --all"));
            let fix = edit.and_then(|edit| {
                Some(Fix::safe("empty the cache in this RUN", [edit])?.changing(Self::META.may_change))
            });
            found.push(
                Diagnostic::new(Self::META.id, install.words_range, "zypper leaves its cache in this layer")
                    .with_fix(fix),
            );
        }
    }
}
