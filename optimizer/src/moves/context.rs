//! The ignore file as a move.

use super::{Input, Move, NotApplicable, Step, made_anew};
use crate::apply::Level;
use crate::dockerignore;
use crate::files::Files;

/// Leaves out of the context what no build needs.
pub(crate) struct Ignored;

impl Move for Ignored {
    fn name(&self) -> &'static str {
        "dockerignore"
    }
    fn title(&self) -> &'static str {
        "context trimmed by .dockerignore"
    }
    fn explain(&self) -> &'static str {
        "Version control, the build's own files, environments and caches of the author's machine do not reach the builder. \
         Relies on the program reading none of them; whatever an instruction names stays."
    }
    fn level(&self) -> Level {
        Level::Safe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let file = plimsoll_parser::parse(&input.files.dockerfile);
        let proposal = dockerignore::propose(&file, input.listing, input.files.dockerignore.as_deref());
        let proposal =
            proposal.ok_or_else(|| NotApplicable::because("the context holds nothing that a build does without"))?;
        let mut notes = proposal.kept;
        notes.insert(0, format!("{} of the context stay where they are", size(proposal.bytes)));
        Ok(Step {
            may_change: proposal.may_change.into_iter().chain(made_anew()).collect(),
            notes,
            ..Step::of(Files { dockerfile: input.files.dockerfile.clone(), dockerignore: Some(proposal.text) })
        })
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
