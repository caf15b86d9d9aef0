//! `listing-read`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A program reads what `ls` prints for people.
    ///
    /// Use `find`, or a pattern of the shell.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN ls /srv | sort
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN find /srv -maxdepth 1 | sort
    /// ```
    pub ListingRead {
        id: "listing-read", aliases: &["SC2012"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for ListingRead {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::ListingRead) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "the output of ls is for people"));
        }
    }
}
