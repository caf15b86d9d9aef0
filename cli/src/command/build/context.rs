//! Where the files of a build come from.

use crate::command::build_args::BuildArgs;
use crate::{Global, files, place};
use miette::{Result, miette};
use plimsoll_runtime::build::{FetchedContext, context_at, context_from, is_address};
use plimsoll_runtime::git::Access;
use std::path::{Path, PathBuf};

/// A context, as long as it is needed.
pub enum Opened {
    /// A folder of the user.
    Folder(PathBuf),
    /// Something that was fetched into one.
    Fetched(FetchedContext),
}

impl Opened {
    /// The folder.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) => path,
            Self::Fetched(fetched) => fetched.path(),
        }
    }

    /// The Dockerfile, where that was all that came.
    pub fn dockerfile(&self) -> Option<&[u8]> {
        match self {
            Self::Folder(_) => None,
            Self::Fetched(fetched) => fetched.dockerfile(),
        }
    }
}

/// Opens what the command line names.
pub fn open(global: &Global, context: &str, dockerfile: Option<&Path>, args: &BuildArgs) -> Result<Opened> {
    let stdin = context == files::STDIN;
    if !stdin && !is_address(context) {
        return Ok(Opened::Folder(PathBuf::from(context)));
    }
    if stdin && dockerfile.is_some_and(|path| path.as_os_str() == files::STDIN) {
        return Err(miette!(
            help = "name a folder as the context, or leave -f out",
            "failed to build: the context and the Dockerfile cannot both be standard input"
        ));
    }
    let store = place::store(global)?;
    let fetched = if stdin {
        context_from(std::io::stdin().lock(), &store)
    } else {
        let access = Access { agent: args.agent(), ca_bundle: args.ca_bundle.clone(), authorization: None };
        context_at(context, &access, &store)
    };
    let fetched = fetched.map_err(|reason| {
        let name = if stdin { "standard input" } else { context };
        miette!(
            help = "a tar archive (compressed or not), a Dockerfile or the address of a git repository is expected",
            "failed to read the build context from {name}: {reason}"
        )
    })?;
    Ok(Opened::Fetched(fetched))
}
