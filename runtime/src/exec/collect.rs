//! What a container writes, read as it comes.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::container::Stream;

/// What is kept of a stream; of more, the end.
const KEPT: usize = 16 << 20;

/// The two streams of a running container and what came out of them so far.
#[derive(Debug)]
pub(crate) struct Streams {
    open: Vec<(Stream, File)>,
}

/// Bytes of both streams.
#[derive(Debug, Default, Clone)]
pub(crate) struct Captured {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pending: [Vec<u8>; 2],
    closed: bool,
}

impl Captured {
    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let kept = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        kept.extend_from_slice(bytes);
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }

    /// Cuts what came into lines.
    fn lines(&mut self, stream: Stream, bytes: &[u8], line: &mut dyn FnMut(Stream, &[u8])) {
        let pending = &mut self.pending[stream as usize];
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if pending.is_empty() {
                line(stream, &rest[..end]);
            } else {
                pending.extend_from_slice(&rest[..end]);
                line(stream, pending);
                pending.clear();
            }
            rest = &rest[end + 1..];
        }
        pending.extend_from_slice(rest);
        // A "line" without end is told in pieces.
        if pending.len() > KEPT {
            line(stream, pending);
            pending.clear();
        }
    }

    fn last_lines(&mut self, line: &mut dyn FnMut(Stream, &[u8])) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(&mut self.pending[stream as usize]);
            if !rest.is_empty() {
                line(stream, &rest);
            }
        }
    }
}

impl Streams {
    pub(crate) fn new(stdout: Option<OwnedFd>, stderr: Option<OwnedFd>) -> Self {
        let stdout = stdout.map(|fd| (Stream::Stdout, File::from(fd)));
        let stderr = stderr.map(|fd| (Stream::Stderr, File::from(fd)));
        Self { open: stdout.into_iter().chain(stderr).collect() }
    }

    /// Reads on this thread until `process` ends or `deadline` is over; says whether the process ended. Everything in a container
    /// is dead when its process 1 is, so what is in the pipes then is all there will be.
    pub(crate) fn read_until_end(
        &mut self,
        process: &OwnedFd,
        deadline: Option<Instant>,
        captured: &mut Captured,
        line: &mut dyn FnMut(Stream, &[u8]),
    ) -> nix::Result<bool> {
        let ended = loop {
            let mut fds = vec![PollFd::new(process.as_fd(), PollFlags::POLLIN)];
            fds.extend(self.open.iter().map(|(_, file)| PollFd::new(file.as_fd(), PollFlags::POLLIN)));
            let timeout = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => PollTimeout::NONE,
                Some(Duration::ZERO) => break false,
                Some(left) => PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
            };
            match poll(&mut fds, timeout) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
            drop(fds);
            self.read_ready(&ready[1..], captured, line);
            if ready[0] {
                break true;
            }
        };
        if ended {
            // Without blocking: a descriptor may have been handed out of the container.
            while !self.open.is_empty() {
                let mut fds: Vec<PollFd<'_>> =
                    self.open.iter().map(|(_, file)| PollFd::new(file.as_fd(), PollFlags::POLLIN)).collect();
                if poll(&mut fds, PollTimeout::ZERO).unwrap_or(0) == 0 {
                    break;
                }
                let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
                drop(fds);
                self.read_ready(&ready, captured, line);
            }
            captured.last_lines(line);
        }
        Ok(ended)
    }

    fn read_ready(&mut self, ready: &[bool], captured: &mut Captured, line: &mut dyn FnMut(Stream, &[u8])) {
        let mut buffer = [0; 64 * 1024];
        let mut index = 0;
        self.open.retain_mut(|(stream, file)| {
            let is_ready = ready.get(index).copied().unwrap_or(false);
            index += 1;
            if !is_ready {
                return true;
            }
            match file.read(&mut buffer) {
                Ok(0) => false,
                Ok(read) => {
                    captured.take(*stream, &buffer[..read]);
                    captured.lines(*stream, &buffer[..read], line);
                    true
                }
                Err(error) => error.kind() == ErrorKind::Interrupted,
            }
        });
    }
}

/// Streams that a thread of their own reads while the container is asked questions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Background {
    shared: Arc<(Mutex<Captured>, Condvar)>,
}

impl Background {
    pub(crate) fn start(streams: Streams) -> Self {
        let background = Self::default();
        if streams.open.is_empty() {
            background.lock().closed = true;
            return background;
        }
        let shared = Arc::clone(&background.shared);
        let mut streams = streams;
        std::thread::spawn(move || {
            while !streams.open.is_empty() {
                let mut fds: Vec<PollFd<'_>> =
                    streams.open.iter().map(|(_, file)| PollFd::new(file.as_fd(), PollFlags::POLLIN)).collect();
                if poll(&mut fds, PollTimeout::NONE).is_err() {
                    continue;
                }
                let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
                drop(fds);
                let mut captured = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                streams.read_ready(&ready, &mut captured, &mut |_, _| {});
                captured.pending.iter_mut().for_each(Vec::clear);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
            shared.1.notify_all();
        });
        background
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was written so far.
    pub(crate) fn so_far(&self) -> Captured {
        self.lock().clone()
    }

    /// Everything, once the container has ended.
    pub(crate) fn finish(&self) -> Captured {
        let captured = self.lock();
        let (captured, _) = self
            .shared
            .1
            .wait_timeout_while(captured, Duration::from_secs(2), |captured| !captured.closed)
            .unwrap_or_else(PoisonError::into_inner);
        captured.clone()
    }
}
