//! `copy-of-ignored-file`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, expand};

crate::declare_rule! {
    /// COPY names a file that .dockerignore leaves out.
    ///
    /// The builder does not find it.
    ///
    /// ```dockerfile,bad,context=notes.md:10,ignore=*.md
    /// FROM debian:12
    /// COPY notes.md /srv/
    /// ```
    /// ```dockerfile,good,context=app.py:10,ignore=*.md
    /// FROM debian:12
    /// COPY app.py /srv/
    /// ```
    pub CopyOfIgnoredFile {
        id: "copy-of-ignored-file", aliases: &["CopyIgnoredFile"], since: "0.1.0",
        group: Group::Cache, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for CopyOfIgnoredFile {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let Some(ignore) = model.inputs.ignore else { return };
        for copy in model.copies().iter().filter(|copy| copy.from.is_none() && !copy.onbuild) {
            for source in &copy.syntax.sources {
                let Some(step) = model.steps().get(copy.step) else { continue };
                let path = expand(model, step, source);
                if path.contains("://") || path.starts_with("git@") {
                    continue;
                }
                let clean = plimsoll_analyzer::context::clean(&path);
                let excluded = match clean.as_str() {
                    "" => ignore.is_excluded(".") && !ignore.has_exceptions(),
                    clean => ignore.is_excluded(clean),
                };
                if excluded {
                    let message = format!(".dockerignore leaves {path} out of the context");
                    found.push(Diagnostic::new(Self::META.id, source.range, message));
                }
            }
        }
    }
}
