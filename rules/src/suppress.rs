//! Takes away what comments in the file switch off.

use crate::selection::Settings;
use plimsoll_analyzer::diagnostic::Diagnostic;
use plimsoll_analyzer::model::Model;
use plimsoll_analyzer::pragma::{Ask, Dialect, Reach};
use plimsoll_parser::TextRange;

/// Names in a comment that switched nothing off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedIgnore {
    /// The comment.
    pub comment: TextRange,
    /// Those of its names that no finding stood under.
    pub names: Vec<String>,
}

/// Removes from `found` what the comments of the file ask not to be told. What comes back are the names that removed nothing;
/// `ran` says whether anything could have been found under a name.
pub(crate) fn apply(
    model: &Model<'_>,
    settings: &Settings,
    ran: &dyn Fn(&str) -> bool,
    found: &mut Vec<Diagnostic>,
) -> Vec<UnusedIgnore> {
    let mut unused = Vec::new();
    if settings.disregard_comments {
        return unused;
    }
    let mut keep = vec![true; found.len()];
    for pragma in model.pragmas() {
        let Ask::Ignore { names, reach } = &pragma.ask else { continue };
        let range = range_of(model, pragma.range, *reach);
        let mut idle = Vec::new();
        for name in names {
            let mut used = false;
            for (diagnostic, keep) in found.iter().zip(&mut keep) {
                if range.is_some_and(|range| range.contains(diagnostic.range)) && stands_under(diagnostic, name) {
                    (used, *keep) = (true, false);
                }
            }
            if !used && pragma.dialect != Dialect::Buildkit && ran(name) {
                idle.push((*name).to_owned());
            }
        }
        if !idle.is_empty() {
            unused.push(UnusedIgnore { comment: pragma.range, names: idle });
        }
    }
    let mut keep = keep.into_iter();
    found.retain(|_| keep.next().unwrap_or(true));
    unused
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
