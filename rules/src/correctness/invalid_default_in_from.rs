//! `invalid-default-in-from`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// With the defaults of its ARGs, FROM names no valid image.
    ///
    /// Whoever builds without `--build-arg` gets an error. Give the ARG a default that works, or write `${TAG:-12}`.
    ///
    /// ```dockerfile,bad
    /// ARG TAG
    /// FROM debian:$TAG
    /// ```
    /// ```dockerfile,good
    /// ARG TAG=12
    /// FROM debian:$TAG
    /// ```
    pub InvalidDefaultInFrom {
        id: "invalid-default-in-from", aliases: &["InvalidDefaultArgInFrom"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for InvalidDefaultInFrom {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let defaults = |name: &str| {
            let args = &model.stages().global_args;
            match args.iter().rev().find(|arg| arg.name == name) {
                Some(arg) => arg.default.clone(),
                None => plimsoll_analyzer::stages::platform_arg(name, &model.inputs.platform),
            }
        };
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let Ok(expanded) = plimsoll_parser::word::expand(&from.image, model.file.escape, &defaults) else {
                continue;
            };
            if plimsoll_parser::image_ref::ImageRef::parse(&expanded.word).is_none() {
                let message = "with the defaults of its ARGs this names no image";
                found.push(Diagnostic::new(Self::META.id, from.image.range, message));
            }
        }
    }
}
