//! `yum-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::rpm;

crate::declare_rule! {
    /// `yum install` names packages without a version.
    ///
    /// ```dockerfile,bad
    /// FROM fedora:42
    /// RUN yum install -y httpd && yum clean all
    /// ```
    /// ```dockerfile,good
    /// FROM fedora:42
    /// RUN yum install -y httpd-2.4.62 && yum clean all
    /// ```
    pub YumUnpinned {
        id: "yum-unpinned", aliases: &["DL3033"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for YumUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (run, command) in model.commands() {
            if !command.is("yum") || !command.has_arg("install") || command.has_arg("group") {
                continue;
            }
            let module = command.has_arg("module");
            let pinned = |text: &str| crate::pins::has_rpm_version(&crate::pins::with_values(model, run, text), module);
            let words = rpm::packages(command, &["install", "module"]);
            crate::pins::tell(Self::META.id, words.iter().filter(|word| !pinned(&word.text)), found);
        }
    }
}
