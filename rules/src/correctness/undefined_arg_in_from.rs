//! `undefined-arg-in-from`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// FROM uses a variable that no ARG before the first FROM declares.
    ///
    /// ```dockerfile,bad
    /// FROM debian:$TAG
    /// ```
    /// ```dockerfile,good
    /// ARG TAG=12
    /// FROM debian:$TAG
    /// ```
    pub UndefinedArgInFrom {
        id: "undefined-arg-in-from", aliases: &["UndefinedArgInFrom"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for UndefinedArgInFrom {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let platform = &model.inputs.platform;
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let mut told: Vec<String> = Vec::new();
            for word in [from.platform.as_ref(), Some(&from.image)].into_iter().flatten() {
                let lookup = |name: &str| model.stages().global(name, platform);
                let Ok(expanded) = plimsoll_parser::word::expand(word, model.file.escape, &lookup) else { continue };
                for name in expanded.unmatched {
                    let declared = model.stages().global_args.iter().any(|arg| arg.name == name)
                        || plimsoll_analyzer::stages::platform_arg(&name, platform).is_some();
                    if !declared && !told.contains(&name) {
                        let message = format!("no ARG before FROM declares {name}");
                        found.push(Diagnostic::new(Self::META.id, word.range, message));
                        told.push(name);
                    }
                }
            }
        }
    }
}
