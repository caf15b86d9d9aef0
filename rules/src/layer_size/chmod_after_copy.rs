//! `chmod-after-copy`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::Effect;

crate::declare_rule! {
    /// `chmod -R` over files of an earlier layer doubles them.
    ///
    /// A layer stores every file whose mode changes once more, whole. `COPY --chmod` takes an octal mode for all of them (and
    /// letters, with frontends from 1.14 on).
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY . /srv
    /// RUN chmod -R 755 /srv
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// COPY --chmod=755 . /srv
    /// ```
    pub ChmodAfterCopy {
        id: "chmod-after-copy", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::Sometimes,
        may_change: &["/**"],
    }
}

impl Rule for ChmodAfterCopy {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs().iter().filter(|run| !run.onbuild) {
            for (command, effect) in run.effects() {
                let Effect::ChangeMode { mode, paths, recursive } = effect else { continue };
                if !recursive {
                    continue;
                }
                let copies = model
                    .copies()
                    .iter()
                    .filter(|copy| copy.stage == run.stage && copy.index < run.index && !copy.onbuild);
                let hit = |copy: &&plimsoll_analyzer::model::Copied<'_>| {
                    paths.iter().any(|path| crate::context::lands_below(model, copy, run, path))
                };
                let hits: Vec<_> = copies.filter(hit).collect();
                let Some(first) = hits.first() else { continue };
                let bytes =
                    hits.iter().filter_map(|copy| model.taken(copy)).flatten().map(|entry| entry.size).sum::<u64>();
                let message = "every file of an earlier layer is stored a second time";
                let mut diagnostic = Diagnostic::new(Self::META.id, command.words_range, message)
                    .with_label(first.instruction.range, "copied here")
                    .with_help("COPY --chmod gives the files their mode as they come");
                if bytes > 0 {
                    diagnostic = diagnostic.with_bytes(bytes);
                }
                let word = mode.as_ref().filter(|word| word.known && !word.text.is_empty());
                let edits = word.and_then(|word| {
                    crate::context::moved_to_copy(model, run, command, &hits, paths, "chmod", &word.text)
                });
                let fix = edits.and_then(|edits| Fix::risky("say it in COPY", edits));
                found.push(diagnostic.with_fix(fix));
            }
        }
    }
}
