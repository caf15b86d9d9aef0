//! `sources-before-dependencies`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Run, Severity, unquoted};
use plimsoll_analyzer::commands::{Effect, Manager};

crate::declare_rule! {
    /// The sources are copied before the dependencies are installed.
    ///
    /// Any change of the sources then throws the installed dependencies out of the cache. Copy what the installation reads
    /// (`requirements.txt`, `package.json`, `Gemfile`), install, and copy the rest after that. `plimsoll optimize` writes it so.
    ///
    /// ```dockerfile,bad
    /// FROM python:3.12
    /// WORKDIR /app
    /// COPY . .
    /// RUN pip install --no-cache-dir -r requirements.txt
    /// ```
    /// ```dockerfile,good
    /// FROM python:3.12
    /// WORKDIR /app
    /// COPY requirements.txt .
    /// RUN pip install --no-cache-dir -r requirements.txt
    /// COPY . .
    /// ```
    pub SourcesBeforeDependencies {
        id: "sources-before-dependencies", aliases: &[], since: "0.1.0",
        group: Group::Cache, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for SourcesBeforeDependencies {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| copy.from.is_none() && !copy.onbuild) {
            let whole = |source: &plimsoll_parser::Text<'_>| {
                matches!(unquoted(source).trim_end_matches('/'), "." | "" | "*" | "./*")
            };
            if !copy.syntax.sources.iter().any(whole) || copy.syntax.sources.is_empty() {
                continue;
            }
            let later = model.runs().iter().filter(|run| run.stage == copy.stage && run.index > copy.index);
            let Some((run, manager)) = later.filter_map(|run| Some((run, dependencies(run)?))).next() else { continue };
            let earlier = model
                .copies()
                .iter()
                .any(|other| other.stage == copy.stage && other.index < copy.index && other.from.is_none());
            if earlier && installed_before(model, copy.index, copy.stage, manager) {
                continue;
            }
            let message = "the sources are copied before the dependencies are installed";
            let help = format!("copy {} first, install, then copy the rest", manifest(manager));
            found.push(
                Diagnostic::new(Self::META.id, copy.instruction.range, message)
                    .with_label(run.instruction.keyword.range, "installed here")
                    .with_help(help),
            );
        }
    }
}

/// Who installs what a file of the project asks for, in this RUN.
fn dependencies(run: &Run<'_>) -> Option<Manager> {
    run.effects().find_map(|(command, effect)| match effect {
        Effect::Install(install) => match install.manager {
            Manager::Pip => install.manifests.iter().any(|file| !file.text.contains("://")).then_some(Manager::Pip),
            Manager::Npm | Manager::Yarn | Manager::Pnpm | Manager::Composer => {
                (install.packages.is_empty() && !command.has_any_flag(&["g", "global"])).then_some(install.manager)
            }
            Manager::Bundler => Some(Manager::Bundler),
            Manager::Go => install.packages.is_empty().then_some(Manager::Go),
            _ => None,
        },
        _ => None,
    })
}

fn installed_before(model: &Model<'_>, index: usize, stage: Option<usize>, manager: Manager) -> bool {
    let before = model.runs().iter().filter(|run| run.stage == stage && run.index < index);
    before.into_iter().any(|run| dependencies(run) == Some(manager))
}

fn manifest(manager: Manager) -> &'static str {
    match manager {
        Manager::Pip => "the requirements file",
        Manager::Npm => "package.json and package-lock.json",
        Manager::Yarn => "package.json and yarn.lock",
        Manager::Pnpm => "package.json and pnpm-lock.yaml",
        Manager::Bundler => "Gemfile and Gemfile.lock",
        Manager::Composer => "composer.json and composer.lock",
        Manager::Go => "go.mod and go.sum",
        _ => "what the installation reads",
    }
}
