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

/// `SIGTERM`, `TERM`, `15` or `SIGRTMIN+3`, as a number.
pub fn signal_named(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return Some(number).filter(|number| (1..=libc::SIGRTMAX()).contains(number));
    }
    let name = name.to_ascii_uppercase();
    let full = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    let real_time = match (full.strip_prefix("SIGRTMIN"), full.strip_prefix("SIGRTMAX")) {
        (Some(after), _) => Some((libc::SIGRTMIN(), after.strip_prefix('+'), 1, after)),
        (_, Some(before)) => Some((libc::SIGRTMAX(), before.strip_prefix('-'), -1, before)),
        _ => None,
    };
    if let Some((first, steps, direction, rest)) = real_time {
        let steps: u8 = if rest.is_empty() { 0 } else { steps?.parse().ok()? };
        let number = first + direction * i32::from(steps);
        return Some(number).filter(|number| (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(number));
    }
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
        assert_eq!(signal_named("SIGRTMIN+3"), Some(libc::SIGRTMIN() + 3));
        assert_eq!(signal_named("rtmax-1"), Some(libc::SIGRTMAX() - 1));
        for wrong in ["NOSUCH", "0", "65", "-9", "SIGRTMIN3", "SIGRTMIN+99"] {
            assert_eq!(signal_named(wrong), None, "{wrong}");
        }
    }
}
