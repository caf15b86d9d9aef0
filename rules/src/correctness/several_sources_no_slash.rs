//! `several-sources-no-slash`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity, unquoted};

crate::declare_rule! {
    /// Several sources are copied to something that is written like a file.
    ///
    /// With more than one source the destination is a directory: say so by a slash at its end.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY a b /srv
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// COPY a b /srv/
    /// ```
    pub SeveralSourcesNoSlash {
        id: "several-sources-no-slash", aliases: &["DL3021"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::Sometimes,
    }
}

impl Rule for SeveralSourcesNoSlash {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| !copy.add && !copy.onbuild) {
            let destination = unquoted(&copy.syntax.destination);
            let count = copy.syntax.sources.len() + copy.instruction.heredocs.len();
            if count < 2 || destination.ends_with('/') {
                continue;
            }
            let plain =
                destination == copy.syntax.destination.as_str() && !destination.ends_with('.') && !copy.syntax.json;
            let range = copy.syntax.destination.range;
            let fix = plain.then(|| Fix::risky("name a directory", [Edit::insert(range.end, "/")])).flatten();
            found.push(
                Diagnostic::new(Self::META.id, range, "the destination of several sources must end in a slash")
                    .with_fix(fix),
            );
        }
    }
}
