//! `removal-of-root`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// `rm -r` takes a path that begins with a variable.
    ///
    /// When it is empty the path begins at the root. `"${name:?}/…"` stops instead.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN rm -rf "$DIR"/*
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN rm -rf "${DIR:?}"/*
    /// ```
    pub RemovalOfRoot {
        id: "removal-of-root", aliases: &["SC2115"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for RemovalOfRoot {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::RemovalOfRoot) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                "with an empty variable this removes from the root: ${name:?}",
            ));
        }
    }
}
