//! Image references in their full form, as the store and the registry client use them.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// A reference with nothing left out: `debian` is `docker.io/library/debian:latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// Registry host, with its port when given: `docker.io`, `127.0.0.1:5000`.
    pub registry: String,
    /// Repository, `library/debian`.
    pub repository: String,
    /// Tag; `latest` when neither tag nor digest was written.
    pub tag: Option<String>,
    /// Digest of the manifest or index.
    pub digest: Option<Digest>,
}

/// A text that is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read `{text}` as an image reference: {reason}")]
pub struct ReferenceError {
    text: String,
    reason: &'static str,
}

impl Reference {
    /// Reads a reference as docker does and completes it.
    pub fn parse(text: &str) -> Result<Reference, ReferenceError> {
        let error = |reason| ReferenceError { text: text.chars().take(200).collect(), reason };
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => (
                rest,
                Some(digest.parse::<Digest>().map_err(|_| error("its digest must be sha256 and 64 hex digits"))?),
            ),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(error("a tag is at most 128 letters, digits, `_`, `.` and `-`"));
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" || has_upper(first) => {
                (first, path)
            }
            _ => ("docker.io", name),
        };
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
        if !is_registry(registry) {
            return Err(error("its registry is no host name"));
        }
        if has_upper(path) {
            return Err(error("repository names are lowercase"));
        }
        if path.is_empty() || path.len() > 255 || !path.split('/').all(is_component) {
            return Err(error("a repository is lowercase words joined by `/`, `.`, `_` and `-`"));
        }
        let repository =
            if registry == "docker.io" && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some("latest".to_owned()),
        };
        Ok(Reference { registry: registry.to_owned(), repository, tag, digest })
    }

    /// The short form people write: `debian:bookworm`, `ghcr.io/owner/name:1`.
    pub fn familiar(&self) -> String {
        let mut text = match (self.registry.as_str(), self.repository.strip_prefix("library/")) {
            ("docker.io", Some(name)) if !name.contains('/') => name.to_owned(),
            ("docker.io", _) => self.repository.clone(),
            (registry, _) => format!("{registry}/{}", self.repository),
        };
        self.push_suffix(&mut text);
        text
    }

    /// What stands after the repository in a registry's manifest path: the digest if there is one, else the tag.
    pub fn selector(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    fn push_suffix(&self, text: &mut String) {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}/{}", self.registry, self.repository);
        self.push_suffix(&mut text);
        f.write_str(&text)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        Reference::parse(text)
    }
}

fn has_upper(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

fn is_registry(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => host,
        _ => registry,
    };
    if let Some(address) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    }
    !host.is_empty()
        && host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

/// Lowercase letters and digits with `.`, `_`, `__` or dashes between them.
fn is_component(component: &str) -> bool {
    let alnum = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    if !bytes.first().is_some_and(alnum) || !bytes.last().is_some_and(alnum) {
        return false;
    }
    bytes
        .split(alnum)
        .all(|between| matches!(between, [] | [b'.'] | [b'_'] | [b'_', b'_']) || between.iter().all(|b| *b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completed_and_familiar() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, full, familiar) in [
            ("debian", "docker.io/library/debian:latest", "debian:latest"),
            ("debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"),
            ("owner/name", "docker.io/owner/name:latest", "owner/name:latest"),
            ("index.docker.io/debian:1", "docker.io/library/debian:1", "debian:1"),
            ("localhost/x:1", "localhost/x:1", "localhost/x:1"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest", "127.0.0.1:5000/a/b:latest"),
            ("[::1]:5000/a:t", "[::1]:5000/a:t", "[::1]:5000/a:t"),
            ("ghcr.io/o/n-a__m.e:V1.0", "ghcr.io/o/n-a__m.e:V1.0", "ghcr.io/o/n-a__m.e:V1.0"),
            (&format!("debian@{digest}"), &format!("docker.io/library/debian@{digest}"), &format!("debian@{digest}")),
        ] {
            let reference = Reference::parse(text).expect(text);
            assert_eq!(reference.to_string(), full);
            assert_eq!(reference.familiar(), familiar);
            assert_eq!(Reference::parse(full).as_ref(), Ok(&reference));
            assert_eq!(Reference::parse(familiar).as_ref(), Ok(&reference));
        }
    }

    #[test]
    fn refused() {
        let long = "a".repeat(129);
        for text in [
            "",
            ":",
            "a:",
            "Debian",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "-a",
            "a@sha256:00",
            "a:b c",
            "../x",
            "a/../b",
            &format!("a:{long}"),
            "a@",
            "http://x/y",
            "x_y.z/..",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}
