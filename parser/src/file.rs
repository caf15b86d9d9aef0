//! Questions to a whole file.

use crate::check;
use crate::syntax::{Dockerfile, ErrorStage, SyntaxError};

impl Dockerfile<'_> {
    /// The error BuildKit would end with, where it would: it stops at the first one of the first stage that has any.
    ///
    /// Errors of the stage [`ErrorStage::Build`] are those of a build without build arguments.
    #[must_use]
    pub fn refusal(&self) -> Option<&SyntaxError> {
        let order = |error: &&SyntaxError| {
            let phase = if error.stage == ErrorStage::Build { check::phase(error.code) } else { 0 };
            (error.stage, phase, error.range.start)
        };
        self.errors.iter().min_by_key(order)
    }

    /// The comment lines BuildKit keeps with an instruction, without their sign: all between it and the instruction above
    /// it, blank lines or not, from the last empty comment on.
    #[must_use]
    pub fn doc_comments(&self, instruction: usize) -> Vec<&str> {
        let Some(end) = self.instructions.get(instruction).map(|instruction| instruction.range.start) else {
            return Vec::new();
        };
        let above = instruction.checked_sub(1).and_then(|above| self.instructions.get(above));
        let start = above.map_or(0, |above| above.range.end);
        let first = self.comments.partition_point(|comment| comment.start < start);
        let last = self.comments.partition_point(|comment| comment.start < end);
        let mut kept = Vec::new();
        for comment in self.comments.get(first..last).unwrap_or_default() {
            match comment.of(self.text).strip_prefix('#').map(str::trim) {
                Some("") | None => kept.clear(),
                Some(text) => kept.push(text),
            }
        }
        kept
    }
}
