//! `label-no-hash`

use crate::prelude::{Diagnostic, Fixable, Group, LabelKind, Model, Options, Rule, Severity};

crate::declare_rule! {
    /// A label that should be a git hash is none.
    ///
    /// Seven or forty hexadecimal digits in small letters. Which label should be what stands in `label-schema`.
    ///
    /// ```dockerfile,bad,labels=org.example.revision:hash
    /// FROM debian:12
    /// LABEL org.example.revision="main"
    /// ```
    /// ```dockerfile,good,labels=org.example.revision:hash
    /// FROM debian:12
    /// LABEL org.example.revision="2dbfae9"
    /// ```
    pub LabelNoHash {
        id: "label-no-hash", aliases: &["DL3055"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LabelNoHash {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        crate::labels::check_values(model, options, LabelKind::Hash, crate::labels::is_hash, |pair| {
            found.push(Diagnostic::new(Self::META.id, pair.range, "the value is no git hash"));
        });
    }
}
