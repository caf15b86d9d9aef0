//! `wget-and-curl`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// A stage uses both wget and curl.
    ///
    /// One of them is enough, and need then not be installed.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN wget -q https://example.org/a
    /// RUN curl -O https://example.org/b
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN curl -O https://example.org/a
    /// ```
    pub WgetAndCurl {
        id: "wget-and-curl", aliases: &["DL4001"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for WgetAndCurl {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let mut stage = None;
        let (mut wget, mut curl) = (false, false);
        for run in model.runs() {
            if stage != run.stage {
                (stage, wget, curl) = (run.stage, false, false);
            }
            let last = run.commands.iter().rfind(|command| command.is_any(&["wget", "curl"]));
            let Some(command) = last else { continue };
            wget |= run.commands.iter().any(|command| command.is("wget"));
            curl |= run.commands.iter().any(|command| command.is("curl"));
            if wget && curl {
                found.push(Diagnostic::new(Self::META.id, command.words_range, "wget and curl are both used"));
            }
        }
    }
}
