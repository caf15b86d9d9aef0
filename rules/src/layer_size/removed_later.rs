//! `removed-later`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, TextRange, unquoted};
use plimsoll_analyzer::commands::Effect;

crate::declare_rule! {
    /// A file is removed in a later layer than the one that brought it.
    ///
    /// The removal hides it; its bytes stay in the image. Remove it in the same RUN, fetch it with a mount, or use another stage.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY setup.tar /tmp/setup.tar
    /// RUN tar -xf /tmp/setup.tar -C /opt && rm /tmp/setup.tar
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN --mount=type=bind,source=setup.tar,target=/tmp/setup.tar tar -xf /tmp/setup.tar -C /opt
    /// ```
    pub RemovedLater {
        id: "removed-later", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for RemovedLater {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs().iter().filter(|run| !run.onbuild) {
            let Some(stage) = run.stage.filter(|stage| model.is_built_upon(*stage)) else { continue };
            for (command, effect) in run.effects() {
                let Effect::Remove { paths, .. } = effect else { continue };
                for path in paths.iter().filter(|path| path.known && path.text.starts_with('/')) {
                    let Some((place, bytes)) = brought(model, stage, run.index, path.text.trim_end_matches('/')) else {
                        continue;
                    };
                    let message = format!("{} stays in the layer that brought it", path.text);
                    let diagnostic = Diagnostic::new(Self::META.id, command.words_range, message).with_bytes(bytes);
                    found.push(diagnostic.with_label(place, "brought here"));
                }
            }
        }
    }
}

/// The earlier instruction of the stage that brought exactly this path, and its bytes where known.
fn brought(model: &Model<'_>, stage: usize, before: usize, path: &str) -> Option<(TextRange, Option<u64>)> {
    let copied = model.copies().iter().filter(|copy| copy.stage == Some(stage) && copy.index < before && !copy.onbuild);
    for copy in copied {
        let destination = unquoted(&copy.syntax.destination);
        let folder = destination.ends_with('/') || copy.syntax.sources.len() > 1;
        let lands = |source: &plimsoll_parser::Text<'_>| {
            let name = unquoted(source).trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
            !name.is_empty() && name != "." && format!("{}/{name}", destination.trim_end_matches('/')) == path
        };
        if destination.trim_end_matches('/') == path || folder && copy.syntax.sources.iter().any(lands) {
            let bytes = model.taken(copy).filter(|_| !folder).map(|taken| taken.iter().map(|entry| entry.size).sum());
            return Some((copy.instruction.range, bytes));
        }
    }
    let runs = model.runs().iter().filter(|run| run.stage == Some(stage) && run.index < before && !run.onbuild);
    runs.into_iter().find_map(|run| {
        let gone = run.removes(path);
        let fetched = run.effects().any(|(_, effect)| match effect {
            Effect::Download { output: Some(output), .. } => output.text == path,
            _ => false,
        });
        (fetched && !gone).then_some((run.instruction.range, None))
    })
}
