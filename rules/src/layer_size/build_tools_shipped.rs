//! `build-tools-shipped`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, TextRange};
use plimsoll_analyzer::commands::{Effect, Manager};

crate::declare_rule! {
    /// Compilers and headers are part of the image that is shipped.
    ///
    /// Build in one stage, and copy what came of it into another that holds only what the program reads when it runs.
    /// `plimsoll optimize` proposes the stages.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y build-essential && make && rm -rf /var/lib/apt/lists/*
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS build
    /// RUN apt-get update && apt-get install -y build-essential && make
    /// FROM debian:12
    /// COPY --from=build /app /app
    /// ```
    pub BuildToolsShipped {
        id: "build-tools-shipped", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for BuildToolsShipped {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let Some(last) = model.last_stage() else { return };
        let mut told: Vec<String> = Vec::new();
        let mut place: Option<TextRange> = None;
        for run in model.runs().iter().filter(|run| run.stage.is_some_and(|stage| model.stands_on(last.index, stage))) {
            let removed = |name: &str| {
                let verbs = ["remove", "purge", "del", "erase", "autoremove"];
                run.commands.iter().any(|command| {
                    command.has_any_arg(&verbs) && (command.has_arg(name) || command.has_arg("autoremove"))
                })
            };
            for (command, effect) in run.effects() {
                let Effect::Install(install) = effect else { continue };
                if !matches!(
                    install.manager,
                    Manager::Apt | Manager::Apk | Manager::Dnf | Manager::Yum | Manager::Zypper
                ) {
                    continue;
                }
                let virtual_group = command.has_any_flag(&["t", "virtual"])
                    && run.commands.iter().any(|command| command.has_arg("del"));
                for package in &install.packages {
                    let name = package.word.text.split(['=', '<', '>', '~', ':']).next().unwrap_or_default();
                    if is_build_tool(name) && !removed(name) && !virtual_group {
                        place.get_or_insert(package.word.range);
                        told.push(name.to_owned());
                    }
                }
            }
        }
        if let Some(place) = place {
            let shown = told.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
            let more = if told.len() > 4 { ", …" } else { "" };
            let message = format!("build tools are part of the image: {shown}{more}");
            let help = "install and build in a first stage (`FROM … AS build`), and COPY --from=build what came of it";
            found.push(Diagnostic::new(Self::META.id, place, message).with_help(help));
        }
    }
}

fn is_build_tool(name: &str) -> bool {
    const TOOLS: [&str; 30] = [
        "build-essential",
        "build-base",
        "gcc",
        "g++",
        "make",
        "cmake",
        "clang",
        "automake",
        "autoconf",
        "libtool",
        "ninja-build",
        "pkg-config",
        "pkgconf",
        "golang",
        "golang-go",
        "cargo",
        "rustc",
        "maven",
        "gradle",
        "default-jdk",
        "openjdk-17-jdk",
        "gcc-c++",
        "patch",
        "bison",
        "flex",
        "nasm",
        "swig",
        "gfortran",
        "dpkg-dev",
        "alpine-sdk",
    ];
    TOOLS.contains(&name) || name.ends_with("-dev") || name.ends_with("-devel") || name.ends_with("-jdk")
}
