//! `stage-name-casing`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// A stage's name has capital letters.
    ///
    /// The builder folds names to lower case; so should the file, where they are easier to find.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12 AS Build
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS build
    /// ```
    pub StageNameCasing {
        id: "stage-name-casing", aliases: &["StageNameCasing"], since: "0.1.0",
        group: Group::Style, severity: Severity::Style, fixable: Fixable::No,
    }
}

impl Rule for StageNameCasing {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let Some(name) = &from.name else { continue };
            if name.to_lowercase() != name.as_str() {
                found.push(Diagnostic::new(Self::META.id, name.range, "the stage's name has capital letters"));
            }
        }
    }
}
