//! `npm-cache-kept`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// npm leaves what it downloaded below `/root/.npm`.
    ///
    /// Stages that are not part of the final image are left alone.
    ///
    /// ```dockerfile,bad
    /// FROM node:22
    /// RUN npm ci
    /// ```
    /// ```dockerfile,good
    /// FROM node:22
    /// RUN npm ci && npm cache clean --force
    /// ```
    pub NpmCacheKept {
        id: "npm-cache-kept", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Sometimes,
        may_change: &["/root/.npm/**"],
    }
}

impl Rule for NpmCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if !run.onbuild && !run.stage.is_none_or(|stage| model.is_built_upon(stage)) {
                continue;
            }
            if run.mounts_cache_over("/root/.npm") {
                continue;
            }
            let install = run
                .commands
                .iter()
                .position(|command| command.is("npm") && command.has_any_arg(&["install", "i", "ci", "add"]));
            let Some((at, install)) = install.and_then(|at| Some((at, run.commands.get(at)?))) else { continue };
            let after = run.commands.get(at..).unwrap_or_default();
            if after.iter().any(|command| {
                command.is("npm") && command.has_arg("cache")
                    || command.is("rm") && command.args.iter().any(|arg| arg.text.contains(".npm"))
            }) {
                continue;
            }
            let end = run.and_list_end().filter(|_| !install.place.conditional && !crate::pins::uninstalls(after));
            let edit = end.map(|end| crate::append::command(model, run, end, "npm cache clean --force"));
            let fix = edit.and_then(|edit| {
                Some(Fix::safe("empty the cache in this RUN", [edit])?.changing(Self::META.may_change))
            });
            found.push(
                Diagnostic::new(Self::META.id, install.words_range, "npm leaves its cache in this layer").with_fix(fix),
            );
        }
    }
}
