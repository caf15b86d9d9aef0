//! Variables of the file as a rule sees them, also in a file without FROM.

use plimsoll_analyzer::model::Model;
use plimsoll_parser::syntax::Kind;

/// What ENV (or ARG) gives `name` at a step.
pub(crate) fn value(model: &Model<'_>, step: usize, name: &str) -> Option<String> {
    let at = model.steps().get(step)?;
    if let Some(stage) = at.stage {
        return model.scopes().value(stage, at.index, name);
    }
    let before = model.steps().get(..step)?;
    before.iter().rev().find_map(|step| match &step.instruction.kind {
        Kind::Env(pairs) => pairs.iter().find(|pair| pair.key.as_str() == name).map(|pair| pair.value.to_string()),
        _ => None,
    })
}
