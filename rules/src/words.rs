//! Small questions about words that several rules ask.

use plimsoll_analyzer::model::{Model, Step};
use plimsoll_parser::syntax::Kind;

/// Whether the word holds a variable of the builder.
pub(crate) fn has_variable(text: &str) -> bool {
    text.contains('$')
}

/// Without the quotes around it.
pub(crate) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// Bytes for people: `12.3 MB`.
pub(crate) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let count = count as f64;
    if count >= 1e9 {
        format!("{:.1} GB", count / 1e9)
    } else if count >= 1e6 {
        format!("{:.1} MB", count / 1e6)
    } else if count >= 1e3 {
        format!("{:.1} kB", count / 1e3)
    } else {
        format!("{count} B")
    }
}

/// A word as the builder expands it at a step; as written where it cannot, or where the file has no FROM yet.
pub(crate) fn expand(model: &Model<'_>, step: &Step<'_>, text: &str) -> String {
    let lookup = |name: &str| step.stage.and_then(|stage| model.scopes().value(stage, step.index, name));
    plimsoll_parser::word::expand(text, model.file.escape, &lookup).map_or_else(|_| text.to_owned(), |found| found.word)
}

/// The tag of an image's name: what follows the last colon, where no slash comes after it.
pub(crate) fn tag_of(image: &str) -> Option<&str> {
    let name = image.split('@').next().unwrap_or(image);
    let (_, tag) = name.rsplit_once(':')?;
    (!tag.contains('/')).then_some(tag)
}

/// The steps that repeat what an earlier one of the same stage says, triggers left aside.
pub(crate) fn repeated<'t, 'm>(model: &'t Model<'m>, is: impl Fn(&Step<'m>) -> bool) -> Vec<&'t Step<'m>> {
    let mut repeated = Vec::new();
    let mut seen = None;
    for step in model.steps().iter().filter(|step| !step.onbuild && is(step)) {
        if seen == Some(step.stage) {
            repeated.push(step);
        }
        seen = Some(step.stage);
    }
    repeated
}

/// Whether a SHELL holds at the step, of its own stage or of one below it. A comment that names a shell is none.
pub(crate) fn shell_is_chosen(model: &Model<'_>, at: &Step<'_>) -> bool {
    let Some(stage) = at.stage else { return false };
    model.steps().iter().take_while(|step| step.index < at.index).any(|step| {
        matches!(step.instruction.kind, Kind::Shell(_))
            && !step.onbuild
            && step.stage.is_some_and(|base| model.stands_on(stage, base))
    })
}

/// Whether `value` expands `$name` or `${name}`.
pub(crate) fn uses_variable(value: &str, name: &str) -> bool {
    value.split('$').skip(1).any(|rest| match rest.strip_prefix('{') {
        Some(braced) => braced.strip_prefix(name).is_some_and(|rest| rest.starts_with('}')),
        None => rest
            .strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')),
    })
}
