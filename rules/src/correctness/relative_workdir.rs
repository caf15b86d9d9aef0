//! `relative-workdir`

use crate::rule::{Fixable, Group, Rule};
use crate::words::unquoted;
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::{Model, is_absolute};
use plimsoll_analyzer::stages::Base;
use plimsoll_parser::Edit;
use plimsoll_parser::syntax::Kind;

crate::declare_rule! {
    /// WORKDIR names a directory relative to another.
    ///
    /// Where it leads depends on what came before, in the worst case on the base image.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// WORKDIR app
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// WORKDIR /app
    /// ```
    pub RelativeWorkdir {
        id: "relative-workdir", aliases: &["DL3000", "WorkdirRelativePath"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::Sometimes,
        may_change: &["history"],
    }
}

impl Rule for RelativeWorkdir {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::Workdir(path) = &step.instruction.kind else { continue };
            let bare = unquoted(path);
            let stage = step.stage.and_then(|stage| model.stages().stages.get(stage));
            // BuildKit asks whether the expanded path is absolute for the platform, and whether an absolute one came before.
            let expanded = step.stage.map(|stage| {
                let lookup = |name: &str| model.scopes().value(stage, step.index, name);
                plimsoll_parser::word::expand(path, model.file.escape, &lookup)
                    .map_or_else(|_| path.to_string(), |e| e.word)
            });
            let rooted = step.state.workdir.is_some();
            let check = expanded.is_some_and(|path| !path.starts_with('/')) && !rooted && !step.onbuild;
            let hadolint = !is_absolute(bare) && !bare.starts_with('$');
            let aliases: &[&str] = match (hadolint, check) {
                (true, true) => &["DL3000", "WorkdirRelativePath"],
                (true, false) => &["DL3000"],
                (false, true) => &["WorkdirRelativePath"],
                (false, false) => continue,
            };
            let before = match (&step.state.workdir, stage.map(|stage| &stage.base)) {
                (Some(before), _) if is_absolute(before) && !before.contains('$') => Some(before.as_str()),
                (None, Some(Base::Scratch)) => Some("/"),
                _ => None,
            };
            let plain = hadolint
                && !step.onbuild
                && !bare.contains(['$', '\\', '"', '\'', ' '])
                && !bare.split('/').any(|p| p == ".." || p == ".");
            let fix = before.filter(|before| plain && !before.contains(' ')).and_then(|before| {
                let whole = format!("{}/{}", before.trim_end_matches('/'), bare);
                Some(
                    Fix::safe("write the whole path", [Edit::replace(path.range, whole)])?
                        .changing(Self::META.may_change),
                )
            });
            let message = "the working directory is relative to another";
            found.push(Diagnostic::new(Self::META.id, path.range, message).with_fix(fix).under(aliases));
        }
    }
}
