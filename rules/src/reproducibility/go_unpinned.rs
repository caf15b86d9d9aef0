//! `go-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `go install`, `go get` or `go run` takes a module without a version.
    ///
    /// ```dockerfile,bad
    /// FROM golang:1.22
    /// RUN go install example.com/tool@latest
    /// ```
    /// ```dockerfile,good
    /// FROM golang:1.22
    /// RUN go install example.com/tool@v1.2.3
    /// ```
    pub GoUnpinned {
        id: "go-unpinned", aliases: &["DL3062"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for GoUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, command) in model.commands().filter(|(_, command)| command.is("go")) {
            let words =
                crate::pins::operands(&command.args, &["-ldflags", "-tags", "-o", "-gcflags", "-modfile", "-p"]);
            let Some((verb, words)) = words.split_first() else { continue };
            let count = match verb.text.as_ref() {
                "install" | "get" => words.len(),
                "run" => 1,
                _ => continue,
            };
            crate::pins::tell(Self::META.id, words.iter().take(count).filter(|word| !is_pinned(&word.text)), found);
        }
    }
}

fn is_pinned(text: &str) -> bool {
    let local = text == "tool" || text.starts_with(['.', '/']) || text.ends_with(".go");
    local || text.split_once('@').is_some_and(|(_, version)| !matches!(version, "latest" | "none" | ""))
}
