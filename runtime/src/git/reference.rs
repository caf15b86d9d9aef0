//! Addresses of git repositories as Dockerfiles and command lines write them.

/// A repository, and what of it is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitRef {
    /// The address without fragment and query, as git takes it.
    pub remote: String,
    /// Branch, tag, commit or full ref; the remote's HEAD when nothing.
    pub reference: Option<String>,
    /// The directory of the repository that is wanted.
    pub subdir: Option<String>,
    /// The commit that must be found, at least its first digits.
    pub checksum: Option<String>,
    /// Whether `.git` is kept, where the address says so.
    pub keep_git_dir: Option<bool>,
    /// Whether submodules are fetched.
    pub submodules: bool,
}

/// The fewest digits of a commit that name it.
const SHORTEST: usize = 7;

/// Reads an address: nothing when it is no git repository's, an error when it is one and is written wrongly.
pub fn parse(text: &str) -> Option<Result<GitRef, String>> {
    let (address, fragment) = match text.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (text, None),
    };
    let (address, query) = match address.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (address, None),
    };
    let lower = address.to_ascii_lowercase();
    let remote = if lower.starts_with("http://") || lower.starts_with("https://") {
        // Anything else there is a file to be fetched.
        address.ends_with(".git").then(|| address.to_owned())?
    } else if lower.starts_with("git://") || lower.starts_with("ssh://") || is_scp(address) {
        address.to_owned()
    } else {
        return None;
    };
    Some(read(remote, query, fragment))
}

/// `user@host:path`, the short form of ssh.
fn is_scp(address: &str) -> bool {
    let Some((login, path)) = address.split_once(':') else { return false };
    let Some((user, host)) = login.split_once('@') else { return false };
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    plain(user) && plain(host) && !path.is_empty() && !path.starts_with("//")
}

fn read(remote: String, query: Option<&str>, fragment: Option<&str>) -> Result<GitRef, String> {
    let mut found = GitRef { remote, submodules: true, ..GitRef::default() };
    if let Some(fragment) = fragment {
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        found.reference = filled(reference);
        found.subdir = filled(subdir);
    }
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).ok_or_else(|| format!("`{pair}` is not percent-encoded UTF-8"))?;
        match key {
            "ref" => once(&mut found.reference, value, key)?,
            "branch" => once(&mut found.reference, full("refs/heads/", &value), key)?,
            "tag" => once(&mut found.reference, full("refs/tags/", &value), key)?,
            "subdir" => once(&mut found.subdir, value, key)?,
            "checksum" | "commit" => once(&mut found.checksum, value, key)?,
            "keep-git-dir" => found.keep_git_dir = Some(boolean(key, &value)?),
            "submodules" => found.submodules = boolean(key, &value)?,
            _ => {
                return Err(format!(
                    "`{key}` is not known: ref, branch, tag, commit, checksum, subdir, keep-git-dir and submodules are"
                ));
            }
        }
    }
    if let Some(sum) = &found.checksum {
        check_sum(sum)?;
        // Without another word, the commit itself is what is wanted.
        if found.reference.is_none() && is_commit(sum) {
            found.reference = Some(sum.clone());
        }
    }
    if let Some(reference) = &found.reference
        && !is_plain_ref(reference)
    {
        return Err(format!("`{reference}` is no branch, tag or commit"));
    }
    Ok(found)
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn once(place: &mut Option<String>, value: String, key: &str) -> Result<(), String> {
    match place {
        Some(old) if *old != value => Err(format!("`{key}={value}` contradicts `{old}`")),
        _ if value.is_empty() => Err(format!("`{key}=` names nothing")),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn full(prefix: &str, name: &str) -> String {
    if name.is_empty() || name.starts_with(prefix) { name.to_owned() } else { format!("{prefix}{name}") }
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "" | "1" | "t" | "true" => Ok(true),
        "0" | "f" | "false" => Ok(false),
        _ => Err(format!("`{key}={value}` is neither true nor false")),
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let (high, low) = (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A name that git takes for nothing but a name of a ref: see `git check-ref-format`.
fn is_plain_ref(name: &str) -> bool {
    let bad = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    !name.starts_with(['-', '/'])
        && !name.ends_with(['/', '.'])
        && !name.ends_with(".lock")
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(bad)
}

/// Whether this is the whole name of a commit.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

/// Whether this can be the beginning of a commit's name.
pub fn check_sum(text: &str) -> Result<(), String> {
    let fine =
        (SHORTEST..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    if fine { Ok(()) } else { Err(format!("`{text}` is no commit: 40 or 64 digits are, or at least the first 7")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse(text) {
            None => "a file".to_owned(),
            Some(Err(error)) => error,
            Some(Ok(found)) => {
                let mut said = found.remote;
                for (name, value) in [("ref", found.reference), ("subdir", found.subdir), ("checksum", found.checksum)]
                {
                    if let Some(value) = value {
                        said.push_str(&format!(" {name}={value}"));
                    }
                }
                if let Some(kept) = found.keep_git_dir {
                    said.push_str(&format!(" keep={kept}"));
                }
                if !found.submodules {
                    said.push_str(" no-submodules");
                }
                said
            }
        }
    }

    #[test]
    fn addresses_of_repositories() {
        let commit = "0123456789012345678901234567890123456789";
        for (text, wanted) in [
            ("https://h/o/r.git", "https://h/o/r.git".to_owned()),
            ("https://h/o/r.git#v1:docs", "https://h/o/r.git ref=v1 subdir=docs".to_owned()),
            ("https://h/o/r.git#:docs/a", "https://h/o/r.git subdir=docs/a".to_owned()),
            (
                "http://h:8080/r.git?branch=main&subdir=a%20b",
                "http://h:8080/r.git ref=refs/heads/main subdir=a b".into(),
            ),
            (
                "https://h/r.git?tag=v1&submodules=0&keep-git-dir",
                "https://h/r.git ref=refs/tags/v1 keep=true no-submodules".into(),
            ),
            (&format!("https://h/r.git?commit={commit}"), format!("https://h/r.git ref={commit} checksum={commit}")),
            ("https://h/r.git?tag=v1&checksum=0123456", "https://h/r.git ref=refs/tags/v1 checksum=0123456".into()),
            ("git@github.com:o/r.git#main", "git@github.com:o/r.git ref=main".to_owned()),
            ("git@host:o/r", "git@host:o/r".to_owned()),
            ("git://h/r", "git://h/r".to_owned()),
            ("ssh://git@h:22/r.git", "ssh://git@h:22/r.git".to_owned()),
            ("https://h/r.tar.gz", "a file".to_owned()),
            ("https://h/r.git/file", "a file".to_owned()),
            ("./r.git", "a file".to_owned()),
            ("-oProxyCommand=x@h:r", "a file".to_owned()),
            ("r@-h:x", "a file".to_owned()),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn wrong_ones_are_told() {
        for (text, wanted) in [
            ("https://h/r.git?reff=x", "`reff` is not known"),
            ("https://h/r.git?tag=a&branch=b", "contradicts"),
            ("https://h/r.git?commit=xyz", "is no commit"),
            ("https://h/r.git?tag=", "names nothing"),
            ("https://h/r.git#--upload-pack=x", "is no branch"),
            ("https://h/r.git#a..b", "is no branch"),
            ("https://h/r.git?ref=a%2", "percent-encoded"),
            ("https://h/r.git?submodules=maybe", "neither true nor false"),
        ] {
            assert!(read(text).contains(wanted), "{text}: {}", read(text));
        }
    }
}
