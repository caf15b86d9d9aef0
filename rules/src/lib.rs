//! The rules, one a file, and what decides which of their findings are told.
//!
//! A rule sees the [`Model`] and adds [`Diagnostic`]s. It never reads raw text of an instruction and never asks for another
//! rule. [`check_all`] runs them, gives each finding its configured severity and takes away what comments switch off.

mod append;
pub mod cache;
mod context;
pub mod correctness;
mod env;
pub mod ignores;
mod labels;
pub mod layer_size;
pub mod manual;
pub mod options;
mod pins;
mod prelude;
mod registry;
pub mod reproducibility;
pub mod rule;
pub mod security;
pub mod selection;
pub mod shell;
mod spdx;
pub mod style;
mod suppress;
#[cfg(test)]
mod testing;
mod words;

pub use options::{LabelKind, Options};
pub use registry::ALL;
pub use rule::{Declared, Fixable, Group, Meta, Rule};
pub use selection::{Selection, Settings};
pub use suppress::UnusedIgnore;

use plimsoll_analyzer::diagnostic::{Diagnostic, Severity};
use plimsoll_analyzer::model::Model;
use plimsoll_parser::TextRange;
use plimsoll_parser::syntax::{Dockerfile, Kind};
use std::collections::BTreeMap;

/// The rule of that id or alias, letter case ignored. Of several that share an alias, the first.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Rule> {
    ALL.iter().find(|rule| rule.meta().is_named(name)).copied()
}

/// Every rule of that id or alias, letter case ignored.
pub fn named<'n>(name: &'n str) -> impl Iterator<Item = &'static dyn Rule> + 'n {
    ALL.iter().filter(move |rule| rule.meta().is_named(name)).copied()
}

/// What every rule says of itself, and what is said of comments that switch findings off.
pub fn metas() -> impl Iterator<Item = &'static Meta> {
    ALL.iter().map(|rule| rule.meta()).chain(ignores::METAS)
}

/// What a look at a file gave.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// In the order of the file, then of the rules' ids.
    pub found: Vec<Diagnostic>,
    /// Comments of Plimsoll and hadolint that switched nothing off.
    pub unused: Vec<UnusedIgnore>,
}

/// Runs every rule that is not off; findings in the order of the file, then of the rules' ids.
#[must_use]
pub fn check_all(model: &Model<'_>, settings: &Settings) -> Vec<Diagnostic> {
    check_beside(model, settings, None).found
}

/// Whether a file takes anything from the build context.
#[must_use]
pub fn takes_context(file: &Dockerfile<'_>) -> bool {
    file.instructions.iter().any(|instruction| match &instruction.kind {
        Kind::Onbuild(inner) => from_context(&inner.kind),
        kind => from_context(kind),
    })
}

/// Whether a rule that may be told wants to know what stands in the build context.
#[must_use]
pub fn wants_context(settings: &Settings) -> bool {
    ALL.iter().any(|rule| rule.reads_context() && settings.selection.may_tell(rule.meta(), false))
}

fn from_context(kind: &Kind<'_>) -> bool {
    matches!(kind, Kind::Copy(copy) | Kind::Add(copy) if copy.from.is_none())
}

/// The same as [`check_all`] where another program has looked at the scripts too: `beside` are its findings under its codes.
/// They obey the settings and the comments of the file, and one that a rule has found on the same line is told once.
#[must_use]
pub fn check_beside(model: &Model<'_>, settings: &Settings, beside: Option<Vec<Diagnostic>>) -> Checked {
    let plan = selection::Plan::new(model, settings);
    let mut found: Vec<Diagnostic> = Vec::new();
    for rule in ALL {
        let meta = rule.meta();
        if !plan.runs(meta) {
            continue;
        }
        let before = found.len();
        rule.check_with(model, &plan.options, &mut found);
        for diagnostic in found.iter_mut().skip(before) {
            if diagnostic.aliases.is_empty() && !diagnostic.beyond {
                diagnostic.aliases = meta.aliases;
            }
            diagnostic.severity = plan.severity(meta, diagnostic);
        }
    }
    let scripts_checked = beside.is_some();
    for mut diagnostic in beside.unwrap_or_default() {
        diagnostic.severity = plan.foreign_severity(&diagnostic);
        let line = |range: TextRange| model.file.text.get(..range.start as usize).map(|before| before.rfind('\n'));
        let twin = |other: &Diagnostic| {
            line(other.range) == line(diagnostic.range)
                && find(other.rule).is_some_and(|rule| rule.meta().is_named(diagnostic.rule))
        };
        if !found.iter().any(twin) {
            found.push(diagnostic);
        }
    }
    found.retain(|diagnostic| diagnostic.severity != Severity::Off);
    let ran = |name: &str| {
        let is_shell_code = name.len() == 6 && name.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("SC"));
        let mut rules = named(name).peekable();
        match rules.peek() {
            Some(_) => rules.any(|rule| plan.runs(rule.meta())),
            None => scripts_checked || !is_shell_code,
        }
    };
    let unused = suppress::apply(model, settings, &ran, &mut found);
    for diagnostic in &mut found {
        if diagnostic.anchor.is_none() {
            diagnostic.anchor = Some(anchor(model, diagnostic));
        }
    }
    keep_last_shell_alias(&mut found);
    found.sort_by(|a, b| (a.range, a.rule).cmp(&(b.range, b.rule)));
    Checked { found, unused }
}

/// hadolint tells one finding of ShellCheck for each RUN: the last by place, then by how light it is. The others are told
/// under the rules' own ids alone.
fn keep_last_shell_alias(found: &mut [Diagnostic]) {
    let is_shell = |diagnostic: &Diagnostic| diagnostic.aliases.first().is_some_and(|alias| alias.starts_with("SC"));
    let mut last: BTreeMap<Option<u32>, (u32, Severity, &'static str)> = BTreeMap::new();
    let key = |d: &Diagnostic| (d.range.start, find(d.rule).map_or(d.severity, |rule| rule.meta().severity), d.rule);
    for diagnostic in found.iter().filter(|diagnostic| is_shell(diagnostic)) {
        let slot = last.entry(diagnostic.anchor).or_insert_with(|| key(diagnostic));
        *slot = key(diagnostic).max(*slot);
    }
    for diagnostic in found.iter_mut().filter(|diagnostic| is_shell(diagnostic)) {
        if last.get(&diagnostic.anchor).is_some_and(|best| *best != key(diagnostic)) {
            (diagnostic.beyond, diagnostic.aliases) = (true, &[]);
        }
    }
}

/// Where other linters would put it: the first byte of the instruction that holds it.
fn anchor(model: &Model<'_>, diagnostic: &Diagnostic) -> u32 {
    let steps = model.steps();
    let next = steps.partition_point(|step| step.range.start <= diagnostic.range.start);
    let step = next.checked_sub(1).and_then(|at| steps.get(at));
    match step {
        Some(step) if diagnostic.range.start <= step.range.end => step.range.start,
        _ => diagnostic.range.start,
    }
}
