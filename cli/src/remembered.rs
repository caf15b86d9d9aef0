//! Proofs of earlier runs: what was seen of an image, and how two compared, kept in the store beside the steps of builds.
//!
//! A proof is known again by everything that made it: the digests of both images and of every service's, the questions, the
//! configuration, the files shown to containers, the ID map and this program itself. So the same ladder climbed twice starts nothing.

use crate::config::Config;
use crate::services::Told;
use plimsoll_runtime::compare::behaviour::{Member, Observation};
use plimsoll_runtime::compare::{Allowed, Comparison};
use plimsoll_runtime::digest::Digest;
use plimsoll_runtime::exec::{Mount, MountKind};
use plimsoll_runtime::image::Image;
use plimsoll_runtime::probe::Question;
use plimsoll_runtime::store::Store;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Raised when what is compared, or how, changes.
const FORMAT: u32 = 1;

/// What was seen of an original: its two runs, and what was asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Original {
    pub questions: Vec<Question>,
    pub first: Observation,
    pub second: Observation,
}

/// The proofs of a store.
#[derive(Debug)]
pub struct Remembered {
    store: Store,
    /// Nothing is taken from earlier runs, though what is found is kept for later ones.
    fresh: bool,
    used: Cell<usize>,
}

impl Remembered {
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), fresh: false, used: Cell::new(0) }
    }

    /// Takes nothing from earlier runs.
    pub fn refuse(&mut self) {
        self.fresh = true;
    }

    /// How many comparisons were known from earlier runs.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Everything about a session but the image; nothing where part of it cannot be known again.
    pub fn circumstances(config: &Config, services: &[Told], members: &[&Member]) -> Option<Digest> {
        let mut text = format!("{FORMAT} {}", program()?);
        text.push_str(&std::fs::read_to_string("/proc/self/uid_map").ok()?);
        for mount in members.iter().flat_map(|member| &member.mounts) {
            text.push_str(&format!("{} {}\n", mount.target, content(mount)?));
        }
        let Config { probe, service, container, optimize, .. } = config;
        text.push_str(&format!("{probe:?}\n{service:?}\n{container:?}\n{:?}\n{services:?}", optimize.ready_timeout));
        Some(Digest::of(text.as_bytes()))
    }

    pub fn original(&self, circumstances: Option<&Digest>, image: &Image) -> Option<Original> {
        if self.fresh { None } else { self.store.cache_get(&original_key(circumstances?, image)) }
    }

    pub fn keep_original(&self, circumstances: Option<&Digest>, image: &Image, seen: &Original) {
        if let Some(circumstances) = circumstances {
            // One that cannot be kept is seen anew.
            let _ = self.store.cache_put(&original_key(circumstances, image), seen);
        }
    }

    pub fn comparison(&self, pair: Option<&Digest>) -> Option<Comparison> {
        let found = if self.fresh { None } else { self.store.cache_get(pair?) };
        if found.is_some() {
            self.used.set(self.used.get() + 1);
        }
        found
    }

    pub fn keep_comparison(&self, pair: Option<&Digest>, comparison: &Comparison) {
        if let Some(pair) = pair {
            let _ = self.store.cache_put(pair, comparison);
        }
    }
}

fn original_key(circumstances: &Digest, image: &Image) -> Digest {
    Digest::of(format!("proof of {} {circumstances}", image.manifest).as_bytes())
}

/// Under what a comparison is kept.
pub fn pair(circumstances: &Digest, original: &Image, changed: &Image, allowed: &Allowed) -> Digest {
    let (before, after) = (&original.manifest, &changed.manifest);
    Digest::of(format!("comparison of {before} {after} {circumstances} {allowed:?}").as_bytes())
}

/// This program: another build of it may compare otherwise.
fn program() -> Option<String> {
    let found = std::fs::metadata("/proc/self/exe").ok()?;
    Some(format!("{} {} {}.{}\n", env!("CARGO_PKG_VERSION"), found.size(), found.mtime(), found.mtime_nsec()))
}

/// What a mount shows, where that is a file.
fn content(mount: &Mount) -> Option<Digest> {
    match &mount.kind {
        MountKind::Bind { source, .. } if Path::is_file(source) => Some(Digest::of(&std::fs::read(source).ok()?)),
        _ => None,
    }
}
