//! `expansion-in-single-quotes`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// Something that looks like an expansion stands in single quotes.
    ///
    /// If the text is meant as it stands, ignore the finding.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo '$HOME is home'
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN echo "$HOME is home"
    /// ```
    pub ExpansionInSingleQuotes {
        id: "expansion-in-single-quotes", aliases: &["SC2016"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for ExpansionInSingleQuotes {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::ExpansionInSingleQuotes) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "nothing is expanded in single quotes"));
        }
    }
}
