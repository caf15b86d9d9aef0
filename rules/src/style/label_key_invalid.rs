//! `label-key-invalid`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, unquoted};

crate::declare_rule! {
    /// A label's name breaks the rules for names.
    ///
    /// Small letters, digits, dots and dashes, no two of them in a row, a letter first, a letter or digit last; `com.docker.`,
    /// `io.docker.` and `org.dockerproject.` belong to Docker.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// LABEL Version=1
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// LABEL org.example.version=1
    /// ```
    pub LabelKeyInvalid {
        id: "label-key-invalid", aliases: &["DL3048"], since: "0.1.0",
        group: Group::Style, severity: Severity::Style, fixable: Fixable::No,
    }
}

impl Rule for LabelKeyInvalid {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, pair) in crate::labels::pairs(model) {
            let name = unquoted(&pair.key);
            if !crate::labels::is_name(name) {
                found.push(Diagnostic::new(
                    Self::META.id,
                    pair.key.range,
                    format!("{name} is no good name for a label"),
                ));
            }
        }
    }
}
