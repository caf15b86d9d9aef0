//! `counted-matches`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `grep … | wc -l` counts what `grep -c` counts by itself.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN grep a /x | wc -l
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN grep -c a /x
    /// ```
    pub CountedMatches {
        id: "counted-matches", aliases: &["SC2126"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Style, fixable: Fixable::No,
    }
}

impl Rule for CountedMatches {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::CountedMatches) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "grep -c counts by itself"));
        }
    }
}
