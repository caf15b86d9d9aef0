//! `label-no-license`

use crate::prelude::{Diagnostic, Fixable, Group, LabelKind, Model, Options, Rule, Severity};

crate::declare_rule! {
    /// A label that should be an SPDX licence expression is none.
    ///
    /// Which label should be what stands in `label-schema` of the configuration.
    ///
    /// ```dockerfile,bad,labels=org.example.licenses:spdx
    /// FROM debian:12
    /// LABEL org.example.licenses="my own"
    /// ```
    /// ```dockerfile,good,labels=org.example.licenses:spdx
    /// FROM debian:12
    /// LABEL org.example.licenses="MIT OR Apache-2.0"
    /// ```
    pub LabelNoLicense {
        id: "label-no-license", aliases: &["DL3054"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LabelNoLicense {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        crate::labels::check_values(model, options, LabelKind::Spdx, crate::spdx::is_expression, |pair| {
            found.push(Diagnostic::new(Self::META.id, pair.range, "the value is no SPDX licence expression"));
        });
    }
}
