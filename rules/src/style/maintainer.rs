//! `maintainer-instruction`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::Model;
use plimsoll_parser::syntax::Kind;
use plimsoll_parser::{Edit, TextRange};

crate::declare_rule! {
    /// MAINTAINER is out of use.
    ///
    /// A label says the same and can be read with the others. The fix writes `org.opencontainers.image.authors`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// MAINTAINER Jane Doe <jane@example.org>
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// LABEL org.opencontainers.image.authors="Jane Doe <jane@example.org>"
    /// ```
    pub MaintainerInstruction {
        id: "maintainer-instruction", aliases: &["DL4000", "MaintainerDeprecated"], since: "0.1.0",
        group: Group::Style, severity: Severity::Error, fixable: Fixable::Sometimes,
        may_change: &["config:author", "config:Labels", "history"],
    }
}

impl Rule for MaintainerInstruction {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let Kind::Maintainer(name) = &step.instruction.kind else { continue };
            let bare = crate::words::unquoted(name);
            let plain = !bare.contains(['"', '$', '\\', '`', '\n'])
                && !bare.is_empty()
                && !step.onbuild
                && step.stage.is_some();
            let fix = plain.then(|| {
                let range = TextRange { start: step.instruction.range.start, end: name.range.end };
                let edit = Edit::replace(range, format!("LABEL org.opencontainers.image.authors=\"{bare}\""));
                Some(Fix::safe("write a label", [edit])?.changing(Self::META.may_change))
            });
            let keyword = step.instruction.keyword.range;
            let mut diagnostic =
                Diagnostic::new(Self::META.id, keyword, "MAINTAINER is out of use").with_fix(fix.flatten());
            if step.onbuild {
                diagnostic = diagnostic.under(&["DL4000"]);
            }
            found.push(diagnostic);
        }
    }
}
