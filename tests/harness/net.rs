//! Whether the outside world answers.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Whether Debian's mirror answers, which packages of the test programs come from; a reason if not.
pub fn network() -> Result<(), String> {
    let host = "deb.debian.org:80";
    let reached = host.to_socket_addrs().ok().is_some_and(|mut addresses| {
        addresses.any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok())
    });
    if reached { Ok(()) } else { Err("no package mirror answers".to_owned()) }
}
