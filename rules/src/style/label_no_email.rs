//! `label-no-email`

use crate::prelude::{Diagnostic, Fixable, Group, LabelKind, Model, Options, Rule, Severity};

crate::declare_rule! {
    /// A label that should be a mail address is none.
    ///
    /// Which label should be what stands in `label-schema` of the configuration.
    ///
    /// ```dockerfile,bad,labels=maintainer:email
    /// FROM debian:12
    /// LABEL maintainer="Jane"
    /// ```
    /// ```dockerfile,good,labels=maintainer:email
    /// FROM debian:12
    /// LABEL maintainer="jane@example.org"
    /// ```
    pub LabelNoEmail {
        id: "label-no-email", aliases: &["DL3058"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LabelNoEmail {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        crate::labels::check_values(model, options, LabelKind::Email, crate::labels::is_email, |pair| {
            found.push(Diagnostic::new(Self::META.id, pair.range, "the value is no mail address"));
        });
    }
}
