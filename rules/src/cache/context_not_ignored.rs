//! `context-not-ignored`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// .dockerignore lets through what no image needs.
    ///
    /// Version control, installed dependencies and build output are sent to the builder each time, land in the image, and any
    /// change in them throws the layer out of the cache.
    ///
    /// ```dockerfile,bad,context=.git/HEAD:20|app.py:10,ignore=*.pyc
    /// FROM debian:12
    /// COPY . /app
    /// ```
    /// ```dockerfile,good,context=.git/HEAD:20|app.py:10,ignore=.git
    /// FROM debian:12
    /// COPY . /app
    /// ```
    pub ContextNotIgnored {
        id: "context-not-ignored", aliases: &[], since: "0.1.0",
        group: Group::Cache, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ContextNotIgnored {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        if model.inputs.ignore.is_none() {
            return;
        }
        crate::context::tell_unneeded(Self::META.id, model, ".dockerignore does not cover all", found);
    }
}
