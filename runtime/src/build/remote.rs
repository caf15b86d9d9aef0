//! Contexts that are no folder: what comes on standard input or from an address.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::archive;
use crate::git::{self, Access};
use crate::store::{Scratch, Store};

/// A context that was fetched; its folder is gone when this is dropped.
#[derive(Debug)]
pub struct FetchedContext {
    path: PathBuf,
    dockerfile: Option<Vec<u8>>,
    _scratch: Scratch,
}

/// The largest context that is fetched.
const MAX_CONTEXT: u64 = 64 << 30;
/// The largest Dockerfile that comes in place of a context.
const MAX_DOCKERFILE: u64 = 16 << 20;

impl FetchedContext {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The Dockerfile, when that was all there was.
    #[must_use]
    pub fn dockerfile(&self) -> Option<&[u8]> {
        self.dockerfile.as_deref()
    }
}

/// Whether a context is an address and no path.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://") || git::parse(text).is_some()
}

/// A context from a stream: an archive, compressed or not, or else a Dockerfile without any files.
pub fn context_from(stream: impl Read, store: &Store) -> Result<FetchedContext, String> {
    let scratch = store.scratch().map_err(|error| error.to_string())?;
    let io = |error: io::Error| error.to_string();
    let path = scratch.path().join("context");
    std::fs::create_dir(&path).map_err(io)?;
    let spool = scratch.path().join("spool");
    let mut file = File::options().read(true).write(true).create_new(true).open(spool).map_err(io)?;
    let size = io::copy(&mut stream.take(MAX_CONTEXT + 1), &mut file).map_err(io)?;
    if size > MAX_CONTEXT {
        return Err(format!("it is larger than {MAX_CONTEXT} bytes"));
    }
    file.flush().map_err(io)?;
    let dockerfile = match archive::open(file.try_clone().map_err(io)?, store).map_err(io)? {
        Some(mut plain) => {
            plain.rewind().map_err(io)?;
            let mut archive = tar::Archive::new(plain);
            archive.set_preserve_permissions(true);
            archive.set_preserve_mtime(true);
            archive.unpack(&path).map_err(|error| {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                format!("the archive cannot be unpacked: {error}{}", cause.unwrap_or_default())
            })?;
            None
        }
        None if size > MAX_DOCKERFILE => return Err("it is no archive, and too large for a Dockerfile".to_owned()),
        None => {
            let mut text = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut text)).map_err(io)?;
            Some(text)
        }
    };
    Ok(FetchedContext { path, dockerfile, _scratch: scratch })
}

/// A context from an address: a git repository, an archive or a Dockerfile.
pub fn context_at(address: &str, access: &Access, store: &Store) -> Result<FetchedContext, String> {
    if let Some(parsed) = git::parse(address) {
        let wanted = parsed?;
        let scratch = store.scratch().map_err(|error| error.to_string())?;
        let tree = scratch.path().join("tree");
        std::fs::create_dir(&tree).map_err(|error| error.to_string())?;
        let commit = git::resolve(&wanted, access, &tree)?;
        git::checkout(&wanted, &commit, wanted.keep_git_dir == Some(true), access, &tree)?;
        let subdir = wanted.subdir.as_deref().unwrap_or("").trim_matches('/');
        let opened = crate::rootfs::DirTree::open(&tree).map_err(|error| error.to_string())?;
        let found = crate::rootfs::resolve(&opened, Path::new(subdir), true).map_err(|error| error.to_string())?;
        if !found.node.is_some_and(|node| node.is_dir()) {
            return Err(format!("the repository has no folder {subdir}"));
        }
        return Ok(FetchedContext { path: tree.join(found.path), dockerfile: None, _scratch: scratch });
    }
    let mut response = super::fetch::agent().get(address).call().map_err(|error| error.to_string())?;
    context_from(response.body_mut().as_reader(), store)
}
