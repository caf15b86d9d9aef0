//! `pip-cache-kept`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::commands::{Cmd, pip};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::{Model, Run};
use plimsoll_parser::Edit;

crate::declare_rule! {
    /// pip leaves what it downloaded in its cache.
    ///
    /// ## Why it weighs
    /// Every wheel that is installed stays a second time below `/root/.cache/pip`.
    ///
    /// ```dockerfile,bad
    /// FROM python:3.12
    /// RUN pip install flask==3.0
    /// ```
    /// ```dockerfile,good
    /// FROM python:3.12
    /// RUN pip install --no-cache-dir flask==3.0
    /// ```
    /// ```dockerfile,good
    /// FROM python:3.12
    /// RUN --mount=type=cache,target=/root/.cache/pip pip install flask==3.0
    /// ```
    pub PipCacheKept {
        id: "pip-cache-kept", aliases: &["DL3042"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::Sometimes,
        may_change: &["/root/.cache/pip/**", "/home/*/.cache/pip/**"],
    }
}

const SWITCH: &str = "PIP_NO_CACHE_DIR";

impl Rule for PipCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if run.mounts_cache_over("/root/.cache/pip") || switched_off_around(model, run) {
                continue;
            }
            for command in run.commands.iter().filter(|command| pip::is_install(command)) {
                if command.has_flag("no-cache-dir")
                    || command.assignments.iter().any(|(n, v)| n == SWITCH && is_true(v))
                {
                    continue;
                }
                let verb = pip::args(command).iter().find(|arg| arg.text == "install" && arg.known);
                let edit = verb.filter(|_| !run.is_exec()).map(|verb| Edit::insert(verb.range.end, " --no-cache-dir"));
                let fix = edit.and_then(|edit| {
                    Some(Fix::safe("install without the cache", [edit])?.changing(Self::META.may_change))
                });
                let message = "pip keeps its downloads in the image";
                let diagnostic = Diagnostic::new(Self::META.id, command.words_range, message).with_fix(fix);
                found.push(diagnostic.beyond_others(command.name.contains('/')));
            }
        }
    }
}

fn is_true(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']).to_ascii_lowercase();
    matches!(value.as_str(), "1" | "true" | "on" | "yes")
}

/// Whether ENV, ARG or an `export` of the same RUN says that pip keeps nothing.
fn switched_off_around(model: &Model<'_>, run: &Run<'_>) -> bool {
    let exported = |command: &Cmd<'_>| {
        command.is("export")
            && command.args.iter().any(|arg| arg.text.split_once('=').is_some_and(|(n, v)| n == SWITCH && is_true(v)))
    };
    run.commands.iter().any(exported) || crate::env::value(model, run.step, SWITCH).is_some_and(|value| is_true(&value))
}
