//! What stands beside a Dockerfile: listed once a folder, and only when a rule wants to know.

use plimsoll_analyzer::context::Listing;
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_runtime::context::Context;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A folder with more in it is looked at in part: linting one small file must not wait for a walk over everything.
const MOST_ENTRIES: usize = 50_000;
/// The same for slow disks.
const MOST_TIME: Duration = Duration::from_millis(250);

/// The folder that a build of some Dockerfiles would be given.
pub struct Folder {
    path: PathBuf,
    listing: OnceLock<Option<Listing>>,
    ignore: OnceLock<Option<Arc<Ignore>>>,
}

impl Folder {
    /// Nothing is read yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, listing: OnceLock::new(), ignore: OnceLock::new() }
    }

    /// What stands in it; nothing where it cannot be read.
    pub fn listing(&self) -> Option<&Listing> {
        let list = || Context::open(&self.path, None)?.listing_within(MOST_ENTRIES, MOST_TIME);
        self.listing.get_or_init(|| list().ok()).as_ref()
    }

    /// The ignore file that a build of `dockerfile` obeys: its own, or that of the folder.
    pub fn ignore(&self, dockerfile: &Path) -> Option<Arc<Ignore>> {
        let read = |path: &Path| Some(Arc::new(Ignore::parse(&std::fs::read_to_string(path).ok()?).0));
        let mut own = dockerfile.as_os_str().to_owned();
        own.push(".dockerignore");
        let shared = || self.ignore.get_or_init(|| read(&self.path.join(".dockerignore"))).clone();
        read(Path::new(&own)).or_else(shared)
    }
}
