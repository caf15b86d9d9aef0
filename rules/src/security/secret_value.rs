//! `secret-value`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, TextRange};

crate::declare_rule! {
    /// A value in the file is a key or a token.
    ///
    /// It is in the history of the file and of the image. Take it back where it was issued, and use `RUN --mount=type=secret`.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ENV DEPLOY=ghp_0123456789abcdefghijABCDEFGHIJ012345
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ENV DEPLOY=$TOKEN_FROM_OUTSIDE
    /// ```
    pub SecretValue {
        id: "secret-value", aliases: &[], since: "0.1.0",
        group: Group::Security, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for SecretValue {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let texts: Vec<(&str, TextRange)> = match &step.instruction.kind {
                Kind::Env(pairs) | Kind::Label(pairs) => {
                    pairs.iter().map(|pair| (pair.value.as_str(), pair.value.range)).collect()
                }
                Kind::Arg(args) => {
                    args.iter().filter_map(|arg| arg.default.as_ref()).map(|d| (d.as_str(), d.range)).collect()
                }
                Kind::Run(_) => vec![(step.instruction.range.of(model.file.text), step.instruction.range)],
                Kind::Copy(_) | Kind::Add(_) => {
                    step.instruction.heredocs.iter().map(|doc| (doc.body.as_str(), doc.body.range)).collect()
                }
                _ => continue,
            };
            for (text, range) in texts {
                if let Some(kind) = secret_in(text) {
                    found.push(Diagnostic::new(Self::META.id, range, format!("{kind} stands in the file")));
                }
            }
        }
    }
}

/// What is issued with a beginning of its own, the length after it, and what it is.
const TOKENS: [(&str, usize, &str); 12] = [
    ("AKIA", 16, "an AWS access key"),
    ("ghp_", 36, "a GitHub token"),
    ("gho_", 36, "a GitHub token"),
    ("ghs_", 36, "a GitHub token"),
    ("github_pat_", 60, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxb-", 30, "a Slack token"),
    ("xoxp-", 30, "a Slack token"),
    ("sk_live_", 24, "a Stripe key"),
    ("AIza", 35, "a Google key"),
    ("npm_", 36, "an npm token"),
    ("dckr_pat_", 20, "a Docker token"),
];

fn secret_in(text: &str) -> Option<&'static str> {
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    let token = |part: &str| part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-').count();
    TOKENS.iter().find_map(|(start, length, kind)| {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(start)).map(|at| at + from) {
            let free = !text.get(..at).unwrap_or_default().ends_with(|c: char| c.is_ascii_alphanumeric());
            from = at + start.len();
            if free && token(text.get(from..).unwrap_or_default()) >= *length {
                return Some(*kind);
            }
        }
        None
    })
}
