//! `chown-after-copy`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::Effect;

crate::declare_rule! {
    /// `chown -R` over files of an earlier layer doubles them.
    ///
    /// A layer stores every file whose owner changes once more, whole. `COPY --chown` gives them their owner as they come.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY . /srv
    /// RUN chown -R 1000:1000 /srv
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// COPY --chown=1000:1000 . /srv
    /// ```
    pub ChownAfterCopy {
        id: "chown-after-copy", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::Sometimes,
        may_change: &["/**"],
    }
}

impl Rule for ChownAfterCopy {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs().iter().filter(|run| !run.onbuild) {
            for (command, effect) in run.effects() {
                let Effect::ChangeOwner { owner, paths, recursive } = effect else { continue };
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
                    .with_help("COPY --chown gives the files their owner as they come");
                if bytes > 0 {
                    diagnostic = diagnostic.with_bytes(bytes);
                }
                let word = owner.as_ref().filter(|word| word.known && !word.text.is_empty());
                let edits = word.and_then(|word| {
                    crate::context::moved_to_copy(model, run, command, &hits, paths, "chown", &word.text)
                });
                let fix = edits.and_then(|edits| Fix::risky("say it in COPY", edits));
                found.push(diagnostic.with_fix(fix));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixed;

    #[test]
    fn no_copy_that_may_land_there_is_forgotten() {
        let text = "FROM debian:12\nCOPY . /srv\nRUN chown -R 1000:1000 /srv\n";
        assert_eq!(fixed(&ChownAfterCopy, text), "FROM debian:12\nCOPY --chown=1000:1000 . /srv\n");
        for other in ["COPY / $HOME", "COPY a b $WHERE/", "COPY rootfs/ /"] {
            let text = format!("FROM debian:12\n{other}\nCOPY . /srv\nRUN chown -R 1000:1000 /srv\n");
            assert_eq!(fixed(&ChownAfterCopy, &text), text);
        }
    }
}
