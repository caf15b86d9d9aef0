//! What listens inside a network namespace, and being inside it.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use serde::{Deserialize, Serialize};

use super::ProbeError;
use crate::exec::Container;

/// A listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listening {
    /// Its port.
    pub port: u16,
    /// Its address.
    pub address: IpAddr,
}

/// Does something on a thread that is in the container's network namespace.
pub(super) fn inside<T: Send>(container: &Container, work: impl FnOnce() -> T + Send) -> Result<T, ProbeError> {
    if !container.has_own_network() {
        return Ok(work());
    }
    let pid = container.pid();
    let failed = |errno| ProbeError::Namespace { pid, errno };
    let namespace = File::open(format!("/proc/{pid}/ns/net"))
        .map_err(|error| failed(nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default())))?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| setns(&namespace, CloneFlags::CLONE_NEWNET).map(|()| work()));
        match thread.join() {
            Ok(done) => done.map_err(failed),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The listening sockets of the container's namespace, sorted, loopback and all.
pub(super) fn listening(container: &Container) -> io::Result<Vec<Listening>> {
    let pid = container.pid();
    let mut found = Vec::new();
    for (file, width) in [("tcp", 8), ("tcp6", 32)] {
        match std::fs::read_to_string(format!("/proc/{pid}/net/{file}")) {
            Ok(text) => found.extend(text.lines().skip(1).filter_map(|line| listening_entry(line, width))),
            // Without IPv6 there is no second file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// One line of `/proc/net/tcp`: addresses are 32-bit words as the machine holds them.
fn listening_entry(line: &str, width: usize) -> Option<Listening> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    if address.len() != width || !address.is_ascii() {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for word in 0..width / 8 {
        let word = u32::from_str_radix(&address[word * 8..word * 8 + 8], 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let address = match <[u8; 16]>::try_from(bytes.as_slice()) {
        Ok(sixteen) => IpAddr::V6(Ipv6Addr::from(sixteen)).to_canonical(),
        Err(_) => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.as_slice()).ok()?)),
    };
    Some(Listening { port, address })
}

/// Connects on the loopback device, IPv4 first, before `deadline`. Called inside the namespace.
pub(super) fn connect(port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        match connect_to(SocketAddr::new(address, port), deadline) {
            Ok(stream) => return Ok(stream),
            // What IPv4 said is the better reason on a machine without IPv6.
            Err(error) if address.is_ipv4() => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

fn connect_to(address: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let stream = TcpStream::connect_timeout(&address, left)?;
    stream.set_read_timeout(Some(left))?;
    stream.set_write_timeout(Some(left))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_proc_net_tcp() {
        let header = "  sl  local_address rem_address   st tx_queue rx_queue";
        let v4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0";
        let connected = "   1: 0100007F:1F90 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0";
        let v6 =
            "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000";
        assert_eq!(listening_entry(header, 8), None);
        assert_eq!(listening_entry(connected, 8), None);
        let found = listening_entry(v4, 8).unwrap();
        assert_eq!((found.port, found.address.to_string().as_str()), (8080, "127.0.0.1"));
        let found = listening_entry(v6, 32).unwrap();
        assert_eq!((found.port, found.address.to_string().as_str()), (80, "::"));
        assert_eq!(listening_entry("0: é:é é 0A", 8), None);
    }
}
