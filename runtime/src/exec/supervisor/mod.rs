//! Ownership in a user namespace of one ID.
//!
//! The kernel knows one owner there. A filter hands the calls that ask for owners, change them or make files to a thread of this
//! process, which answers as if there were all IDs: it remembers who each process became (in a limit that the kernel hands on
//! to children and no longer uses), notes owners beside the files (see `owners`), and fills them in where a process asks.
//!
//! Nothing is protected by it: every process here may do what the one ID may do. So an answer that rests on memory which the
//! process could change meanwhile deceives nobody but that process. What a call does to files is done by this thread inside the
//! container's own mounts, on descriptors, or by the kernel for the process itself; a path is never looked up outside.

mod caller;
mod credentials;
mod files;
mod identity;
mod kernel;
mod program;

use std::fs::File;
use std::io::{IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use nix::sys::stat::{Mode, fstat, umask};
use nix::unistd::{fchdir, pipe2};

use super::{ExecError, SetupStep, User, pty};
use caller::Caller;
use credentials::Credentials;
use kernel::{Answer, Call};

pub(crate) use kernel::listen;

/// Answers the calls of one container, or of one process that joined it, until it has ended or this is dropped.
#[derive(Debug)]
pub(crate) struct Supervisor {
    thread: Option<JoinHandle<()>>,
    /// Closed to end the thread.
    stop: Option<OwnedFd>,
}

impl Supervisor {
    /// Starts to wait for the filter's other end, which the child sends over the socket that is handed back. `upper` is where
    /// the layer of what is written to the root arises.
    pub(crate) fn start(user: &User, upper: Option<&Path>) -> Result<(Self, OwnedFd), ExecError> {
        let failed = |what: &'static str| move |errno| ExecError::new(SetupStep::Supervisor, what, errno);
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
            .map_err(failed("a socket"))?;
        let (stopped, stop) = pipe2(OFlag::O_CLOEXEC).map_err(failed("a pipe"))?;
        let path = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let proc = open("/proc", path, Mode::empty()).map_err(failed("/proc"))?;
        let upper = match upper {
            Some(upper) => Some(
                open(upper, path, Mode::empty())
                    .map_err(|errno| ExecError::new(SetupStep::Supervisor, upper, errno))?,
            ),
            None => None,
        };
        let first = Credentials::new(user.uid, user.gid, user.groups.clone());
        let thread = std::thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || {
                if let Ok(listener) = pty::receive(&ours) {
                    let world = World { listener, proc, upper, root: None, credentials: vec![first] };
                    world.serve(&stopped);
                }
            })
            .map_err(|error| ExecError::io(SetupStep::Supervisor, "a thread", &error))?;
        Ok((Self { thread: Some(thread), stop: Some(stop) }, theirs))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The child's part: installs the filter and hands its other end to the supervisor.
pub(crate) fn submit(socket: &OwnedFd) -> Result<(), Errno> {
    let listener = listen(&super::seccomp::notifying())?;
    let descriptors = [listener.as_raw_fd()];
    let message = [ControlMessage::ScmRights(&descriptors)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(b"l")], &message, MsgFlags::empty(), None).map(drop)
}

/// What the supervising thread knows.
struct World {
    listener: OwnedFd,
    /// `/proc` of this program, which is out of sight once the thread is among the container's mounts.
    proc: OwnedFd,
    upper: Option<OwnedFd>,
    /// The filesystem of the container's root, once it was entered.
    root: Option<libc::dev_t>,
    /// Who processes became; the first is who they are at first.
    credentials: Vec<Credentials>,
}

impl World {
    fn serve(mut self, stopped: &OwnedFd) {
        kernel::switch_directly(&self.listener);
        loop {
            let mut waiting = [
                PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut waiting, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            let [calls, stop] = waiting.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
            if calls.contains(PollFlags::POLLIN) {
                // One that gave up waiting is none.
                let Ok(call) = kernel::receive(&self.listener) else { continue };
                let answer = self.answer(&call);
                kernel::respond(&self.listener, call.id, answer);
            } else if !stop.is_empty() || !calls.is_empty() {
                return;
            }
        }
    }

    fn answer(&mut self, call: &Call) -> Answer {
        if let Some(answer) = identity::answer(self, call) {
            return answer;
        }
        if self.root.is_none() && self.enter(call.pid).is_err() {
            return Answer::Continue;
        }
        if let libc::SYS_execve | libc::SYS_execveat = call.number {
            // Whatever becomes of it, the kernel carries it out.
            if let Some(who) = program::taken_over(&Caller { world: self, call }) {
                let _ = self.become_somebody(call.pid, who);
            }
            return Answer::Continue;
        }
        files::answer(&Caller { world: self, call })
    }

    /// Goes among the mounts of the container, and stays: this thread looks up paths as its processes do.
    fn enter(&mut self, pid: i32) -> Result<(), Errno> {
        unshare(CloneFlags::CLONE_FS)?;
        let read = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let descriptors = openat(&self.proc, "self/fd", read | OFlag::O_DIRECTORY, Mode::empty())?;
        let mounts = openat(&self.proc, format!("{pid}/ns/mnt").as_str(), read, Mode::empty())?;
        setns(mounts, CloneFlags::CLONE_NEWNS)?;
        let root = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        self.root = Some(fstat(&root)?.st_dev);
        // Here a file that is open has a short name.
        fchdir(&descriptors)?;
        umask(Mode::empty());
        Ok(())
    }

    /// Who this process is.
    fn who(&self, pid: i32) -> &Credentials {
        let mark = kernel::mark(pid).and_then(|mark| usize::try_from(mark).ok());
        mark.and_then(|mark| self.credentials.get(mark)).unwrap_or(&self.credentials[0])
    }

    /// Makes the process somebody.
    fn become_somebody(&mut self, pid: i32, who: Credentials) -> Result<(), Errno> {
        let known = self.credentials.iter().position(|known| *known == who);
        let mark = known.unwrap_or(self.credentials.len());
        kernel::set_mark(pid, mark as u64)?;
        if known.is_none() {
            self.credentials.push(who);
        }
        Ok(())
    }

    fn read_proc(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let file = openat(&self.proc, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes).map_err(|_| Errno::EIO)?;
        Ok(bytes)
    }
}
