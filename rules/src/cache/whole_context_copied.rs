//! `whole-context-copied`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, unquoted};

crate::declare_rule! {
    /// COPY takes the whole context.
    ///
    /// Off unless asked for: for projects that want every folder of the image named.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY . /app
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// COPY src /app
    /// ```
    pub WholeContextCopied {
        id: "whole-context-copied", aliases: &[], since: "0.1.0",
        group: Group::Cache, severity: Severity::Off, fixable: Fixable::No,
    }
}

impl Rule for WholeContextCopied {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| copy.from.is_none() && !copy.onbuild) {
            if let Some(source) = copy.syntax.sources.iter().find(|source| matches!(unquoted(source), "." | "./" | "/"))
            {
                found.push(Diagnostic::new(Self::META.id, source.range, "the whole context is copied"));
            }
        }
    }
}
