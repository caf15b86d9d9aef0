//! `pip-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::pip;

crate::declare_rule! {
    /// `pip install` names packages without a version.
    ///
    /// Name versions, or a file with them: `-r requirements.txt`, `-c constraints.txt`.
    ///
    /// ```dockerfile,bad
    /// FROM python:3.12
    /// RUN pip install --no-cache-dir flask
    /// ```
    /// ```dockerfile,good
    /// FROM python:3.12
    /// RUN pip install --no-cache-dir flask==3.0.3
    /// ```
    pub PipUnpinned {
        id: "pip-unpinned", aliases: &["DL3013"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for PipUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, command) in model.commands() {
            let by_pip = pip::is_install(command) && !command.name.contains('/');
            let by_pipx = command.is("pipx") && command.does("install");
            if !by_pip && !by_pipx {
                continue;
            }
            let args = pip::args(command);
            let from_file =
                |text: &str| matches!(text, "-r" | "--requirement" | "-c" | "--constraint") || text.starts_with("-r");
            if args.iter().any(|arg| from_file(&arg.text) || arg.text.starts_with("--requirement=")) {
                continue;
            }
            let words = crate::pins::operands(args, &pip::VALUED);
            crate::pins::tell(
                Self::META.id,
                words.iter().filter(|word| word.text != "install" && !is_pinned(&word.text)),
                found,
            );
        }
    }
}

fn is_pinned(text: &str) -> bool {
    if text.starts_with("git+") {
        return text.rsplit('/').next().unwrap_or_default().contains('@');
    }
    let local =
        matches!(text, "." | "..") || text.starts_with(".[") || text.ends_with(".whl") || text.ends_with(".tar.gz");
    local || text.contains('/') || ["==", ">", "<", "~=", "!=", " @ "].iter().any(|sign| text.contains(sign))
}
