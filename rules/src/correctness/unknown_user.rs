//! `unknown-user`

use crate::prelude::{Base, Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, has_variable, unquoted};

crate::declare_rule! {
    /// USER names someone whom an empty image does not know.
    ///
    /// A stage from `scratch` has no `/etc/passwd` but what is copied into it; use a number.
    ///
    /// ```dockerfile,bad
    /// FROM scratch
    /// COPY app /app
    /// USER app
    /// ```
    /// ```dockerfile,good
    /// FROM scratch
    /// COPY app /app
    /// USER 1000
    /// ```
    pub UnknownUser {
        id: "unknown-user", aliases: &[], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for UnknownUser {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps().iter().filter(|step| !step.onbuild) {
            let (Kind::User(user), Some(stage)) = (&step.instruction.kind, step.stage) else { continue };
            let name = unquoted(user).split(':').next().unwrap_or_default();
            let empty = model.stages().stages.get(stage).is_some_and(|stage| stage.base == Base::Scratch);
            let number = name.bytes().all(|b| b.is_ascii_digit());
            let passwd = model.copies().iter().any(|copy| {
                let syntax = copy.syntax;
                copy.stage == Some(stage)
                    && (syntax.destination.contains("etc")
                        || syntax.destination.as_str() == "/"
                        || syntax.sources.iter().any(|s| s.contains("passwd")))
            });
            if empty && !number && !has_variable(name) && !passwd {
                found.push(Diagnostic::new(
                    Self::META.id,
                    user.range,
                    format!("an empty image knows nobody called {name}"),
                ));
            }
        }
    }
}
