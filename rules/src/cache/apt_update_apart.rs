//! `apt-update-apart`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::commands::{Effect, Manager};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::{Model, Run};

crate::declare_rule! {
    /// `apt-get update` stands in a RUN of its own.
    ///
    /// ## Why it matters
    /// The layer with the lists is taken from the cache for weeks while the RUN with the installation changes: then packages
    /// are asked for that the mirror no longer has. And the lists cannot be removed in the layer that holds them.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN apt-get update
    /// RUN apt-get install -y curl
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y curl
    /// ```
    pub AptUpdateApart {
        id: "apt-update-apart", aliases: &[], since: "0.1.0",
        group: Group::Cache, severity: Severity::Warning, fixable: Fixable::Sometimes,
    }
}

impl Rule for AptUpdateApart {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (at, run) in model.runs().iter().enumerate() {
            let fetch = run.effects().find(|(_, effect)| matches!(effect, Effect::Update(Manager::Apt)));
            let Some((update, _)) = fetch.filter(|_| !installs(run)) else { continue };
            let Some(later) =
                model.runs().get(at + 1..).and_then(|rest| rest.iter().find(|later| reads_lists(run, later)))
            else {
                continue;
            };
            let join = model.joined(run, later).and_then(|edits| Fix::safe("join it with the installation", edits));
            let message = "the package lists are fetched in another layer than they are used in";
            let found_here = Diagnostic::new(Self::META.id, update.words_range, message);
            found.push(found_here.with_label(later.instruction.range, "used here").with_fix(join));
        }
    }
}

fn installs(run: &Run<'_>) -> bool {
    run.effects().any(|(_, effect)| matches!(effect, Effect::Install(install) if install.manager == Manager::Apt))
}

fn reads_lists(run: &Run<'_>, later: &Run<'_>) -> bool {
    let fetches = later.effects().any(|(_, effect)| matches!(effect, Effect::Update(Manager::Apt)));
    later.stage == run.stage && installs(later) && !fetches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixed;

    #[test]
    fn comments_and_line_ends_are_kept() {
        let text = "FROM debian:12\r\nRUN apt-get update\r\n\r\n# curl is for the health check\r\nRUN apt-get install -y curl\r\n";
        let want = "FROM debian:12\r\nRUN apt-get update \\\r\n# curl is for the health check\r\n    && apt-get install -y curl\r\n";
        assert_eq!(fixed(&AptUpdateApart, text), want);
    }

    #[test]
    fn what_may_go_wrong_is_left() {
        for text in [
            "FROM debian:12\nRUN apt-get update || true\nRUN apt-get install -y curl\n",
            "FROM debian:12\nRUN apt-get update; ls\nRUN apt-get install -y curl\n",
            "FROM debian:12\nRUN cd /tmp && apt-get update\nRUN apt-get install -y curl\n",
            "FROM debian:12\nRUN apt-get update # fresh\nRUN apt-get install -y curl\n",
            "FROM debian:12\nRUN apt-get update\nENV A=b\nRUN apt-get install -y curl\n",
            "FROM debian:12\nRUN apt-get update\nRUN test -f /x; apt-get install -y curl\n",
        ] {
            assert_eq!(fixed(&AptUpdateApart, text), text);
        }
    }
}
