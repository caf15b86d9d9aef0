//! `chmod-after-copy`

use super::after_copy::{self, Change};
use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
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
        let change =
            Change { rule: Self::META.id, help: "COPY --chmod gives the files their mode as they come", flag: "chmod" };
        after_copy::check(
            &change,
            model,
            |effect| match effect {
                Effect::ChangeMode { mode, paths, recursive: true } => Some((mode.as_ref(), paths)),
                _ => None,
            },
            found,
        );
    }
}
