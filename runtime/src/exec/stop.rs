//! Ending the processes of several threads at once.

use std::collections::HashMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::libc;
use nix::sys::signal::Signal;

use super::sys;

/// Ends every process that was started with it, now and from now on.
#[derive(Debug, Default)]
pub struct Stop {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    next: u64,
    watched: HashMap<u64, OwnedFd>,
}

/// A process that its [`Stop`] ends as long as this lives.
#[derive(Debug)]
pub(super) struct Watched {
    stop: Arc<Stop>,
    number: u64,
}

impl Stop {
    /// Kills what runs and what will be started.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        for process in state.watched.values() {
            // One that has just ended is what is wanted.
            let _ = sys::pidfd_send_signal(process, libc::SIGKILL);
        }
    }

    /// Whether it was asked for.
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(self: &Arc<Self>, process: BorrowedFd<'_>) -> std::io::Result<Watched> {
        let process = process.try_clone_to_owned()?;
        let mut state = self.state();
        if state.stopped {
            let _ = sys::pidfd_send_signal(&process, libc::SIGKILL);
        }
        let number = state.next;
        state.next += 1;
        state.watched.insert(number, process);
        Ok(Watched { stop: Arc::clone(self), number })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.state().watched.remove(&self.number);
    }
}

/// `SIGTERM`, `TERM` or `15`, as a number.
pub fn signal_named(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return Signal::try_from(number).ok().map(|signal| signal as i32);
    }
    let name = name.to_ascii_uppercase();
    let full = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    full.parse::<Signal>().ok().map(|signal| signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_signals() {
        for name in ["SIGINT", "INT", "int", "2"] {
            assert_eq!(signal_named(name), Some(libc::SIGINT));
        }
        assert_eq!(signal_named("NOSUCH"), None);
    }
}
