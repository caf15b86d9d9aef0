//! `label-no-date`

use crate::prelude::{Diagnostic, Fixable, Group, LabelKind, Model, Options, Rule, Severity};

crate::declare_rule! {
    /// A label that should be a date and time of RFC 3339 is none.
    ///
    /// Which label should be what stands in `label-schema` of the configuration.
    ///
    /// ```dockerfile,bad,labels=org.example.created:rfc3339
    /// FROM debian:12
    /// LABEL org.example.created="yesterday"
    /// ```
    /// ```dockerfile,good,labels=org.example.created:rfc3339
    /// FROM debian:12
    /// LABEL org.example.created="2024-03-10T10:26:33Z"
    /// ```
    pub LabelNoDate {
        id: "label-no-date", aliases: &["DL3053"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LabelNoDate {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        crate::labels::check_values(model, options, LabelKind::Rfc3339, crate::labels::is_rfc3339, |pair| {
            found.push(Diagnostic::new(Self::META.id, pair.range, "the value is no date and time of RFC 3339"));
        });
    }
}
