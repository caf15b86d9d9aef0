//! `platform-constant`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, has_variable, syntax, unquoted};

crate::declare_rule! {
    /// FROM fixes the platform.
    ///
    /// The image can then be built for one kind of machine only. Leave `--platform` out, or say `$BUILDPLATFORM` for a stage
    /// that compiles for another machine.
    ///
    /// ```dockerfile,bad
    /// FROM --platform=linux/amd64 debian:12
    /// ```
    /// ```dockerfile,good
    /// FROM --platform=$BUILDPLATFORM debian:12 AS build
    /// FROM debian:12
    /// ```
    pub PlatformConstant {
        id: "platform-constant", aliases: &["DL3029", "FromPlatformFlagConstDisallowed"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for PlatformConstant {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::From(from) = &step.instruction.kind else { continue };
            let Some(platform) = from.platform.as_ref().filter(|platform| !platform.is_empty()) else { continue };
            let hadolint = !["$BUILDPLATFORM", "${BUILDPLATFORM", "$TARGETPLATFORM", "${TARGETPLATFORM"]
                .iter()
                .any(|known| unquoted(platform).starts_with(known));
            let constant = !has_variable(platform) && !named_for_platform(from, platform);
            let aliases: &[&str] = match (hadolint, constant) {
                (true, true) => &["DL3029", "FromPlatformFlagConstDisallowed"],
                (true, false) => &["DL3029"],
                (false, true) => &["FromPlatformFlagConstDisallowed"],
                (false, false) => continue,
            };
            found.push(Diagnostic::new(Self::META.id, platform.range, "the platform is fixed").under(aliases));
        }
    }
}

/// BuildKit lets a constant pass where the stage's name says which one of several it is.
fn named_for_platform(from: &syntax::From<'_>, platform: &str) -> bool {
    let Some(name) = &from.name else { return false };
    let name = name.to_ascii_lowercase();
    let mut parts = platform.split('/');
    let (os, architecture) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (!os.is_empty() && name.contains(os)) || (!architecture.is_empty() && name.contains(architecture))
}
