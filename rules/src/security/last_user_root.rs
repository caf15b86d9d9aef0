//! `last-user-root`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// The last USER is root.
    ///
    /// The container then runs with root's rights. Switch back to an ordinary user after the steps that need them.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// USER root
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// USER root
    /// RUN true
    /// USER 1000
    /// ```
    pub LastUserRoot {
        id: "last-user-root", aliases: &["DL3002"], since: "0.1.0",
        group: Group::Security, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LastUserRoot {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for stage in &model.stages().stages {
            let users = model.steps_of(stage.index).iter().filter(|step| !step.onbuild);
            let mut last = users.filter_map(|step| match &step.instruction.kind {
                Kind::User(user) => Some(user),
                _ => None,
            });
            let Some(user) = last.next_back() else { continue };
            let name = user.split(':').next().unwrap_or_default();
            if matches!(name, "root" | "0") {
                found.push(Diagnostic::new(Self::META.id, user.range, "the last user is root"));
            }
        }
    }
}
