//! Takes away what comments in the file switch off.

use crate::selection::Settings;
use plimsoll_analyzer::diagnostic::Diagnostic;
use plimsoll_analyzer::model::Model;
use plimsoll_analyzer::pragma::{Ask, Reach};
use plimsoll_parser::TextRange;

/// Removes from `found` what the comments of the file ask not to be told.
pub(crate) fn apply(model: &Model<'_>, settings: &Settings, found: &mut Vec<Diagnostic>) {
    if settings.disregard_comments || found.is_empty() {
        return;
    }
    for pragma in model.pragmas() {
        let Ask::Ignore { names, reach } = &pragma.ask else { continue };
        let Some(range) = range_of(model, pragma.range, *reach) else { continue };
        found.retain(|diagnostic| {
            !(range.contains(diagnostic.range) && names.iter().any(|name| stands_under(diagnostic, name)))
        });
    }
}

fn stands_under(diagnostic: &Diagnostic, name: &str) -> bool {
    name.eq_ignore_ascii_case("all")
        || name.eq_ignore_ascii_case(diagnostic.rule)
        || diagnostic.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
        || diagnostic.beyond && crate::find(diagnostic.rule).is_some_and(|rule| rule.meta().is_named(name))
}

/// The bytes for which a comment at `comment` holds.
fn range_of(model: &Model<'_>, comment: TextRange, reach: Reach) -> Option<TextRange> {
    let whole = TextRange::new(0, model.file.text.len());
    let steps = model.steps();
    let next = steps.get(steps.partition_point(|step| step.range.end <= comment.start));
    match reach {
        Reach::File => Some(whole),
        Reach::Instruction => next.map(|step| step.range),
        Reach::Stage => {
            let step = next?;
            let stage = step.stage?;
            let steps = model.steps_of(stage);
            Some(steps.first()?.range.cover(steps.last()?.range))
        }
    }
}
