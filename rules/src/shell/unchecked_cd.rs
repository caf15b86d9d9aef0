//! `unchecked-cd`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// Nobody looks whether `cd` worked.
    ///
    /// Write `cd dir && …`, or `cd dir || exit 1`, or `set -e` before it.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN cd /srv; make
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN cd /srv && make
    /// ```
    pub UncheckedCd {
        id: "unchecked-cd", aliases: &["SC2164"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for UncheckedCd {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::UncheckedCd) {
            found.push(Diagnostic::new(Self::META.id, fact.range, "what follows runs elsewhere when cd fails"));
        }
    }
}
