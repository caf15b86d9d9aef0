//! `copy-from-unknown-stage`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `COPY --from` names no stage before it.
    ///
    /// It then means an image of that name, which is seldom wanted without a tag.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY --from=build /app /app
    /// ```
    /// ```dockerfile,good
    /// FROM golang:1.22 AS build
    /// FROM debian:12
    /// COPY --from=build /app /app
    /// ```
    pub CopyFromUnknownStage {
        id: "copy-from-unknown-stage", aliases: &["DL3022"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for CopyFromUnknownStage {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| !copy.add && !copy.onbuild) {
            let Some(name) = copy.syntax.from.as_ref().filter(|name| !name.contains(':')) else { continue };
            let own = copy.stage.unwrap_or(0);
            let known = |at: usize| at < own || copy.stage == Some(at);
            let by_name = |stage: &plimsoll_analyzer::stages::Stage| {
                stage.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name))
            };
            let named = copy.stage.is_some()
                && model.stages().stages.iter().take_while(|stage| known(stage.index)).any(by_name);
            let numbered = name.parse::<usize>().is_ok_and(|number| copy.stage.is_some() && number <= own);
            if !named && !numbered {
                let message = format!("no stage before this one is called {}", name.as_str());
                found.push(Diagnostic::new(Self::META.id, name.range, message));
            }
        }
    }
}
