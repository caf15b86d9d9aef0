//! `env-refers-to-itself`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// ENV uses a variable that the same instruction sets.
    ///
    /// All values of one ENV are expanded before any of them is set: the old value is taken, or none.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ENV HOME=/srv DATA=$HOME/data
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ENV HOME=/srv
    /// ENV DATA=$HOME/data
    /// ```
    pub EnvRefersToItself {
        id: "env-refers-to-itself", aliases: &["DL3044"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for EnvRefersToItself {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let mut known: Vec<String> = Vec::new();
        for step in model.steps() {
            match &step.instruction.kind {
                Kind::From(_) => known.clear(),
                Kind::Arg(args) => known.extend(args.iter().map(|arg| arg.name.to_string())),
                Kind::Env(pairs) => {
                    let new = |name: &str| !known.iter().any(|known| known == name);
                    let uses = |value: &str, name: &str| crate::words::uses_variable(value, name);
                    let index_of = |name: &str| pairs.iter().position(|pair| pair.key.as_str() == name);
                    let own = pairs.iter().enumerate().find_map(|(at, pair)| {
                        let other = pairs.iter().map(|other| other.key.as_str()).find(|name| {
                            new(name)
                                && uses(&pair.value, name)
                                && (*name != pair.key.as_str() || index_of(name) != Some(at))
                        });
                        other.map(|name| (pair, name.to_owned()))
                    });
                    if let Some((pair, name)) = own.filter(|_| !step.onbuild) {
                        let message = format!("{name} does not have its new value yet");
                        found.push(Diagnostic::new(Self::META.id, pair.range, message));
                    }
                    known.extend(pairs.iter().map(|pair| pair.key.to_string()));
                }
                _ => {}
            }
        }
    }
}
