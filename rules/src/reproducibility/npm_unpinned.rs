//! `npm-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::node;

crate::declare_rule! {
    /// `npm install` names packages without a version.
    ///
    /// ```dockerfile,bad
    /// FROM node:22
    /// RUN npm install express
    /// ```
    /// ```dockerfile,good
    /// FROM node:22
    /// RUN npm install express@4.19.2
    /// ```
    pub NpmUnpinned {
        id: "npm-unpinned", aliases: &["DL3016"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for NpmUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, command) in model.commands().filter(|(_, command)| command.is("npm")) {
            let words = crate::pins::operands(&command.args, &node::VALUED);
            if words.first().is_none_or(|verb| verb.text != "install") {
                continue;
            }
            crate::pins::tell(Self::META.id, words.iter().skip(1).filter(|word| !is_pinned(&word.text)), found);
        }
    }
}

fn is_pinned(text: &str) -> bool {
    if text.starts_with("git+") || text.starts_with("git:") {
        return text.contains('#');
    }
    let local =
        ["/", "./", "../", "~/", "file:"].iter().any(|start| text.starts_with(start)) || matches!(text, "." | "..");
    let archive = [".tar", ".tar.gz", ".tgz"].iter().any(|end| text.ends_with(end));
    local || archive || text.strip_prefix('@').unwrap_or(text).contains('@')
}
