//! `label-no-url`

use crate::prelude::{Diagnostic, Fixable, Group, LabelKind, Model, Options, Rule, Severity};

crate::declare_rule! {
    /// A label that should be a URL is none.
    ///
    /// Which label should be what stands in `label-schema` of the configuration.
    ///
    /// ```dockerfile,bad,labels=org.example.url:url
    /// FROM debian:12
    /// LABEL org.example.url="example.org"
    /// ```
    /// ```dockerfile,good,labels=org.example.url:url
    /// FROM debian:12
    /// LABEL org.example.url="https://example.org"
    /// ```
    pub LabelNoUrl {
        id: "label-no-url", aliases: &["DL3052"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LabelNoUrl {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        crate::labels::check_values(model, options, LabelKind::Url, crate::labels::is_url, |pair| {
            found.push(Diagnostic::new(Self::META.id, pair.range, "the value is no URL"));
        });
    }
}
