//! `forbidden-trigger`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// ONBUILD has a trigger that it must not have.
    ///
    /// FROM, ONBUILD and MAINTAINER cannot be triggers.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ONBUILD MAINTAINER me
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ONBUILD RUN make
    /// ```
    pub ForbiddenTrigger {
        id: "forbidden-trigger", aliases: &["DL3043"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for ForbiddenTrigger {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (instruction, step) in model.file.instructions.iter().zip(model.steps()) {
            let trigger = match &instruction.kind {
                Kind::Onbuild(trigger) => trigger.keyword.to_string(),
                Kind::Broken(text) if instruction.keyword.eq_ignore_ascii_case("onbuild") => {
                    text.split_whitespace().next().unwrap_or_default().to_owned()
                }
                _ => continue,
            };
            if matches!(trigger.to_ascii_lowercase().as_str(), "from" | "onbuild" | "maintainer") {
                found.push(Diagnostic::new(Self::META.id, step.range, format!("{trigger} cannot be a trigger")));
            }
        }
    }
}
