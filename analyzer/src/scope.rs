//! Which variables the builder knows at an instruction, and what they hold.

use crate::stages::{Base, Platform, Stages, platform_arg};
use plimsoll_parser::syntax::{Dockerfile, Instruction, Kind};
use plimsoll_parser::{TextRange, word};
use std::collections::BTreeMap;

/// Where a variable comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// ARG in the stage.
    Arg,
    /// ENV.
    Env,
}

/// One ARG or ENV that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The name.
    pub name: String,
    /// The value, expanded; nothing for an ARG without default and without build argument.
    pub value: Option<String>,
    /// ARG or ENV.
    pub origin: Origin,
    /// The index of the instruction; it holds for the ones after.
    pub instruction: usize,
    /// Where it stands.
    pub range: TextRange,
}

/// The bindings of all stages.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    stages: Vec<Vec<Binding>>,
    bases: Vec<Option<usize>>,
}

/// Variables that are there without ARG or ENV.
const ALWAYS: [&str; 1] = ["PATH"];

impl Scopes {
    /// Follows ARG and ENV through every stage.
    #[must_use]
    pub fn follow(
        file: &Dockerfile<'_>,
        stages: &Stages,
        build_args: &BTreeMap<String, String>,
        platform: &Platform,
    ) -> Self {
        let mut scopes = Self::default();
        for stage in &stages.stages {
            scopes.stages.push(Vec::new());
            scopes.bases.push(match stage.base {
                Base::Stage(base) if base < stage.index => Some(base),
                _ => None,
            });
            for index in stage.instructions.clone() {
                let Some(instruction) = file.instructions.get(index) else { continue };
                let new = scopes.bind(file, stages, stage.index, index, instruction, build_args, platform);
                if let Some(bindings) = scopes.stages.get_mut(stage.index) {
                    bindings.extend(new);
                }
            }
        }
        scopes
    }

    #[expect(clippy::too_many_arguments, reason = "one step of follow, with all that it follows")]
    fn bind(
        &self,
        file: &Dockerfile<'_>,
        stages: &Stages,
        stage: usize,
        index: usize,
        instruction: &Instruction<'_>,
        build_args: &BTreeMap<String, String>,
        platform: &Platform,
    ) -> Vec<Binding> {
        let mut new: Vec<Binding> = Vec::new();
        match &instruction.kind {
            Kind::Env(pairs) => {
                for pair in pairs {
                    let lookup = |name: &str| self.value(stage, index, name);
                    let expand = |text: &str| {
                        word::expand(text, file.escape, &lookup)
                            .map_or_else(|_| text.to_owned(), |expanded| expanded.word)
                    };
                    let (name, value) = (expand(&pair.key), expand(&pair.value));
                    let origin = Origin::Env;
                    new.push(Binding { name, value: Some(value), origin, instruction: index, range: pair.range });
                }
            }
            Kind::Arg(declared) => {
                for arg in declared {
                    let name = arg.name.to_string();
                    let default = arg.default.as_ref().map(|text| {
                        let lookup = |name: &str| {
                            let own = new.iter().rev().find(|binding| binding.name == name);
                            own.map_or_else(|| self.value(stage, index, name), |binding| binding.value.clone())
                        };
                        word::expand(text, file.escape, &lookup)
                            .map_or_else(|_| text.to_string(), |expanded| expanded.word)
                    });
                    let global = || match &default {
                        Some(value) => Some(value.clone()),
                        None => stages
                            .global_args
                            .iter()
                            .rev()
                            .find(|global| global.name == name)
                            .and_then(|global| global.value.clone())
                            .or_else(|| platform_arg(&name, platform)),
                    };
                    let value = build_args.get(&name).cloned().or_else(global);
                    new.push(Binding { name, value, origin: Origin::Arg, instruction: index, range: arg.range });
                }
            }
            _ => {}
        }
        new
    }

    /// The binding of `name` that instruction `index` of `stage` sees: ENV before ARG, later before earlier, own before inherited.
    #[must_use]
    pub fn binding(&self, stage: usize, index: usize, name: &str) -> Option<&Binding> {
        let own = self.stages.get(stage)?;
        let seen = || own.iter().rev().filter(|binding| binding.instruction < index && binding.name == name);
        let env = seen().find(|binding| binding.origin == Origin::Env);
        let found = env.or_else(|| seen().next());
        if found.is_some_and(|binding| binding.origin == Origin::Env) {
            return found;
        }
        let inherited = self.bases.get(stage).copied().flatten().and_then(|base| self.binding(base, usize::MAX, name));
        match (found, inherited) {
            (_, Some(env)) if env.origin == Origin::Env => Some(env),
            (Some(own), _) => Some(own),
            (None, inherited) => inherited,
        }
    }

    /// What `name` expands to there; nothing when it is unset.
    #[must_use]
    pub fn value(&self, stage: usize, index: usize, name: &str) -> Option<String> {
        match self.binding(stage, index, name) {
            Some(binding) => binding.value.clone(),
            None if name == "PATH" => Some("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            None => None,
        }
    }

    /// Whether `name` is declared there, with a value or without.
    #[must_use]
    pub fn declares(&self, stage: usize, index: usize, name: &str) -> bool {
        ALWAYS.contains(&name) || self.binding(stage, index, name).is_some()
    }

    /// Every name that instruction `index` of `stage` sees, inherited ones included, each once.
    #[must_use]
    pub fn names(&self, stage: usize, index: usize) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let mut at = Some((stage, index));
        while let Some((stage, index)) = at {
            let own = self.stages.get(stage).into_iter().flatten();
            names.extend(own.filter(|b| b.instruction < index).map(|b| b.name.as_str()));
            at = self.bases.get(stage).copied().flatten().map(|base| (base, usize::MAX));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The bindings made in `stage` itself, in order.
    #[must_use]
    pub fn of_stage(&self, stage: usize) -> &[Binding] {
        self.stages.get(stage).map_or(&[], Vec::as_slice)
    }
}
