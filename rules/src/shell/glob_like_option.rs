//! `glob-like-option`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::facts::FactKind;

crate::declare_rule! {
    /// A pattern begins with `*` or `?`: a file whose name begins with a dash is then taken for an option.
    ///
    /// Write `./*`, or `--` in front of it.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN rm *.tmp
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN rm ./*.tmp
    /// ```
    pub GlobLikeOption {
        id: "glob-like-option", aliases: &["SC2035"], since: "0.1.0",
        group: Group::Shell, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for GlobLikeOption {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, fact) in model.facts(FactKind::GlobLikeOption) {
            found.push(Diagnostic::new(
                Self::META.id,
                fact.range,
                format!("a file called -x would be an option here: ./{}", fact.name),
            ));
        }
    }
}
