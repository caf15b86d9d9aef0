//! `conda-cache-kept`

use crate::prelude::{Diagnostic, Fix, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// conda keeps the packages it downloaded.
    ///
    /// ```dockerfile,bad
    /// FROM continuumio/miniconda3:24.5.0-0
    /// RUN conda install -y numpy=1.26
    /// ```
    /// ```dockerfile,good
    /// FROM continuumio/miniconda3:24.5.0-0
    /// RUN conda install -y numpy=1.26 && conda clean --all --yes
    /// ```
    pub CondaCacheKept {
        id: "conda-cache-kept", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Sometimes,
        may_change: &["/opt/conda/pkgs/**"],
    }
}

impl Rule for CondaCacheKept {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            if run.mounts_cache_over("/opt/conda/pkgs") {
                continue;
            }
            let install = run.commands.iter().position(|command| {
                command.is_any(&["conda", "mamba", "micromamba"])
                    && command.has_any_arg(&["install", "create", "update"])
            });
            let Some((at, install)) = install.and_then(|at| Some((at, run.commands.get(at)?))) else { continue };
            let after = run.commands.get(at..).unwrap_or_default();
            if after.iter().any(|command| {
                command.is_any(&["conda", "mamba", "micromamba"]) && command.has_arg("clean")
                    || command.is("rm") && command.args.iter().any(|arg| arg.text.contains("pkgs"))
            }) {
                continue;
            }
            let end = run.and_list_end().filter(|_| !install.place.conditional && !crate::pins::uninstalls(after));
            let edit =
                end.map(|end| crate::append::command(model, run, end, &format!("{} clean --all --yes", install.name)));
            let fix = edit.and_then(|edit| {
                Some(Fix::safe("empty the cache in this RUN", [edit])?.changing(Self::META.may_change))
            });
            found.push(
                Diagnostic::new(Self::META.id, install.words_range, "the downloaded packages stay in this layer")
                    .with_fix(fix),
            );
        }
    }
}
