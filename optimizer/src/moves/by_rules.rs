//! Moves that are sets of rules' fixes, applied to a fixed point.

use super::{Input, Move, NotApplicable, Step, made_anew};
use crate::apply::Level;
use crate::converge::{Outcome, converge};
use crate::files::Files;
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_rules::{Selection, Settings, check_all};

/// The fixes of some rules.
pub(crate) struct ByRules {
    name: &'static str,
    title: &'static str,
    explain: &'static str,
    level: Level,
    /// Ids or aliases.
    rules: &'static [&'static str],
}

pub(crate) static RECOMMENDED: ByRules = ByRules {
    name: "no-install-recommends",
    title: "no-install-recommends",
    explain: "apt installs what packages depend on and not what they recommend. Relies on the program working without the \
              recommended ones.",
    level: Level::Unsafe,
    rules: &["recommended-packages"],
};
pub(crate) static CACHES: ByRules = ByRules {
    name: "caches-removed",
    title: "package lists and caches removed",
    explain: "Package lists, downloaded archives and installers' caches go in the layer that made them.",
    level: Level::Safe,
    rules: &[
        "apk-cache-kept",
        "apt-lists-kept",
        "apt-update-apart",
        "composer-cache-kept",
        "conda-cache-kept",
        "dnf-cache-kept",
        "gem-cache-kept",
        "npm-cache-kept",
        "pip-cache-kept",
        "tool-cache-kept",
        "yarn-cache-kept",
        "yum-cache-kept",
        "zypper-cache-kept",
    ],
};
pub(crate) static LAYERS: ByRules = ByRules {
    name: "layers-chained",
    title: "layers chained",
    explain: "Instructions that only follow each other become one, and what a later layer deletes is deleted in the layer \
              that made it.",
    level: Level::Safe,
    rules: &["consecutive-runs", "huge-lastlog", "labels-apart", "removed-later"],
};

impl Move for ByRules {
    fn name(&self) -> &'static str {
        self.name
    }
    fn title(&self) -> &'static str {
        self.title
    }
    fn explain(&self) -> &'static str {
        self.explain
    }
    fn level(&self) -> Level {
        self.level
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let ignore = input.files.dockerignore.as_deref().map(|text| Ignore::parse(text).0);
        let settings = Settings {
            selection: Selection {
                select: self.rules.iter().map(|rule| (*rule).to_owned()).collect(),
                ..Selection::default()
            },
            ..Settings::default()
        };
        let mut check = |text: &str| {
            let file = plimsoll_parser::parse(text);
            let inputs = Inputs { listing: Some(input.listing), ignore: ignore.as_ref(), ..Inputs::default() };
            check_all(&Model::new(&file, inputs), &settings)
        };
        let done = converge(&input.files.dockerfile, &mut check, self.level);
        match done.outcome {
            Outcome::Fixed => {}
            Outcome::Unchanged => {
                return Err(NotApplicable::because(match done.ledger.left.first() {
                    Some(left) => format!("found by {}, but {}", left.rule, left.why),
                    None => "nothing to do".to_owned(),
                }));
            }
            Outcome::UndoneBecause { rules, reason } => {
                return Err(NotApplicable::because(format!("{reason} ({})", rules.join(", "))));
            }
        }
        let left = done.ledger.left.iter().map(|left| format!("{}: {} left out, {}", left.rule, left.title, left.why));
        Ok(Step {
            may_change: done.ledger.may_change().into_iter().chain(made_anew()).collect(),
            notes: left.collect(),
            ..Step::of(Files { dockerfile: done.text, dockerignore: input.files.dockerignore.clone() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_named_here_exists() {
        for set in [&RECOMMENDED, &CACHES, &LAYERS] {
            for rule in set.rules {
                assert!(plimsoll_rules::find(rule).is_some_and(|found| found.meta().id == *rule), "{rule}");
            }
        }
    }
}
