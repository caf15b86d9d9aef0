//! `apt-lists-kept`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::commands::{Effect, Manager};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::{Model, Run};

crate::declare_rule! {
    /// Package lists of apt stay in the layer that fetched them.
    ///
    /// ## Why it weighs
    /// `apt-get update` leaves 15 to 50 MB below `/var/lib/apt/lists`. A later `RUN rm` only hides them: the bytes remain
    /// in the earlier layer. A cache mount over the lists keeps them out as well.
    ///
    /// Stages that are not part of the final image are left alone.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y curl
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
    /// ```
    pub AptListsKept {
        id: "apt-lists-kept", aliases: &["DL3009"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Sometimes,
        may_change: &["/var/lib/apt/lists/**"],
    }
}

const LISTS: &str = "/var/lib/apt/lists";

impl Rule for AptListsKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if !run.onbuild && !run.stage.is_none_or(|stage| model.is_built_upon(stage)) {
                continue;
            }
            let update = run.commands.iter().find(|c| c.is_any(&["apt-get", "apt", "aptitude"]) && c.has_arg("update"));
            let Some(update) = update else { continue };
            let cached = run.mounts_cache_over("/var/lib/apt") && run.mounts_cache_over("/var/cache/apt");
            if cached || run.mounts_cache_over(LISTS) && !run.mounts_cache_over("/var/lib/apt") || deletes_lists(run) {
                continue;
            }
            let end = run.and_list_end().filter(|_| !update.place.conditional && !lists_are_read_after(model, run));
            let fix = end.and_then(|end| {
                let edit = crate::append::command(model, run, end, "rm -rf /var/lib/apt/lists/*");
                Some(Fix::safe("delete the lists in this RUN", [edit])?.changing(Self::META.may_change))
            });
            let message = "the apt package lists stay in this layer";
            // hadolint takes any `rm -rf` for the removal of the lists.
            let forced = |c: &plimsoll_analyzer::commands::Cmd<'_>| c.is("rm") && c.has_flag("r") && c.has_flag("f");
            let beyond = run.commands.iter().any(forced);
            let diagnostic = Diagnostic::new(Self::META.id, update.words_range, message);
            found.push(diagnostic.with_fix(fix).beyond_others(beyond));
        }
    }
}

/// Whether a command of the RUN removes the lists; braces are taken for what they most likely say.
fn deletes_lists(run: &Run<'_>) -> bool {
    let braces = |text: &str| text.starts_with("/var/lib/{") && text.contains("apt");
    run.removes(LISTS)
        || run
            .commands
            .iter()
            .any(|c| c.is("rm") && c.args.iter().any(|arg| braces(&arg.text) || arg.text.starts_with(LISTS)))
}

/// Whether a later RUN of this stage, or of one on top of it, installs without fetching the lists itself.
fn lists_are_read_after(model: &Model<'_>, run: &Run<'_>) -> bool {
    model.runs().iter().filter(|later| later.index > run.index).any(|later| {
        let above = match (run.stage, later.stage) {
            (Some(base), Some(stage)) => model.stands_on(stage, base),
            (None, None) => true,
            _ => false,
        };
        let mut fetched = false;
        above
            && (later.broken
                || later.script.is_none() && !later.is_exec()
                || later.effects().any(|(_, effect)| match effect {
                    Effect::Update(Manager::Apt) => {
                        fetched = true;
                        false
                    }
                    Effect::Install(install) => install.manager == Manager::Apt && !fetched,
                    Effect::Upgrade(Manager::Apt) => !fetched,
                    _ => false,
                }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, fixed};

    #[test]
    fn a_later_removal_does_not_help() {
        check(&AptListsKept, "FROM debian:12\nRUN «apt-get update»\nRUN rm -rf /var/lib/apt/lists/*\n");
    }

    #[test]
    fn the_removal_is_joined_where_the_meaning_is_certain() {
        let text = "FROM debian:12\nRUN apt-get update \\\n && apt-get install -y curl\n";
        assert!(fixed(&AptListsKept, text).ends_with("install -y curl \\\n && rm -rf /var/lib/apt/lists/*\n"));
        for uncertain in [
            "FROM debian:12\nRUN apt-get update; apt-get install -y curl\n",
            "FROM debian:12\nRUN apt-get update || true\n",
            "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y curl\n",
            "FROM debian:12\nSHELL [\"pwsh\", \"-c\"]\nRUN apt-get update\n",
        ] {
            assert_eq!(fixed(&AptListsKept, uncertain), uncertain);
        }
    }

    #[test]
    fn stages_that_are_left_behind_may_keep_them() {
        check(&AptListsKept, "FROM debian:12 AS build\nRUN apt-get update\nFROM scratch\nCOPY --from=build /a /a\n");
    }
}
