//! `label-unknown`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Options, Rule, Severity, unquoted};

crate::declare_rule! {
    /// A label is not in the schema.
    ///
    /// Asks only where `strict-labels` is set.
    ///
    /// ```dockerfile,bad,labels=org.example.name:text,strict
    /// FROM debian:12
    /// LABEL other="x"
    /// ```
    /// ```dockerfile,good,labels=org.example.name:text,strict
    /// FROM debian:12
    /// LABEL org.example.name="app"
    /// ```
    pub LabelUnknown {
        id: "label-unknown", aliases: &["DL3050"], since: "0.1.0",
        group: Group::Style, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for LabelUnknown {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        if !options.strict_labels {
            return;
        }
        for (_, pair) in crate::labels::pairs(model) {
            if !options.label_schema.contains_key(unquoted(&pair.key)) {
                found.push(Diagnostic::new(Self::META.id, pair.range, "the label is not in the schema"));
            }
        }
    }
}
