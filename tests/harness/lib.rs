//! What the end-to-end tests share: the built command, stores and contexts that vanish with the test, an account
//! that is not root, and a way to say that a test could not be run here.

mod account;
mod archive;
mod command;
mod git;
mod http;
mod needs;
mod net;
mod registry;
mod web;
mod world;

pub use account::Account;
pub use archive::{Archive, Item, item, noise};
pub use command::{Outcome, binary};
pub use git::{GitServer, git};
pub use needs::{skipped, subordinate_ids, tool, user_namespaces};
pub use net::network;
pub use registry::Registry;
pub use web::{Page, Web};
pub use world::World;

use std::path::{Path, PathBuf};

/// The top folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate has a parent folder")
}

/// A folder or file under `fixtures`.
pub fn fixture(path: &str) -> PathBuf {
    repository().join("fixtures").join(path)
}

/// Ends the test here and says why: libtest knows no such thing, so the reason is printed past its capture, and
/// kept in the file that `PLIMSOLL_SKIPS` names so that `scripts/test` can repeat and count it.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::skipped(&format!($($reason)*));
        return;
    }};
}

/// [`World::with_busybox`]; the test is skipped where that is not to be had.
#[macro_export]
macro_rules! busybox {
    () => {
        match $crate::World::with_busybox() {
            Ok(world) => world,
            Err(reason) => $crate::skip!("{reason}"),
        }
    };
}
