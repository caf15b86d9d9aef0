//! `zypper-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::rpm;

crate::declare_rule! {
    /// `zypper install` names packages without a version.
    ///
    /// ```dockerfile,bad
    /// FROM opensuse/leap:15.6
    /// RUN zypper install -y httpd && zypper clean
    /// ```
    /// ```dockerfile,good
    /// FROM opensuse/leap:15.6
    /// RUN zypper install -y httpd=2.4.62 && zypper clean
    /// ```
    pub ZypperUnpinned {
        id: "zypper-unpinned", aliases: &["DL3037"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ZypperUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, command) in model.commands().filter(|(_, command)| command.is("zypper")) {
            if !command.has_any_arg(&["install", "in"]) {
                continue;
            }
            let pinned = |text: &str| text.contains(['=', '<', '>']) || text.ends_with(".rpm");
            let words = rpm::packages(command, &["install", "in"]);
            crate::pins::tell(Self::META.id, words.iter().filter(|word| !pinned(&word.text)), found);
        }
    }
}
