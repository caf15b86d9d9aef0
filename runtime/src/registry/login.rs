//! Credentials put where docker keeps them, once the registry has taken them.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::client::{Content, Registry};
use super::credentials::Credentials;
use super::error::RegistryError;
use crate::reference::Reference;

/// The key of docker's own registry in docker's file.
const HUB: &str = "https://index.docker.io/v1/";

/// Where credentials are or were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// In this file, readable to its owner and to whoever reads their files.
    File(PathBuf),
    /// With this program.
    Helper(String),
}

/// A registry as it is named on a command line: docker's own when nothing is.
fn host(server: Option<&str>) -> String {
    let bare = server.unwrap_or("docker.io").trim_start_matches("https://").trim_start_matches("http://");
    match bare.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2") {
        "index.docker.io" | "registry-1.docker.io" | "docker.io" | "" => "docker.io".to_owned(),
        other => other.to_owned(),
    }
}

fn key(host: &str) -> &str {
    if host == "docker.io" { HUB } else { host }
}

/// Asks the registry whether it takes name and password, and keeps them where pull and push look for them.
pub fn login(server: Option<&str>, user: &str, password: &str) -> Result<Keeper, RegistryError> {
    let host = host(server);
    let reference = Reference::parse(&format!("{host}/login/probe"))?;
    // A name without dot or port is no host in a reference: the password would go to docker's own registry.
    if reference.registry != host {
        return Err(RegistryError::NoHost { host });
    }
    let credentials = Credentials::Basic(user.to_owned(), password.to_owned());
    let registry = Registry::new(&reference, None, "log in to")?.with_credentials(credentials);
    let mut answer = registry.send(&Method::GET, "/v2/", &[], Content::None)?;
    if !answer.status().is_success() {
        return Err(match registry.status(&mut answer) {
            RegistryError::Denied { registry, detail, .. } => RegistryError::Login { registry, detail },
            other => other,
        });
    }
    let path = file()?;
    let mut config = read(&path)?;
    if let Some(helper) = helper(&config, &host) {
        let sent = json!({ "ServerURL": key(&host), "Username": user, "Secret": password });
        ask(&helper, "store", &host, sent.to_string().as_bytes())?;
        set_auth(&mut config, key(&host), Some(json!({})));
        write(&path, &config)?;
        return Ok(Keeper::Helper(helper));
    }
    let auth = STANDARD.encode(format!("{user}:{password}"));
    set_auth(&mut config, key(&host), Some(json!({ "auth": auth })));
    write(&path, &config)?;
    Ok(Keeper::File(path))
}

/// Forgets them. Nothing when there were none.
pub fn logout(server: Option<&str>) -> Result<Option<Keeper>, RegistryError> {
    let host = host(server);
    let path = file()?;
    let mut config = read(&path)?;
    let there = set_auth(&mut config, key(&host), None).is_some();
    if there {
        write(&path, &config)?;
    }
    if let Some(helper) = helper(&config, &host).filter(|_| there) {
        ask(&helper, "erase", &host, key(&host).as_bytes())?;
        return Ok(Some(Keeper::Helper(helper)));
    }
    Ok(there.then_some(Keeper::File(path)))
}

/// The file that is written: that of `REGISTRY_AUTH_FILE`, or docker's.
fn file() -> Result<PathBuf, RegistryError> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let docker = || variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
    let found = variable("REGISTRY_AUTH_FILE").or_else(|| docker().map(|dir| dir.join("config.json")));
    found.ok_or_else(|| keeping(Path::new("config.json"))("neither HOME nor DOCKER_CONFIG is set".to_owned()))
}

fn keeping(path: &Path) -> impl Fn(String) -> RegistryError {
    let path = path.to_owned();
    move |reason| RegistryError::Keep { path: path.clone(), reason }
}

fn read(path: &Path) -> Result<Map<String, Value>, RegistryError> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(keeping(path)(error.to_string())),
        Ok(bytes) if bytes.trim_ascii().is_empty() => Ok(Map::new()),
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|error| keeping(path)(format!("it does not read: {error}")))
        }
    }
}

/// Sets what the file says of a registry; gives what it said.
fn set_auth(config: &mut Map<String, Value>, key: &str, auth: Option<Value>) -> Option<Value> {
    let mut auths = match config.remove("auths") {
        Some(Value::Object(auths)) => auths,
        _ => Map::new(),
    };
    let before = match auth {
        Some(auth) => auths.insert(key.to_owned(), auth),
        None => auths.remove(key),
    };
    config.insert("auths".to_owned(), Value::Object(auths));
    before
}

/// The helper that keeps the credentials of this host.
fn helper(config: &Map<String, Value>, host: &str) -> Option<String> {
    let text = |value: &Value| value.as_str().filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned);
    let own = config.get("credHelpers").and_then(|helpers| helpers.get(key(host)).or_else(|| helpers.get(host)));
    own.and_then(text).or_else(|| config.get("credsStore").and_then(text))
}

fn ask(helper: &str, verb: &str, host: &str, input: &[u8]) -> Result<(), RegistryError> {
    let program = format!("docker-credential-{helper}");
    let fail = |reason: String| RegistryError::Helper { registry: host.to_owned(), helper: program.clone(), reason };
    let mut command = Command::new(&program);
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| fail(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input says so with its exit status.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(|error| fail(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(fail(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stdout).trim())))
}

/// Replaces the file at once; only its owner may read it.
fn write(path: &Path, config: &Map<String, Value>) -> Result<(), RegistryError> {
    let io = |error: std::io::Error| keeping(path)(error.to_string());
    // A link stays one: the file it leads to is replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    let mode = std::fs::Permissions::from_mode(0o600);
    file.as_file().set_permissions(mode).map_err(io)?;
    let mut text = serde_json::to_vec_pretty(config).map_err(|error| keeping(path)(error.to_string()))?;
    text.push(b'\n');
    file.write_all(&text).map_err(io)?;
    file.persist(&target).map_err(|error| io(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_by_any_of_their_names() {
        for name in [None, Some("docker.io"), Some("https://index.docker.io/v1/"), Some("registry-1.docker.io")] {
            assert_eq!(key(&host(name)), HUB, "{name:?}");
        }
        assert_eq!(host(Some("https://ghcr.io/")), "ghcr.io");
        assert_eq!(host(Some("localhost:5000")), "localhost:5000");
    }

    #[test]
    fn what_else_the_file_says_is_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("new/config.json");
        let mut config = read(&path).expect("nothing is there");
        config.insert("psFormat".to_owned(), json!("x"));
        set_auth(&mut config, "ghcr.io", Some(json!({ "auth": "YTpi" })));
        write(&path, &config).expect("own folder");
        assert_eq!(std::fs::metadata(&path).expect("was written").permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).expect("reads"), config);
        config.insert("credsStore".to_owned(), json!("pass"));
        config.insert("credHelpers".to_owned(), json!({ "ghcr.io": "own", "evil.io": "../x" }));
        assert_eq!(helper(&config, "ghcr.io").as_deref(), Some("own"));
        assert_eq!(helper(&config, "quay.io").as_deref(), Some("pass"));
        std::fs::write(&path, "not JSON").expect("own folder");
        assert!(read(&path).is_err(), "it is not overwritten");
    }
}
