//! ADD of a git repository: the commit is found first, and its files are fetched only when no layer is known for it.

use base64::Engine;

use super::gather::{GatherError, Source, Taking, gather};
use super::{BuildError, Builder, Place, Result, Secret};
use crate::git::{self, Access, Commit, GitRef};
use crate::plan::CopyAction;
use crate::rootfs::{DirTree, Node, NodeKind};
use crate::store::Scratch;

/// A repository and the commit of it that is added.
#[derive(Debug)]
pub(super) struct Wanted {
    url: String,
    reference: GitRef,
    keep_git_dir: bool,
    access: Access,
    pub(super) commit: Commit,
}

/// A commit's files.
#[derive(Debug)]
pub(super) struct Checkout {
    pub(super) tree: DirTree,
    pub(super) source: Source,
    _scratch: Scratch,
}

impl Builder<'_> {
    /// The commit that an address of ADD means now.
    pub(super) fn repository(
        &self,
        url: &str,
        parsed: Result<GitRef, String>,
        action: &CopyAction,
        place: &Place,
    ) -> Result<Wanted> {
        let fail = |reason: String| fetch_error(url, reason, place);
        let mut reference = parsed.map_err(fail)?;
        if let Some(sum) = &action.checksum {
            git::check_sum(sum).map_err(|why| fail(format!("--checksum: {why}")))?;
            if reference.checksum.as_ref().is_some_and(|other| !other.starts_with(sum) && !sum.starts_with(other)) {
                return Err(fail(format!("--checksum={sum} contradicts the address")));
            }
            reference.checksum = Some(sum.clone());
        }
        let keep_git_dir = action.keep_git_dir || reference.keep_git_dir == Some(true);
        let access = self.git_access(&reference.remote);
        let scratch = self.store.scratch()?;
        let commit = git::resolve(&reference, &access, scratch.path()).map_err(fail)?;
        Ok(Wanted { url: url.to_owned(), reference, keep_git_dir, access, commit })
    }

    /// Its files on disk, every one owned by root, with the modes git knows and the commit's time.
    pub(super) fn checkout(&self, wanted: &Wanted, action: &CopyAction, place: &Place) -> Result<Checkout> {
        let fail = |reason: String| fetch_error(&wanted.url, reason, place);
        let io = |error: std::io::Error| fetch_error(&wanted.url, error.to_string(), place);
        let scratch = self.store.scratch()?;
        let directory = scratch.path().join("tree");
        std::fs::create_dir(&directory).map_err(io)?;
        let made = git::checkout(&wanted.reference, &wanted.commit, wanted.keep_git_dir, &wanted.access, &directory)
            .map_err(fail)?;
        let tree = DirTree::open(&directory).map_err(io)?;
        let subdir = wanted.reference.subdir.as_deref().unwrap_or("").trim_matches('/');
        let taking = Taking { exclude: &action.exclude, parents: false };
        let literal = super::run::literal(subdir);
        let found = gather(&tree, &literal, &taking).map_err(|error| match error {
            GatherError::NotFound { .. } => fail(format!("commit {} has no {subdir}", wanted.commit.id)),
            GatherError::Io { path, source } => fail(format!("{}: {source}", path.display())),
            GatherError::Pattern(why) => fail(format!("--exclude: {why}")),
        })?;
        let Some(mut source) = found.into_iter().next().filter(|source| source.node.is_dir()) else {
            return Err(fail(format!("{subdir} of commit {} is no directory", wanted.commit.id)));
        };
        let set = |node: &mut Node| {
            node.mtime = (made.time, 0);
            node.mode = match node.kind {
                NodeKind::File if node.mode & 0o100 == 0 => 0o644,
                NodeKind::Symlink => 0o777,
                _ => 0o755,
            };
        };
        set(&mut source.node);
        source.below.iter_mut().for_each(|below| set(&mut below.node));
        Ok(Checkout { tree, source, _scratch: scratch })
    }

    /// What a fetch may use: the agent given as `default`, and the secrets that docker knows for this.
    fn git_access(&self, remote: &str) -> Access {
        let host = host(remote);
        let secret = |name: &str| {
            let secrets = &self.options.secrets;
            let found = secrets.get(&format!("{name}.{host}")).or_else(|| secrets.get(name))?;
            let bytes = match found {
                Secret::Value(bytes) => bytes.clone(),
                Secret::File(path) => std::fs::read(path).ok()?,
            };
            Some(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        let token = |token: String| {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
            format!("basic {pair}")
        };
        Access {
            agent: self.options.ssh.get("default").cloned(),
            ca_bundle: self.options.ca_bundle.clone(),
            authorization: secret("GIT_AUTH_HEADER").or_else(|| secret("GIT_AUTH_TOKEN").map(token)),
        }
    }
}

/// The host of an address, without user and port.
fn host(remote: &str) -> &str {
    let rest = remote.split_once("://").map_or(remote, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    rest.split(':').next().unwrap_or_default()
}

fn fetch_error(url: &str, reason: String, place: &Place) -> BuildError {
    BuildError::Fetch { place: Box::new(place.clone()), url: mask(url), reason }
}

/// The address without a password in it.
fn mask(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let login = rest.split('/').next().and_then(|place| place.rsplit_once('@')).map(|(login, _)| login);
    match login.and_then(|login| Some((login, login.split_once(':')?.0))) {
        Some((login, user)) => format!("{scheme}://{user}:***{}", rest.get(login.len()..).unwrap_or_default()),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_is_not_repeated() {
        assert_eq!(super::mask("https://me:pw@h/r.git#x"), "https://me:***@h/r.git#x");
        assert_eq!(super::mask("https://me@h/r.git"), "https://me@h/r.git");
        assert_eq!(super::host("ssh://git@h:22/r.git"), "h");
        assert_eq!(super::host("git@h:o/r"), "h");
    }
}
