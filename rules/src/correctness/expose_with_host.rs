//! `expose-with-host`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, expand};

crate::declare_rule! {
    /// EXPOSE names an address or a port of the host.
    ///
    /// It speaks of the container alone; what is published is said when it starts.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// EXPOSE 8080:80
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// EXPOSE 80
    /// ```
    pub ExposeWithHost {
        id: "expose-with-host", aliases: &["ExposeInvalidFormat"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for ExposeWithHost {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps().iter().filter(|step| !step.onbuild) {
            let Kind::Expose(ports) = &step.instruction.kind else { continue };
            for port in ports {
                if expand(model, step, port).contains(':') {
                    let message = "EXPOSE takes a port of the container alone";
                    found.push(Diagnostic::new(Self::META.id, port.range, message));
                }
            }
        }
    }
}
