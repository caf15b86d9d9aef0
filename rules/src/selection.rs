//! Which rules run, and how grave their findings are.

use crate::options::Options;
use crate::rule::{Declared, Group, Meta};
use plimsoll_analyzer::diagnostic::{Diagnostic, Severity};
use plimsoll_analyzer::model::Model;
use std::collections::BTreeMap;

/// What a configuration asks for.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which rules.
    pub selection: Selection,
    /// Options of rules.
    pub options: Options,
    /// Whether comments in the file do not count.
    pub disregard_comments: bool,
    /// What stands in the place of the file's `check` directive, as `BUILDKIT_DOCKERFILE_CHECK` does: `skip=A,B;error=true`.
    pub check_option: Option<String>,
}

/// Which rules run. Names are ids, aliases or groups, letter case ignored.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// When not empty, only these.
    pub select: Vec<String>,
    /// Not these.
    pub ignore: Vec<String>,
    /// Severities instead of the rules' own; naming a rule that is off switches it on.
    pub severity: BTreeMap<String, Severity>,
}

impl Selection {
    /// Whether any finding of the rule could be told, where the file itself does not say otherwise.
    pub(crate) fn may_tell(&self, meta: &Meta, asked_for: bool) -> bool {
        let names = |name: &String| meta.is_named(name) || meta.group.as_str() == name;
        if !self.select.is_empty() && !self.select.iter().any(names) {
            return false;
        }
        if self.ignore.iter().any(|name| name == meta.id || name == meta.group.as_str()) {
            return false;
        }
        let raised = self.severity.iter().any(|(name, severity)| names(name) && *severity != Severity::Off);
        meta.severity != Severity::Off || raised || self.select.iter().any(names) || asked_for
    }
}

/// The settings made ready for one file.
pub(crate) struct Plan<'s> {
    selection: &'s Selection,
    skip: Vec<String>,
    skip_all: bool,
    pub(crate) options: Options,
}

impl<'s> Plan<'s> {
    pub(crate) fn new(model: &Model<'_>, settings: &'s Settings) -> Self {
        let mut plan = Plan {
            selection: &settings.selection,
            skip: Vec::new(),
            skip_all: false,
            options: settings.options.clone(),
        };
        let directive = model.file.directives.iter().find(|directive| directive.name.as_str() == "check");
        let directive = directive.filter(|_| !settings.disregard_comments).map(|directive| directive.value.as_str());
        if let Some(check) = settings.check_option.as_deref().or(directive) {
            plan.obey(check);
        }
        plan
    }

    /// `skip=A,B;experimental=C;error=true`
    fn obey(&mut self, check: &str) {
        for part in check.split(';') {
            let Some((key, value)) = part.split_once('=') else { continue };
            let names = value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
            match key.trim() {
                "skip" => {
                    self.skip = names.collect();
                    self.skip_all = self.skip.iter().any(|name| name == "all");
                }
                "experimental" => self.options.experimental.extend(names),
                _ => {}
            }
        }
    }

    /// Whether any finding of the rule could be told.
    pub(crate) fn runs(&self, meta: &Meta) -> bool {
        let experimental = self.options.experimental.iter().any(|name| name == "all" || meta.is_named(name));
        self.selection.may_tell(meta, experimental)
    }

    /// How grave a finding of another program is: by its own code, or by the rules that stand for it here.
    pub(crate) fn foreign_severity(&self, diagnostic: &Diagnostic) -> Severity {
        let twins: Vec<&Meta> = crate::named(diagnostic.rule).map(Declared::meta).collect();
        let names = |name: &String| {
            name.eq_ignore_ascii_case(diagnostic.rule)
                || name == Group::Shell.as_str()
                || twins.iter().any(|meta| meta.is_named(name))
        };
        let selection = self.selection;
        if selection.ignore.iter().any(names) || !selection.select.is_empty() && !selection.select.iter().any(names) {
            return Severity::Off;
        }
        let said = selection.severity.iter().find(|(name, _)| names(name));
        said.map_or(diagnostic.severity, |(_, severity)| *severity)
    }

    /// How grave a finding is; off when something says it is not to be told.
    pub(crate) fn severity(&self, meta: &Meta, diagnostic: &Diagnostic) -> Severity {
        let stands_under = |name: &String| {
            name.eq_ignore_ascii_case(diagnostic.rule)
                || diagnostic.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
                || diagnostic.beyond && meta.is_named(name)
        };
        if self.selection.ignore.iter().any(stands_under) {
            return Severity::Off;
        }
        // BuildKit's directive speaks of BuildKit's own checks: a finding that stands under no such name stays.
        let checks = |alias: &&&str| !alias.starts_with("DL") && !alias.starts_with("SC");
        let is_check = diagnostic.aliases.iter().any(|alias| checks(&alias));
        if is_check && (self.skip_all || self.skip.iter().any(stands_under)) {
            return Severity::Off;
        }
        let said = self.selection.severity.iter().find(|(name, _)| stands_under(name));
        let group = || self.selection.severity.get(meta.group.as_str());
        match said.map(|(_, severity)| severity).or_else(group) {
            Some(severity) => *severity,
            None if meta.severity == Severity::Off => Severity::Info,
            None => meta.severity,
        }
    }
}
