//! Credentials from where docker and podman keep them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::error::RegistryError;
use crate::reference::Reference;

/// Who one is to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Name and password.
    Basic(String, String),
    /// A token to exchange for others.
    Identity(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthFile {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: String,
}

#[derive(Debug, Default, Deserialize)]
struct Auth {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: String,
}

/// What is known for the registry of this image.
pub(super) fn find(reference: &Reference) -> Result<Option<Credentials>, RegistryError> {
    for path in files() {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let Ok(file) = serde_json::from_slice::<AuthFile>(&bytes) else { continue };
        if let Some(found) = in_file(&file, reference)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn files() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut files = Vec::new();
    files.extend(variable("REGISTRY_AUTH_FILE"));
    files.extend(variable("XDG_RUNTIME_DIR").map(|dir| dir.join("containers/auth.json")));
    let home = variable("HOME");
    let config = variable("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
    files.extend(config.map(|dir| dir.join("containers/auth.json")));
    let docker = variable("DOCKER_CONFIG").or_else(|| home.map(|home| home.join(".docker")));
    files.extend(docker.map(|dir| dir.join("config.json")));
    files
}

fn in_file(file: &AuthFile, reference: &Reference) -> Result<Option<Credentials>, RegistryError> {
    let hosts: Vec<&str> = match reference.registry.as_str() {
        "docker.io" => vec!["docker.io", "index.docker.io", "registry-1.docker.io"],
        other => vec![other],
    };
    // podman keeps credentials by repository and by its parents too.
    let mut keys: Vec<String> = Vec::new();
    for host in &hosts {
        let mut path = format!("{host}/{}", reference.repository);
        loop {
            keys.push(path.clone());
            match path.rfind('/') {
                Some(slash) => path.truncate(slash),
                None => break,
            }
        }
    }
    keys.sort_by_key(|key| std::cmp::Reverse(key.matches('/').count()));
    let bare = |key: &str| {
        let key = key.trim_start_matches("https://").trim_start_matches("http://");
        key.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2").trim_end_matches('/').to_owned()
    };
    for key in &keys {
        if let Some(helper) = file.cred_helpers.get(key)
            && let Some(found) = ask(helper, key)?
        {
            return Ok(Some(found));
        }
        for (name, auth) in &file.auths {
            if bare(name) == *key
                && let Some(found) = read(auth)
            {
                return Ok(Some(found));
            }
        }
    }
    if file.creds_store.is_empty() {
        return Ok(None);
    }
    let names = if reference.registry == "docker.io" {
        vec!["https://index.docker.io/v1/".to_owned()]
    } else {
        vec![reference.registry.clone(), format!("https://{}", reference.registry)]
    };
    for name in names {
        if let Some(found) = ask(&file.creds_store, &name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn read(auth: &Auth) -> Option<Credentials> {
    if !auth.identitytoken.is_empty() {
        return Some(Credentials::Identity(auth.identitytoken.clone()));
    }
    if !auth.username.is_empty() {
        return Some(Credentials::Basic(auth.username.clone(), auth.password.clone()));
    }
    let decoded = STANDARD.decode(auth.auth.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    (!user.is_empty()).then(|| Credentials::Basic(user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Asks a credential helper as docker does: the host on its input, JSON on its output.
fn ask(helper: &str, host: &str) -> Result<Option<Credentials>, RegistryError> {
    let program = format!("docker-credential-{helper}");
    if helper.contains('/') {
        return Ok(None);
    }
    let fail = |reason: String| RegistryError::Helper { registry: host.to_owned(), helper: program.clone(), reason };
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| fail(error.to_string()))?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input says so with its exit status.
        let _ = input.write_all(host.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| fail(error.to_string()))?;
    if !output.status.success() {
        // "credentials not found" is the usual case, and not an error.
        return Ok(None);
    }
    let helped: Helped = serde_json::from_slice(&output.stdout).map_err(|error| fail(error.to_string()))?;
    Ok(match (helped.username.as_str(), helped.secret.is_empty()) {
        (_, true) => None,
        ("<token>", _) => Some(Credentials::Identity(helped.secret)),
        _ => Some(Credentials::Basic(helped.username, helped.secret)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_entry_wins() {
        let auth = |user: &str| STANDARD.encode(format!("{user}:p:w"));
        let text = format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{}"}},"ghcr.io":{{"auth":"{}"}},
                "ghcr.io/owner/app":{{"auth":"{}"}},"empty.io":{{}},"token.io":{{"identitytoken":"t"}}}}}}"#,
            auth("hub"),
            auth("host"),
            auth("repository")
        );
        let file: AuthFile = serde_json::from_str(&text).expect("an auth file");
        for (image, expected) in [
            ("debian", Some("hub")),
            ("ghcr.io/owner/app:1", Some("repository")),
            ("ghcr.io/owner/application", Some("host")),
            ("empty.io/x", None),
            ("quay.io/x", None),
        ] {
            let reference = Reference::parse(image).expect(image);
            let found = in_file(&file, &reference).expect("no helper");
            let expected = expected.map(|user| Credentials::Basic(user.to_owned(), "p:w".to_owned()));
            assert_eq!(found, expected, "{image}");
        }
        let token = in_file(&file, &Reference::parse("token.io/x").expect("a reference")).expect("no helper");
        assert_eq!(token, Some(Credentials::Identity("t".to_owned())));
    }
}
