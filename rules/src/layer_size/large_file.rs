//! `large-file`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Options, Rule, Severity};

crate::declare_rule! {
    /// COPY takes a large file.
    ///
    /// 10 MB and more, unless configured otherwise. Say that it is meant by ignoring the finding, or leave it out by .dockerignore.
    ///
    /// ```dockerfile,bad,context=dump.sql:90000000|app.py:10
    /// FROM debian:12
    /// COPY . /app
    /// ```
    /// ```dockerfile,good,context=dump.sql:90000000|app.py:10
    /// FROM debian:12
    /// COPY app.py /app/
    /// ```
    pub LargeFile {
        id: "large-file", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for LargeFile {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        let limit = options.large_file.unwrap_or(10_000_000);
        for copy in model.copies() {
            for entry in model.taken(copy).unwrap_or_default() {
                if entry.size >= limit && crate::context::kind_of(&entry.path).is_none() {
                    let message = format!("{} is copied: {}", entry.path, crate::words::bytes(entry.size));
                    found.push(Diagnostic::new(Self::META.id, copy.instruction.range, message).with_bytes(entry.size));
                }
            }
        }
    }
}
