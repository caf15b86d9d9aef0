//! `from-as-casing`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// `AS` is written in other letters than `FROM`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12 as build
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12 AS build
    /// ```
    pub FromAsCasing {
        id: "from-as-casing", aliases: &["FromAsCasing"], since: "0.1.0",
        group: Group::Style, severity: Severity::Style, fixable: Fixable::Always,
    }
}

impl Rule for FromAsCasing {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let Some(word) = &from.as_keyword else { continue };
            let keyword = step.instruction.keyword.as_str();
            let wanted = if keyword == keyword.to_ascii_lowercase() {
                "as"
            } else if keyword == keyword.to_ascii_uppercase() {
                "AS"
            } else {
                continue;
            };
            if word.as_str() != wanted {
                let fix = Fix::safe(format!("write {wanted}"), [Edit::replace(word.range, wanted)]);
                let message = format!("{} is written in other letters than {keyword}", word.as_str());
                found.push(Diagnostic::new(Self::META.id, word.range, message).with_fix(fix));
            }
        }
    }
}
