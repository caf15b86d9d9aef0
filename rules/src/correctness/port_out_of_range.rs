//! `port-out-of-range`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, has_variable};

crate::declare_rule! {
    /// EXPOSE names a port that does not exist.
    ///
    /// Ports go from 0 to 65535.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// EXPOSE 80000
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// EXPOSE 8000 9000-9010/udp
    /// ```
    pub PortOutOfRange {
        id: "port-out-of-range", aliases: &["DL3011"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for PortOutOfRange {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps().iter().filter(|step| !step.onbuild) {
            let Kind::Expose(ports) = &step.instruction.kind else { continue };
            for port in ports {
                let numbers = port.split('/').next().unwrap_or_default();
                if has_variable(numbers) {
                    continue;
                }
                let too_high = |part: &str| part.parse::<u64>().is_ok_and(|number| number > 65535);
                if numbers.split('-').any(too_high) {
                    found.push(Diagnostic::new(Self::META.id, port.range, format!("there is no port {numbers}")));
                }
            }
        }
    }
}
