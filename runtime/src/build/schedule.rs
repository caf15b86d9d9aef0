//! Stages that need nothing of each other are built at the same time.
//!
//! Which stage runs beside which changes nothing in the result: each sees only what it names, and reports are put in the
//! order of the file.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{BuildError, Builder, Finished, Result, StepReport};
use crate::exec::Stop;

/// What is done, what is being done and what stopped it.
#[derive(Default)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Condvar,
    /// Ends the processes of the other stages when one fails.
    pub(super) stop: Arc<Stop>,
}

#[derive(Default)]
struct State {
    /// The latest in the file first.
    waiting: Vec<usize>,
    running: BTreeSet<usize>,
    finished: HashMap<usize, Arc<Finished>>,
    steps: HashMap<usize, Vec<StepReport>>,
    failed: Option<BuildError>,
}

/// A lock; where its holder panicked, that panic ends the build.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// A stage that is finished; one that is still to come is waited for.
    pub(super) fn finished(&self, index: usize) -> Option<Arc<Finished>> {
        let mut state = locked(&self.state);
        loop {
            if let Some(found) = state.finished.get(&index) {
                return Some(Arc::clone(found));
            }
            let coming = state.running.contains(&index) || state.waiting.contains(&index);
            if !coming || state.failed.is_some() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes down what became of a stage.
    fn settle(&self, index: usize, built: Result<Finished>, steps: Vec<StepReport>) -> MutexGuard<'_, State> {
        let mut state = locked(&self.state);
        state.running.remove(&index);
        state.steps.insert(index, steps);
        match built {
            Ok(finished) => drop(state.finished.insert(index, Arc::new(finished))),
            // What was ended because another stage failed has nothing to say of its own.
            Err(_) if state.failed.is_some() => {}
            Err(error) => {
                state.failed = Some(error);
                self.stop.stop();
            }
        }
        self.changed.notify_all();
        state
    }

    /// Whether nobody builds this stage or is going to; whoever asks is then the one who does.
    fn claim(&self, index: usize) -> bool {
        let mut state = locked(&self.state);
        let known = state.finished.contains_key(&index) || state.waiting.contains(&index);
        !known && state.running.insert(index)
    }

    /// What was done, in the order of the file.
    pub(super) fn reports(&self) -> Vec<StepReport> {
        let mut steps: Vec<_> = std::mem::take(&mut locked(&self.state).steps).into_iter().collect();
        steps.sort_unstable_by_key(|(index, _)| *index);
        steps.into_iter().flat_map(|(_, steps)| steps).collect()
    }
}

impl Builder<'_> {
    /// Builds these stages, as many at a time as there are processors.
    pub(super) fn stages(&self, needed: &[usize]) -> Result<()> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = processors.min(self.widest(needed));
        let mut waiting = needed.to_vec();
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        locked(&self.board.state).waiting = waiting;
        std::thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(|| self.work());
            }
            self.work();
        });
        locked(&self.board.state).failed.take().map_or(Ok(()), Err)
    }

    /// More of these stages than this are never built at the same time.
    fn widest(&self, needed: &[usize]) -> usize {
        let mut sorted = needed.to_vec();
        sorted.sort_unstable();
        let mut depths: HashMap<usize, usize> = HashMap::new();
        for index in sorted {
            let below = self.uses(index).iter().filter_map(|used| depths.get(used)).max();
            let depth = below.map_or(1, |depth| depth + 1);
            depths.insert(index, depth);
        }
        // The longest chain is built one after the other.
        let chain = depths.values().max().copied().unwrap_or(1);
        needed.len() + 1 - chain
    }

    fn work(&self) {
        let mut state = locked(&self.board.state);
        while state.failed.is_none() && !state.waiting.is_empty() {
            // The earliest first: what has to wait is always later in the file.
            let ready = |index: &usize| self.uses(*index).iter().all(|used| state.finished.contains_key(used));
            let Some(at) = state.waiting.iter().rposition(ready) else {
                if state.running.is_empty() {
                    return;
                }
                state = self.board.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let index = state.waiting.remove(at);
            state.running.insert(index);
            drop(state);
            let mut steps = Vec::new();
            let built = self.stage(index, &mut steps);
            state = self.board.settle(index, built, steps);
        }
    }

    /// A stage that only a trigger of a base names, so that nobody knew it to be needed: built here and now. Nothing when the
    /// build has failed.
    pub(super) fn late(&self, index: usize) -> Option<Arc<Finished>> {
        for index in self.needed(index) {
            if self.board.claim(index) {
                let begun = self.step_begun();
                let mut steps = Vec::new();
                let built = self.stage(index, &mut steps);
                drop(self.board.settle(index, built, steps));
                self.begin_step(begun);
            }
        }
        self.board.finished(index)
    }
}
