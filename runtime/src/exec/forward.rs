//! `-p`: connections to a port of the host, carried into the container's network namespace in user space, rootless too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::AsFd;

use super::Container;

/// A forwarded port. Dropping it stops listening; connections that are open end with the container.
#[derive(Debug)]
pub struct Forwarder {
    address: SocketAddr,
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Forwarder {
    /// Listens on `host` and carries each connection to `port` inside the container. Port 0 of `host` lets the kernel pick.
    pub fn start(container: &Container, host: SocketAddr, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(host)?;
        let namespace =
            match container.has_own_network().then(|| File::open(format!("/proc/{}/ns/net", container.pid()))) {
                Some(Ok(namespace)) => Some(Arc::new(namespace)),
                // A program that was quick has ended already, and its network with it: there is nobody to carry anything to.
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                    let stop = Arc::new(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC)?);
                    return Ok(Self { address: listener.local_addr()?, stop, thread: None });
                }
                Some(Err(error)) => return Err(error),
                None => None,
            };
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let stop = Arc::new(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC)?);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || accept(&listener, &stopped, namespace.as_ref(), port));
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, stop: &EventFd, namespace: Option<&Arc<File>>, port: u16) {
    loop {
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::NONE).is_err() {
            continue;
        }
        if fds[1].any().unwrap_or(true) {
            return;
        }
        match listener.accept() {
            Ok((outside, _)) => {
                let namespace = namespace.cloned();
                // A connection that nobody takes is closed, as a proxy would.
                std::thread::spawn(move || carry(outside, namespace.as_deref(), port));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Out of descriptors, say: it may pass.
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
        }
    }
}

fn carry(outside: TcpStream, namespace: Option<&File>, port: u16) -> io::Result<()> {
    // Only this thread moves; the stream stays in the namespace in which it was made.
    if let Some(namespace) = namespace {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
    }
    let inside = TcpStream::connect((IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        .or_else(|_| TcpStream::connect((IpAddr::V6(Ipv6Addr::LOCALHOST), port)))?;
    outside.set_nonblocking(false)?;
    outside.set_nodelay(true)?;
    inside.set_nodelay(true)?;
    let (outside_copy, inside_copy) = (outside.try_clone()?, inside.try_clone()?);
    let back = std::thread::spawn(move || pump(inside_copy, outside_copy));
    pump(outside, inside);
    let _ = back.join();
    Ok(())
}

/// One direction, until its end, which is passed on.
fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) if to.write_all(&buffer[..read]).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
