//! What two builds of the very same text differ in: held against no step.

use plimsoll_runtime::compare::{Comparison, Difference, DifferenceKind};

/// Differences between the original and a second, uncached build of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Noise {
    tree: Vec<Difference>,
    answers: Vec<Difference>,
}

impl Noise {
    pub(super) fn between_builds(comparison: Comparison) -> Self {
        Self { tree: comparison.tree.unwrap_or_default(), answers: comparison.behaviour }
    }

    pub(super) fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.tree.iter().chain(&self.answers)
    }

    /// Leaves out of a comparison with the original what a second build of the original showed too: of a path the same
    /// kind of difference, of a check that it does not repeat itself.
    pub(super) fn take_out(&self, comparison: &mut Comparison) {
        if let Some(tree) = &mut comparison.tree {
            tree.retain(|found| !self.tree.iter().any(|noise| covers(noise, found)));
        }
        let before = comparison.behaviour.len();
        comparison.behaviour.retain(|found| !self.answers.iter().any(|noise| noise.subject == found.subject));
        comparison.agreed.1 -= before - comparison.behaviour.len();
    }
}

/// A path that comes and goes covers what is below it; a file whose content differs covers its content alone.
fn covers(noise: &Difference, found: &Difference) -> bool {
    let comes_and_goes = matches!(noise.kind, DifferenceKind::Added | DifferenceKind::Removed);
    if comes_and_goes {
        let below = found.subject.strip_prefix(noise.subject.as_str());
        return below.is_some_and(|tail| tail.is_empty() || tail.starts_with('/') || noise.subject.ends_with('/'));
    }
    noise.kind == found.kind && noise.subject == found.subject
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(subject: &str, kind: DifferenceKind) -> Difference {
        Difference { subject: subject.to_owned(), kind, before: None, after: None, bytes: 0 }
    }

    #[test]
    fn only_what_the_original_does_itself_is_taken_out() {
        use DifferenceKind::{Added, Answer, Content, Mode, Removed};
        let noise = Noise {
            tree: vec![difference("/app/built-at", Content), difference("/app/cache", Added)],
            answers: vec![difference("GET :80/version", Answer)],
        };
        let mut comparison = Comparison {
            tree: Some(vec![
                difference("/app/built-at", Content),
                difference("/app/built-at", Mode),
                difference("/app/cache/1", Removed),
                difference("/app/cached", Removed),
            ]),
            behaviour: vec![difference("GET :80/version", Answer), difference("GET :80/", Answer)],
            agreed: (3, 5),
            ..Comparison::default()
        };
        noise.take_out(&mut comparison);
        assert_eq!(comparison.tree, Some(vec![difference("/app/built-at", Mode), difference("/app/cached", Removed)]));
        assert_eq!(comparison.behaviour, [difference("GET :80/", Answer)]);
        assert_eq!(comparison.agreed, (3, 4));
    }
}
