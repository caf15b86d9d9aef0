//! What listens inside a network namespace.

use std::net::IpAddr;

use serde::Serialize;

/// A listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Listening {
    /// Its port.
    pub port: u16,
    /// Its address.
    pub address: IpAddr,
}
