//! What the instructions of a file that was built wrote, for moves that take it further.

use plimsoll_optimizer::moves::{Made, MadeKind};
use plimsoll_runtime::build::{Built, StepReport};
use plimsoll_runtime::image::Layer;
use plimsoll_runtime::inspect::{EntryKind, read_index};
use plimsoll_runtime::layer::Limits;
use plimsoll_runtime::snapshot::Snapshots;
use plimsoll_runtime::store::Store;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A layer of more entries than this is a distribution, or nobody's product.
const MOST: usize = 20_000;

/// The layers of the steps that are taken so far.
pub(super) struct Layers {
    store: Store,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    dockerfile: String,
    steps: Vec<StepReport>,
    image: Vec<Layer>,
    known: BTreeMap<usize, Option<Vec<Made>>>,
}

impl Layers {
    /// Those of the original.
    pub(super) fn of(store: &Store, dockerfile: &str, built: &Built) -> Self {
        let layers = Self { store: store.clone(), state: RefCell::default() };
        layers.move_on(dockerfile, built);
        layers
    }

    /// A step was taken.
    pub(super) fn move_on(&self, dockerfile: &str, built: &Built) {
        *self.state.borrow_mut() = State {
            dockerfile: dockerfile.to_owned(),
            steps: built.steps.clone(),
            image: built.image.layers.clone(),
            known: BTreeMap::new(),
        };
    }

    /// What the instruction at this place of the file wrote into the image; nothing where it made no layer of it.
    pub(super) fn made(&self, index: usize) -> Option<Vec<Made>> {
        if let Some(known) = self.state.borrow().known.get(&index) {
            return known.clone();
        }
        let made = self.look(index);
        self.state.borrow_mut().known.insert(index, made.clone());
        made
    }

    fn look(&self, index: usize) -> Option<Vec<Made>> {
        let state = self.state.borrow();
        let file = plimsoll_parser::parse(&state.dockerfile);
        let range = file.instructions.get(index)?.range;
        let layer = state.steps.iter().find(|step| step.range == range)?.layer.as_ref()?;
        let at = state.image.iter().position(|other| other.chain_id == layer.chain_id)?;
        let below = state.image.get(..at).filter(|below| !below.is_empty())?;
        let bytes = self.store.open_sized(&layer.blob?).ok()?;
        let read = read_index(bytes, Limits::default()).ok().filter(|read| read.entries.len() <= MOST)?;
        let before = Snapshots::new(&self.store).ok()?.view(below).ok()?;
        let was_there = |path: &str| before.root().join(path).symlink_metadata().is_ok_and(|found| found.is_dir());
        let mut made: Vec<Made> = read
            .entries
            .iter()
            .map(|entry| {
                let kind = match entry.kind {
                    EntryKind::Directory if was_there(&entry.path) => MadeKind::Dir,
                    EntryKind::Directory => MadeKind::NewDir,
                    EntryKind::Symlink => MadeKind::Link,
                    _ => MadeKind::File,
                };
                Made { path: format!("/{}", entry.path), kind, owner: (entry.uid, entry.gid) }
            })
            .collect();
        made.extend(read.whiteouts.iter().map(|path| Made {
            path: format!("/{path}"),
            kind: MadeKind::Gone,
            owner: (0, 0),
        }));
        Some(made)
    }
}
