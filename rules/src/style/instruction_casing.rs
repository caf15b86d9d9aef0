//! `instruction-casing`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Kind, Model, Rule, Severity, Step, TextRange};

crate::declare_rule! {
    /// Keywords are written partly in capitals, partly not.
    ///
    /// What most of the file does counts.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// run true
    /// CMD ["a"]
    /// ```
    /// ```dockerfile,good
    /// from debian:12
    /// run true
    /// ```
    pub InstructionCasing {
        id: "instruction-casing", aliases: &["ConsistentInstructionCasing"], since: "0.1.0",
        group: Group::Style, severity: Severity::Style, fixable: Fixable::Always,
    }
}

impl Rule for InstructionCasing {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let (mut lower, mut upper) = (0, 0);
        for step in model.steps().iter().filter(|step| step.stage.is_some()) {
            let keyword = written(model, step).0;
            if keyword.bytes().all(|b| b.is_ascii_lowercase()) {
                lower += 1;
            } else if keyword.bytes().all(|b| b.is_ascii_uppercase()) {
                upper += 1;
            }
        }
        for step in model.steps().iter().filter(|step| step.stage.is_some()) {
            let (keyword, range) = written(model, step);
            let wanted = if lower > upper { keyword.to_ascii_lowercase() } else { keyword.to_ascii_uppercase() };
            if keyword != wanted && !matches!(step.instruction.kind, Kind::Unknown(_)) {
                // Over several lines there may be a comment in it.
                let whole = range.of(model.file.text) == keyword;
                let fix = whole.then(|| Fix::safe(format!("write {wanted}"), [Edit::replace(range, wanted)])).flatten();
                let message = format!("{keyword} is written in other letters than most keywords here");
                found.push(Diagnostic::new(Self::META.id, range, message).with_fix(fix));
            }
        }
    }
}

/// The keyword at the line's beginning: ONBUILD where its trigger is the step.
fn written<'m>(model: &Model<'m>, step: &Step<'m>) -> (&'m str, TextRange) {
    match model.file.instructions.get(step.index) {
        Some(outer) => (outer.keyword.as_str(), outer.keyword.range),
        None => ("", step.range),
    }
}
