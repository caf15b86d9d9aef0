//! `apk-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::apk;

crate::declare_rule! {
    /// `apk add` names packages without a version.
    ///
    /// Alpine keeps only the newest version within a release: a range (`curl~=8.5`) lasts longer than a version.
    ///
    /// ```dockerfile,bad
    /// FROM alpine:3.20
    /// RUN apk add --no-cache curl
    /// ```
    /// ```dockerfile,good
    /// FROM alpine:3.20
    /// RUN apk add --no-cache curl~=8.9
    /// ```
    pub ApkUnpinned {
        id: "apk-unpinned", aliases: &["DL3018"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ApkUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, command) in model.commands().filter(|(_, command)| apk::is_add(command)) {
            let pinned = |text: &str| text.contains(['=', '~', '<', '>']) || text.ends_with(".apk");
            crate::pins::tell(Self::META.id, apk::packages(command).iter().filter(|word| !pinned(&word.text)), found);
        }
    }
}
