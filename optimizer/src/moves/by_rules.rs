//! Moves that are sets of rules' fixes, applied to a fixed point.

use super::{Input, Move, NotApplicable, Step};
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
    rules: &["DL3015"],
};
pub(crate) static CACHES: ByRules = ByRules {
    name: "caches-removed",
    title: "package lists and caches removed",
    explain: "Package lists, downloaded archives and installers' caches go in the layer that made them.",
    level: Level::Unsafe,
    rules: &["apt-update-alone", "apt-update-apart", "DL3009", "DL3042", "DL3019", "DL3032", "DL3036", "DL3040", "DL3060", "npm-cache-kept", "gem-cache-kept", "apt-cache-kept"],
};
pub(crate) static LAYERS: ByRules = ByRules {
    name: "layers-chained",
    title: "layers chained",
    explain: "Instructions that only follow each other become one; owners and modes are set where files are copied; what a \
              later layer deletes is deleted in the layer that made it.",
    level: Level::Unsafe,
    rules: &["DL3059", "label-chain", "labels-apart", "chown-after-copy", "copy-then-chown", "chmod-after-copy", "removed-later", "DL3014"],
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
            selection: Selection { select: self.rules.iter().map(|rule| (*rule).to_owned()).collect(), ..Selection::default() },
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
            may_change: done.ledger.may_change(),
            notes: left.collect(),
            ..Step::of(Files { dockerfile: done.text, dockerignore: input.files.dockerignore.clone() })
        })
    }
}
