//! Sets of capabilities.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of capabilities, as the kernel's bit mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(pub u64);

/// Names by number.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

impl Capabilities {
    /// What Docker leaves to a container.
    pub const DOCKER_DEFAULT: Self = Self(0xa804_25fb);
    /// Every capability this kernel may know.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);
    /// None.
    pub const NONE: Self = Self(0);

    /// The set with one more: `NET_ADMIN`, `cap_net_admin` or `ALL`. `None` for a name that is none.
    pub fn with(self, name: &str) -> Option<Self> {
        Some(Self(self.0 | Self::named(name)?.0))
    }

    /// The set with one less.
    pub fn without(self, name: &str) -> Option<Self> {
        Some(Self(self.0 & !Self::named(name)?.0))
    }

    /// Whether the set holds the capability of this number.
    pub fn has(self, number: u32) -> bool {
        number < 64 && self.0 & (1 << number) != 0
    }

    fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if name == "all" {
            return Some(Self::ALL);
        }
        let name = name.strip_prefix("cap_").unwrap_or(&name);
        NAMES.iter().position(|known| *known == name).map(|number| Self(1 << number))
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            NAMES.iter().enumerate().filter(|(n, _)| self.has(*n as u32)).map(|(_, name)| *name).collect();
        f.write_str(&names.join(","))
    }
}
