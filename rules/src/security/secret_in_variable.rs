//! `secret-in-variable`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, TextRange, unquoted};

crate::declare_rule! {
    /// A name in ARG or ENV says that it holds a secret.
    ///
    /// Both are written into the image (ENV) or its history (ARG) for everyone who has it. Use `RUN --mount=type=secret`, or give
    /// it to the container when it starts.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ENV API_KEY=abc
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN --mount=type=secret,id=api_key,env=API_KEY ./fetch
    /// ```
    pub SecretInVariable {
        id: "secret-in-variable", aliases: &["DL3064", "SecretsUsedInArgOrEnv"], since: "0.1.0",
        group: Group::Security, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for SecretInVariable {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps() {
            let names: Vec<(&str, TextRange)> = match &step.instruction.kind {
                Kind::Env(pairs) => pairs.iter().map(|pair| (unquoted(&pair.key), pair.key.range)).collect(),
                Kind::Arg(args) => args.iter().map(|arg| (arg.name.as_str(), arg.name.range)).collect(),
                _ => continue,
            };
            for (name, range) in names {
                let aliases: &[&str] = match (sounds_secret(name), is_secret_word(name) && !step.onbuild) {
                    (true, true) => &["DL3064", "SecretsUsedInArgOrEnv"],
                    (true, false) => &["DL3064"],
                    (false, true) => &["SecretsUsedInArgOrEnv"],
                    (false, false) => continue,
                };
                found
                    .push(Diagnostic::new(Self::META.id, range, format!("{name} sounds like a secret")).under(aliases));
            }
        }
    }
}

/// What hadolint listens for: parts of a name, wherever they stand.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts =
        ["password", "secret", "token", "api_key", "private_key", "aws_access_key_id", "username", "facebook_app_id"];
    parts.iter().any(|part| name.contains(part))
}

/// What BuildKit listens for: whole words between underscores, `public` excepted.
fn is_secret_word(name: &str) -> bool {
    const WORDS: [&str; 10] =
        ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
    let name = name.to_ascii_lowercase();
    let mut words = name.split('_');
    words.any(|word| WORDS.contains(&word)) && !name.split('_').any(|word| word == "public")
}
