//! Mounts are taken away behind the builder's back: the kernel waits for a grace period each time, which is longer than
//! everything else a step needs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::mount::Mount;
use crate::store::Scratch;

/// Removals that may be under way at once.
const AT_ONCE: usize = 32;

/// Removals under way. All are done when this has been dropped.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    under_way: Mutex<Vec<JoinHandle<()>>>,
    /// Without threads.
    here: AtomicBool,
}

impl Reaper {
    /// Waits for all of them.
    pub(super) fn settle(&self) {
        let under_way = std::mem::take(&mut *self.under_way.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in under_way {
            let _ = thread.join();
        }
    }

    /// From now on nothing is done in threads.
    pub(super) fn stay_here(&self) {
        self.here.store(true, Ordering::Relaxed);
    }

    /// Does this in a thread, or at once when there can be none: what `work` owns is undone by its being dropped.
    fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        let thread = Builder::new().name("unmount".to_owned()).stack_size(1 << 20).spawn(work);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|thread| !thread.is_finished());
        under_way.extend(thread.ok());
        if under_way.len() > AT_ONCE {
            let _ = under_way.remove(0).join();
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.settle();
    }
}

/// A directory and what is mounted in it; both go when this is dropped, the mount first.
#[derive(Debug)]
pub(super) struct Mounted {
    reaper: Arc<Reaper>,
    mount: Option<Mount>,
    scratch: Option<Scratch>,
    /// The thread that takes the mount away and waits for the directory.
    leaving: Option<Sender<Scratch>>,
}

impl Mounted {
    pub(super) fn new(reaper: &Arc<Reaper>, mount: Option<Mount>, scratch: Scratch) -> Mounted {
        Mounted { reaper: Arc::clone(reaper), mount, scratch: Some(scratch), leaving: None }
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        self.scratch.as_ref().map_or(Path::new("/nonexistent"), Scratch::path)
    }

    /// Begins to take the mount away; the directory stays until this is dropped.
    pub(super) fn unmount(&mut self) {
        let Some(mount) = self.mount.take() else { return };
        if self.reaper.here.load(Ordering::Relaxed) {
            return drop(mount);
        }
        let (sender, receiver) = channel::<Scratch>();
        self.leaving = Some(sender);
        self.reaper.spawn(move || {
            drop(mount);
            drop(receiver.recv());
        });
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.unmount();
        if let (Some(leaving), Some(scratch)) = (&self.leaving, self.scratch.take()) {
            // Where no thread took it, it comes back and goes here.
            drop(leaving.send(scratch));
        }
    }
}
