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

/// What a secret can begin with.
static BEGINS: [bool; 256] = begins();

#[expect(clippy::indexing_slicing, reason = "for constants: out of bounds would not compile")]
const fn begins() -> [bool; 256] {
    let mut begins = [false; 256];
    begins[b'-' as usize] = true;
    let mut token = 0;
    while token < TOKENS.len() {
        begins[TOKENS[token].0.as_bytes()[0] as usize] = true;
        token += 1;
    }
    begins
}

/// The first secret of a text.
fn secret_in(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let can_begin = |byte: &u8| BEGINS.get(*byte as usize).is_some_and(|begins| *begins);
    let mut free = true;
    for (at, byte) in bytes.iter().enumerate() {
        if can_begin(byte) && (free || *byte == b'-') {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.starts_with(b"-----BEGIN ") && text.contains("PRIVATE KEY-----") {
                return Some("a private key");
            }
            let token = TOKENS.iter().find(|(start, length, _)| {
                rest.strip_prefix(start.as_bytes()).is_some_and(|rest| length_of_token(rest) >= *length)
            });
            if let Some((_, _, kind)) = token {
                return Some(kind);
            }
        }
        free = !byte.is_ascii_alphanumeric();
    }
    None
}

fn length_of_token(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')).count()
}
