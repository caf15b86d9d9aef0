//! `gem-cache-kept`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};

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
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Sometimes,
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
            // Where the gems are is known to gem alone, and where bundler is told another folder it is not even there.
            let end = run.and_list_end().filter(|_| !install.place.conditional && !crate::pins::uninstalls(after));
            let empty = "rm -rf \"$(gem env gemdir)\"/cache";
            let edit = end.map(|end| crate::append::command(model, run, end, empty));
            let fix = edit.and_then(|edit| Fix::risky("empty the cache in this RUN", [edit]));
            found.push(
                Diagnostic::new(Self::META.id, install.words_range, "the downloaded gems stay in this layer")
                    .with_fix(fix),
            );
        }
    }
}

#[test]
fn the_cache_is_where_gem_says_and_the_fix_is_not_safe() {
    let file = "FROM ruby:3.3\nRUN gem install rake\n";
    let fixed = crate::testing::fixed(&GemCacheKept, file);
    assert_eq!(fixed, "FROM ruby:3.3\nRUN gem install rake && rm -rf \"$(gem env gemdir)\"/cache\n");
    let found = crate::testing::findings(&GemCacheKept, file, &crate::testing::Around::default());
    let fix = found.first().and_then(|found| found.fix.as_ref()).expect("a fix");
    assert_eq!(fix.applicability(), plimsoll_analyzer::diagnostic::Applicability::Unsafe);
}
