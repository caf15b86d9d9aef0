//! `label-empty`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Options, Rule, Severity, unquoted};

crate::declare_rule! {
    /// A label of the schema has no value.
    ///
    /// ```dockerfile,bad,labels=org.example.name:text
    /// FROM debian:12
    /// LABEL org.example.name=""
    /// ```
    /// ```dockerfile,good,labels=org.example.name:text
    /// FROM debian:12
    /// LABEL org.example.name="app"
    /// ```
    pub LabelEmpty {
        id: "label-empty", aliases: &["DL3051"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for LabelEmpty {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        for (_, pair) in crate::labels::pairs(model) {
            if options.label_schema.contains_key(unquoted(&pair.key)) && unquoted(&pair.value).is_empty() {
                found.push(Diagnostic::new(Self::META.id, pair.range, "the label has no value"));
            }
        }
    }
}
