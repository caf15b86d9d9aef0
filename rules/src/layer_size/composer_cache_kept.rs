//! `composer-cache-kept`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// composer keeps the archives it downloaded.
    ///
    /// ```dockerfile,bad
    /// FROM php:8.3
    /// RUN composer install
    /// ```
    /// ```dockerfile,good
    /// FROM php:8.3
    /// RUN composer install --no-cache
    /// ```
    pub ComposerCacheKept {
        id: "composer-cache-kept", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Sometimes,
        may_change: &["/root/.composer/cache/**", "/root/.cache/composer/**"],
    }
}

impl Rule for ComposerCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if run.mounts_cache_over("/root/.composer/cache")
                || run.mounts_cache_over("/root/.cache/composer")
                || run.mounts_cache_over("/tmp/cache")
            {
                continue;
            }
            let install = run.commands.iter().position(|command| {
                command.is("composer")
                    && command.has_any_arg(&["install", "require", "update"])
                    && !command.has_flag("no-cache")
            });
            let Some((at, install)) = install.and_then(|at| Some((at, run.commands.get(at)?))) else { continue };
            let after = run.commands.get(at..).unwrap_or_default();
            if after
                .iter()
                .any(|command| command.is("composer") && command.has_any_arg(&["clear-cache", "clearcache", "cc"]))
            {
                continue;
            }
            let end = run.and_list_end().filter(|_| !install.place.conditional && !crate::pins::uninstalls(after));
            let edit = end.map(|end| crate::append::command(model, run, end, "composer clear-cache"));
            let fix = edit.and_then(|edit| {
                Some(Fix::safe("empty the cache in this RUN", [edit])?.changing(Self::META.may_change))
            });
            found.push(
                Diagnostic::new(Self::META.id, install.words_range, "the downloaded archives stay in this layer")
                    .with_fix(fix),
            );
        }
    }
}
