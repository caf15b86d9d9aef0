//! `redundant-target-platform`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Kind, Model, Rule, Severity, TextRange, unquoted};

crate::declare_rule! {
    /// `--platform=$TARGETPLATFORM` says what is so anyway.
    ///
    /// FROM takes the target platform unless told otherwise.
    ///
    /// ```dockerfile,bad
    /// FROM --platform=$TARGETPLATFORM debian:12
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ```
    pub RedundantTargetPlatform {
        id: "redundant-target-platform", aliases: &["DL3065", "RedundantTargetPlatform"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::Always,
        may_change: &["history"],
    }
}

impl Rule for RedundantTargetPlatform {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let Some(platform) = &from.platform else { continue };
            if !matches!(unquoted(platform), "$TARGETPLATFORM" | "${TARGETPLATFORM}") {
                continue;
            }
            let Some(flag) = step.instruction.flags.iter().find(|flag| flag.name.as_str() == "platform") else {
                continue;
            };
            let after = model.file.text.get(flag.range.end as usize..).unwrap_or_default();
            let blank = after.len() - after.trim_start_matches([' ', '\t']).len();
            let range = TextRange::new(flag.range.start as usize, flag.range.end as usize + blank);
            let fix = Fix::safe("leave it out", [Edit::delete(range)]);
            found.push(Diagnostic::new(Self::META.id, flag.range, "the target platform is taken anyway").with_fix(fix));
        }
    }
}
