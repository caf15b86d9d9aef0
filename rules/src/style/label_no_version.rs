//! `label-no-version`

use crate::prelude::{Diagnostic, Fixable, Group, LabelKind, Model, Options, Rule, Severity};

crate::declare_rule! {
    /// A label that should be a semantic version is none.
    ///
    /// Which label should be what stands in `label-schema` of the configuration.
    ///
    /// ```dockerfile,bad,labels=org.example.version:semver
    /// FROM debian:12
    /// LABEL org.example.version="v1"
    /// ```
    /// ```dockerfile,good,labels=org.example.version:semver
    /// FROM debian:12
    /// LABEL org.example.version="1.0.0"
    /// ```
    pub LabelNoVersion {
        id: "label-no-version", aliases: &["DL3056"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LabelNoVersion {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        crate::labels::check_values(model, options, LabelKind::Semver, crate::labels::is_semver, |pair| {
            found.push(Diagnostic::new(Self::META.id, pair.range, "the value is no semantic version"));
        });
    }
}
