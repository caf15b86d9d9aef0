//! `expose-protocol-casing`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Kind, Model, Rule, Severity, TextRange, has_variable};

crate::declare_rule! {
    /// EXPOSE writes a protocol in capital letters.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// EXPOSE 80/TCP
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// EXPOSE 80/tcp
    /// ```
    pub ExposeProtocolCasing {
        id: "expose-protocol-casing", aliases: &["ExposeProtoCasing"], since: "0.1.0",
        group: Group::Style, severity: Severity::Style, fixable: Fixable::Always,
    }
}

impl Rule for ExposeProtocolCasing {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps().iter().filter(|step| !step.onbuild) {
            let Kind::Expose(ports) = &step.instruction.kind else { continue };
            for port in ports {
                let Some((_, protocol)) = port.split_once('/') else { continue };
                let lower = protocol.to_lowercase();
                if has_variable(protocol) || lower == protocol {
                    continue;
                }
                let end = port.range.end as usize;
                let place = TextRange::new(end - protocol.len().min(end), end);
                let whole = place.of(model.file.text) == protocol;
                let fix =
                    whole.then(|| Fix::safe("write it in small letters", [Edit::replace(place, lower)])).flatten();
                found
                    .push(Diagnostic::new(Self::META.id, port.range, "the protocol has capital letters").with_fix(fix));
            }
        }
    }
}
