//! `user-not-numeric`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, Step, unquoted};

crate::declare_rule! {
    /// USER is a name rather than a number.
    ///
    /// Kubernetes' `runAsNonRoot` can only tell from a number that it is not root.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// USER app
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// USER 1000
    /// ```
    pub UserNotNumeric {
        id: "user-not-numeric", aliases: &["DL3066"], since: "0.1.0",
        group: Group::Security, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for UserNotNumeric {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps().iter().filter(|step| !step.onbuild) {
            let Kind::User(user) = &step.instruction.kind else { continue };
            let name = user.split(':').next().unwrap_or_default();
            let declared =
                name.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).or_else(|| name.strip_prefix('$'));
            if declared.is_some_and(|variable| is_declared(model, step, variable)) {
                continue;
            }
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_digit()) {
                found.push(Diagnostic::new(Self::META.id, user.range, "the user is no number"));
            }
        }
    }
}

/// Whether an ARG of the file names the variable, so that it may hold a number, or an ENV gives it one.
fn is_declared(model: &Model<'_>, at: &Step<'_>, variable: &str) -> bool {
    model.steps().iter().take_while(|step| step.index < at.index).any(|step| match &step.instruction.kind {
        Kind::Arg(args) => args.iter().any(|arg| arg.name.as_str() == variable),
        Kind::Env(pairs) => pairs.iter().any(|pair| {
            let value = unquoted(&pair.value);
            pair.key.as_str() == variable && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
        }),
        _ => false,
    })
}
