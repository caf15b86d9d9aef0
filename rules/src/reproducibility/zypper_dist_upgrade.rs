//! `zypper-dist-upgrade`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `zypper dist-upgrade` turns the base into another release.
    ///
    /// Take the base image of that release instead.
    ///
    /// ```dockerfile,bad
    /// FROM opensuse/leap:15.6
    /// RUN zypper -n dup
    /// ```
    /// ```dockerfile,good
    /// FROM opensuse/leap:15.6
    /// RUN zypper -n refresh
    /// ```
    pub ZypperDistUpgrade {
        id: "zypper-dist-upgrade", aliases: &["DL3035"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ZypperDistUpgrade {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, command) in model.commands() {
            if command.is("zypper") && command.has_any_arg(&["dist-upgrade", "dup"]) {
                found.push(Diagnostic::new(Self::META.id, command.words_range, "the whole distribution is upgraded"));
            }
        }
    }
}
