//! `duplicate-stage-name`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// Two stages have the same name.
    ///
    /// `--from` and `--target` then find only one of them. Letter case does not tell them apart.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12 AS app
    /// FROM debian:13 AS app
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS build
    /// FROM debian:13 AS app
    /// ```
    pub DuplicateStageName {
        id: "duplicate-stage-name", aliases: &["DL3024", "DuplicateStageName"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for DuplicateStageName {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let mut seen: Vec<(String, String)> = Vec::new();
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let Some(name) = &from.name else { continue };
            let folded = name.to_lowercase();
            if let Some((_, written)) = seen.iter().find(|(other, _)| *other == folded) {
                let aliases: &[&str] = if seen.iter().any(|(_, w)| w == name.as_str()) {
                    &["DL3024", "DuplicateStageName"]
                } else {
                    &["DuplicateStageName"]
                };
                let message = format!("another stage is called {written} already");
                found.push(Diagnostic::new(Self::META.id, name.range, message).under(aliases));
            }
            seen.push((folded, name.to_string()));
        }
    }
}
