//! Registries: pull and push by the OCI distribution protocol.
//!
//! What a registry says is believed only when digest and size agree. A connection that breaks is taken up where it broke.

mod auth;
mod client;
mod credentials;
mod error;
mod login;
mod pull;
mod push;

use crate::digest::Digest;

pub use client::Registry;
pub use error::RegistryError;
pub use login::{Keeper, login, logout};
pub use pull::{PullOptions, exists, pull, pull_unnamed};
pub use push::{PushOptions, Pushed, push};

/// Told how far blobs are. Called from several threads.
pub trait Progress: Sync {
    /// So much of a blob has been moved.
    fn moved(&self, blob: &Digest, done: u64, total: u64);
    /// A blob was there already.
    fn present(&self, _blob: &Digest, _size: u64) {}
}

impl Progress for () {
    fn moved(&self, _: &Digest, _: u64, _: u64) {}
}

#[cfg(test)]
mod tests;
