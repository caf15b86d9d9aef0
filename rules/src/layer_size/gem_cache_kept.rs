//! `gem-cache-kept`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `gem install` or `bundle install` keeps the downloaded gems in its cache.
    ///
    /// ```dockerfile,bad
    /// FROM ruby:3.3
    /// RUN bundle install
    /// ```
    /// ```dockerfile,good
    /// FROM ruby:3.3
    /// RUN bundle install && rm -rf /usr/local/bundle/cache
    /// ```
    pub GemCacheKept {
        id: "gem-cache-kept", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for GemCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if run.mounts_cache_over("/usr/local/bundle/cache") || run.mounts_cache_over("/usr/local/bundle") {
                continue;
            }
            let install = run.commands.iter().position(|command| {
                command.is_any(&["bundle", "bundler"]) && (command.has_arg("install") || command.args.is_empty())
                    || command.is("gem") && command.has_any_arg(&["install", "i"])
            });
            let Some((at, install)) = install.and_then(|at| Some((at, run.commands.get(at)?))) else { continue };
            let after = run.commands.get(at..).unwrap_or_default();
            if after.iter().any(|command| {
                command.is("rm") && command.args.iter().any(|arg| arg.text.contains("cache"))
                    || command.has_arg("clean")
                    || command.has_arg("cleanup")
            }) {
                continue;
            }
            found.push(Diagnostic::new(Self::META.id, install.words_range, "the downloaded gems stay in this layer"));
        }
    }
}
