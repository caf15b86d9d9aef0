//! The user's terminal connected to a container's.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::{Container, ExecError, Outcome, SetupStep, pty, sys};

/// Milliseconds between two looks at the size of the user's terminal.
const LOOK: u8 = 250;

/// Puts a terminal back as it was.
struct Raw<'a> {
    terminal: &'a io::Stdin,
    before: Termios,
}

impl<'a> Raw<'a> {
    /// Every key goes to the container, Ctrl-C among them. `None` when standard input is no terminal.
    fn new(terminal: &'a io::Stdin) -> Option<Self> {
        let before = tcgetattr(terminal).ok()?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(terminal, SetArg::TCSANOW, &raw).ok()?;
        Some(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}

/// Connects the user's terminal to a container's until that ends.
pub(super) fn attach(container: &mut Container, master: &OwnedFd) -> Result<Outcome, ExecError> {
    carry(master)?;
    container.wait()
}

/// A terminal that a program in a container is going to have.
#[derive(Debug)]
pub struct Terminal(OwnedFd);

/// A socket for whoever starts the program, and the terminal that it then gets.
pub fn open_terminal() -> Result<(Terminal, OwnedFd), ExecError> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .map_err(|errno| ExecError::new(SetupStep::Terminal, "a socket", errno))?;
    Ok((Terminal(ours), theirs))
}

impl Terminal {
    /// Connects the user's terminal to it until nobody has the program's side open any more. Nothing happens where the program
    /// was never started.
    pub fn attach(&self) -> Result<(), ExecError> {
        match pty::receive(&self.0) {
            Ok(master) => {
                if let Some(size) = sys::window_size(&io::stdin().as_fd()) {
                    sys::set_window_size(&master.as_fd(), size);
                }
                // It waits for this, if it has not ended.
                let _ = nix::unistd::write(&self.0, b"s");
                carry(&master)
            }
            Err(Errno::EBADMSG) => Ok(()),
            Err(errno) => Err(ExecError::new(SetupStep::Terminal, "/dev/pts", errno)),
        }
    }
}

/// Carries standard input, standard output and the size of the user's terminal to and from another one, until the last process
/// that has it open ends.
fn carry(master: &OwnedFd) -> Result<(), ExecError> {
    let failed = |error: io::Error| ExecError::io(SetupStep::Terminal, "the terminal", &error);
    let stdin = io::stdin();
    let _raw = Raw::new(&stdin);
    let mut size = None;
    let mut terminal = File::from(master.try_clone().map_err(failed)?);
    let mut typing = true;
    let mut buffer = [0; 16 << 10];
    loop {
        // A signal would tell of a new size, but to any thread: a look now and then is enough.
        let now = sys::window_size(&stdin.as_fd());
        if let Some(now) = now.filter(|now| size != Some((now.ws_row, now.ws_col))) {
            size = Some((now.ws_row, now.ws_col));
            sys::set_window_size(&master.as_fd(), now);
        }
        let mut fds = vec![PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        if typing {
            fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
        }
        if poll(&mut fds, LOOK).is_err() {
            continue;
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        if ready.get(1) == Some(&true) {
            let read = nix::unistd::read(&stdin, &mut buffer).unwrap_or(0);
            // The end of input is a key too: Ctrl-D.
            let typed = if read == 0 { &[4][..] } else { &buffer[..read] };
            typing = read > 0 && terminal.write_all(typed).is_ok();
            if read == 0 {
                let _ = terminal.write_all(typed);
            }
        }
        if ready[0] {
            match terminal.read(&mut buffer) {
                Ok(read) if read > 0 => {
                    let mut stdout = io::stdout().lock();
                    let _ = stdout.write_all(&buffer[..read]).and_then(|()| stdout.flush());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // EIO: the last process with the terminal open has ended.
                Ok(_) | Err(_) => return Ok(()),
            }
        }
    }
}
