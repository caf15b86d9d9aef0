//! `apt-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::apt;

crate::declare_rule! {
    /// `apt-get install` names packages without a version.
    ///
    /// Tomorrow's build may get others. Debian keeps only the newest version of a package, so a pin breaks the build when it is
    /// replaced: many prefer to pin the base image by digest and to ignore this rule.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN apt-get install -y curl
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN apt-get install -y curl=7.88.1-10+deb12u5
    /// ```
    pub AptUnpinned {
        id: "apt-unpinned", aliases: &["DL3008"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for AptUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, command) in model.commands().filter(|(_, command)| apt::is_install(command)) {
            let pinned = |text: &str| text.contains(['=', '/']) || text.ends_with(".deb");
            let before = found.len();
            crate::pins::tell(Self::META.id, apt::packages(command).iter().filter(|word| !pinned(&word.text)), found);
            if let Some(diagnostic) = found.get_mut(before) {
                diagnostic.beyond = command.is("apt");
            }
        }
    }
}
