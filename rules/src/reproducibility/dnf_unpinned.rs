//! `dnf-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::rpm;

crate::declare_rule! {
    /// `dnf install` names packages without a version.
    ///
    /// ```dockerfile,bad
    /// FROM fedora:42
    /// RUN dnf install -y httpd && dnf clean all
    /// ```
    /// ```dockerfile,good
    /// FROM fedora:42
    /// RUN dnf install -y httpd-2.4.62 && dnf clean all
    /// ```
    pub DnfUnpinned {
        id: "dnf-unpinned", aliases: &["DL3041"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for DnfUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (run, command) in model.commands() {
            if !command.is_any(&["dnf", "microdnf"]) || !command.has_arg("install") || command.has_arg("group") {
                continue;
            }
            let module = command.has_arg("module");
            let pinned = |text: &str| crate::pins::has_rpm_version(&crate::pins::with_values(model, run, text), module);
            let words = rpm::packages(command, &["install", "module"]);
            crate::pins::tell(Self::META.id, words.iter().filter(|word| !pinned(&word.text)), found);
        }
    }
}
