//! `tool-cache-kept`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::{Effect, Manager};

crate::declare_rule! {
    /// cargo, go, maven or gradle leave their caches in the image that is shipped.
    ///
    /// Build in another stage, or mount a cache: `RUN --mount=type=cache,target=/root/.cargo/registry`.
    ///
    /// ```dockerfile,bad
    /// FROM rust:1.80
    /// RUN cargo build --release
    /// ```
    /// ```dockerfile,good
    /// FROM rust:1.80 AS build
    /// RUN cargo build --release
    /// FROM debian:12
    /// COPY --from=build /target/release/app /app
    /// ```
    pub ToolCacheKept {
        id: "tool-cache-kept", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for ToolCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if !run.stage.is_none_or(|stage| model.is_shipped(stage))
                || run.syntax.mounts().iter().any(|mount| mount.kind() == "cache")
            {
                continue;
            }
            let cleaned = run
                .commands
                .iter()
                .any(|command| command.is("rm") && command.has_flag("r") || command.has_arg("clean"));
            let told = run.effects().find(|(_, effect)| match effect {
                Effect::Install(install) => {
                    matches!(install.manager, Manager::Cargo | Manager::Go | Manager::Maven | Manager::Gradle)
                }
                _ => false,
            });
            if let Some((command, _)) = told.filter(|_| !cleaned) {
                let message = format!("{} leaves its cache in this layer", command.program());
                found.push(Diagnostic::new(Self::META.id, command.words_range, message));
            }
        }
    }
}
