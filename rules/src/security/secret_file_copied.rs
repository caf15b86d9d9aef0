//! `secret-file-copied`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// COPY takes a file that looks like a secret.
    ///
    /// Whoever has the image has the file, also when a later instruction deletes it. Leave it out by .dockerignore and hand it
    /// to RUN by `--mount=type=secret`.
    ///
    /// ```dockerfile,bad,context=.env:20|app.py:10
    /// FROM debian:12
    /// COPY . /app
    /// ```
    /// ```dockerfile,good,context=.env:20|app.py:10,ignore=.env
    /// FROM debian:12
    /// COPY . /app
    /// ```
    pub SecretFileCopied {
        id: "secret-file-copied", aliases: &[], since: "0.1.0",
        group: Group::Security, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for SecretFileCopied {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies() {
            let taken = model.taken(copy).unwrap_or_default();
            let secrets: Vec<&str> =
                taken.iter().map(|entry| entry.path.as_str()).filter(|path| is_secret(path)).collect();
            if let Some(first) = secrets.first() {
                let more = if secrets.len() > 1 { format!(" and {} more", secrets.len() - 1) } else { String::new() };
                let message = format!("{first}{more} would be readable in the image");
                found.push(Diagnostic::new(Self::META.id, copy.instruction.range, message));
            }
        }
    }
}

fn is_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let names = [
        ".env",
        ".npmrc",
        ".pypirc",
        ".netrc",
        ".git-credentials",
        "credentials",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        ".htpasswd",
        "kubeconfig",
        "service-account.json",
        ".dockercfg",
    ];
    let known = match name {
        "credentials" => path.contains(".aws/"),
        name => names.contains(&name),
    };
    let ends = [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".ppk"];
    let env = name.starts_with(".env.")
        && !name.ends_with("example")
        && !name.ends_with("sample")
        && !name.ends_with("template");
    let public = path.contains("site-packages")
        || path.contains("node_modules")
        || path.contains(".git/")
        || name.starts_with("cacert");
    (known || env || ends.iter().any(|end| name.ends_with(end))) && !public
}
