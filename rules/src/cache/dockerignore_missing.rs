//! `dockerignore-missing`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// There is no .dockerignore, and COPY takes what no image needs.
    ///
    /// Version control, installed dependencies and build output are sent to the builder each time, land in the image, and any
    /// change in them throws the layer out of the cache. `plimsoll optimize` writes the file.
    ///
    /// ```dockerfile,bad,context=.git/HEAD:20|app.py:10
    /// FROM debian:12
    /// COPY . /app
    /// ```
    /// ```dockerfile,good,context=.git/HEAD:20|app.py:10,ignore=.git
    /// FROM debian:12
    /// COPY . /app
    /// ```
    /// ```dockerfile,good,context=app.py:10
    /// FROM debian:12
    /// COPY . /app
    /// ```
    pub DockerignoreMissing {
        id: "dockerignore-missing", aliases: &[], since: "0.1.0",
        group: Group::Cache, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for DockerignoreMissing {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        if model.inputs.ignore.is_some() {
            return;
        }
        crate::context::tell_unneeded(Self::META.id, model, "there is no .dockerignore", found);
    }
}
