//! Contexts with names: `--build-context`. A name stands for a folder or an image wherever a stage or an image could stand.

use std::path::{Path, PathBuf};

use super::copy::{Copying, copy};
use super::gather::{GatherError, Taking, digest, gather};
use super::upper::{EmptyTree, Upper};
use super::{BuildError, Builder, Place, Result};
use crate::context::Context;
use crate::image::{Image, ImageConfig, Layer, Platform};
use crate::plan::State;
use crate::reference::Reference;
use crate::snapshot::{CommitOptions, SnapshotError};

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum NamedContext {
    /// A folder, without what its `.dockerignore` leaves out.
    Directory(PathBuf),
    /// An image, by its reference.
    Image(String),
    /// An image that is in the store already.
    Loaded(Box<Image>),
}

impl Builder<'_> {
    fn named_context(&self, name: &str) -> Option<&NamedContext> {
        let full = |name: &str| Reference::parse(name).ok().map(|reference| reference.to_string());
        let contexts = &self.options.contexts;
        let same =
            |known: &&String| known.eq_ignore_ascii_case(name) || full(known).is_some_and(|k| Some(k) == full(name));
        contexts.keys().find(same).and_then(|known| contexts.get(known))
    }

    /// Whether a stage gives way to a context of its name.
    fn is_replaced(&self, stage: usize) -> bool {
        let name = self.stages.stages.get(stage).and_then(|stage| stage.name.as_deref());
        !self.options.contexts.is_empty() && name.is_some_and(|name| self.named_context(name).is_some())
    }

    /// The stages that the target needs and no named context stands for.
    pub(super) fn needed(&self, target: usize) -> Vec<usize> {
        if self.options.contexts.is_empty() {
            return self.stages.needed(target);
        }
        let mut found = Vec::new();
        let mut pending = vec![target];
        while let Some(index) = pending.pop() {
            if !found.contains(&index) {
                found.push(index);
                pending.extend(self.uses(index));
            }
        }
        found.sort_unstable();
        found
    }

    /// The stages that this one is built from.
    pub(super) fn uses(&self, index: usize) -> Vec<usize> {
        self.stages.before(index).filter(|used| !self.is_replaced(*used)).collect()
    }

    /// The configuration and the layers that a name stands for; nothing when no context has it.
    pub(super) fn named(
        &self,
        name: &str,
        platform: &Platform,
        place: &Place,
    ) -> Result<Option<(ImageConfig, Vec<Layer>)>> {
        if self.options.contexts.is_empty() {
            return Ok(None);
        }
        Ok(match self.named_context(name) {
            None => None,
            Some(NamedContext::Loaded(image)) => Some((image.config.clone(), image.layers.clone())),
            Some(NamedContext::Image(reference)) if reference == name => None,
            Some(NamedContext::Image(reference)) => {
                let image = self.image(reference, platform, place)?;
                Some((image.config, image.layers))
            }
            Some(NamedContext::Directory(path)) => {
                let layer = self.directory_layer(name, path, place)?;
                Some((State::scratch(&self.globals.platform).image, vec![layer]))
            }
        })
    }

    fn directory_layer(&self, name: &str, path: &Path, place: &Place) -> Result<Layer> {
        let unreadable = |path: PathBuf| move |source| BuildError::Context { path, source };
        let ignore = match std::fs::read(path.join(".dockerignore")) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(path.join(".dockerignore"))(error)),
        };
        let context = Context::open(path, ignore.as_deref()).map_err(unreadable(path.to_owned()))?;
        let gathering = |error: GatherError| match error {
            GatherError::Io { path: below, source } => unreadable(path.join(below))(source),
            GatherError::NotFound { .. } | GatherError::Pattern(_) => {
                unreadable(path.to_owned())(std::io::ErrorKind::NotFound.into())
            }
        };
        let found = gather(&context, "", &Taking { exclude: &[], parents: false }).map_err(gathering)?;
        let mut hasher = self.key(b"named context", &[]);
        digest(&context, &found, &self.digests, false, &mut hasher).map_err(gathering)?;
        let key = hasher.finish();
        if let Some(entry) = self.known(&key, true) {
            return Ok(super::above(&[], entry.layer));
        }
        let lower = EmptyTree;
        let mut upper = Upper::new(&lower, self.now());
        let copying = Copying { chown: None, chmod: None, keeps_owners: false };
        for source in &found {
            copy(&mut upper, &context, 0, source, "/", &copying).map_err(|error| BuildError::Copy {
                place: Box::new(place.clone()),
                path: error.path,
                reason: format!("{} of the context {name}", error.reason),
            })?;
        }
        let layer = self.snapshots.commit_tar(&[], &CommitOptions::default(), |writer| {
            upper.write(writer, &[&context], &[]).map_err(SnapshotError::from)
        });
        let layer = layer.map_err(|error| self.snapshot_error(error, place))?;
        Ok(self.keep(&key, layer)?.layer)
    }
}
