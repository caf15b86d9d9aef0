//! A network of several containers: a namespace for each, joined by a switch in one of its own. Nothing of the host is touched, and
//! an ordinary user may do it too, since all of it belongs to the user namespace we are in.
//!
//! Each namespace is there before its container starts, so that a program finds its network up in its first instruction.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, socket,
};

/// What could not be done to make the network, and the kernel's answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to {what}: {errno:?}: {}", errno.desc())]
pub struct NetworkError {
    /// What was tried.
    pub what: String,
    /// The kernel's answer.
    pub errno: Errno,
}

impl NetworkError {
    /// What the user can do about it, where we know.
    pub fn help(&self) -> Option<&'static str> {
        match self.errno {
            Errno::EOPNOTSUPP | Errno::ENODEV | Errno::EAFNOSUPPORT => {
                Some("this kernel lacks virtual network devices: as root, modprobe veth bridge")
            }
            Errno::EPERM => Some("run as root with CAP_NET_ADMIN and CAP_SYS_ADMIN, or allow user namespaces"),
            _ => None,
        }
    }
}

fn failed(what: impl Into<String>) -> impl FnOnce(Errno) -> NetworkError {
    let what = what.into();
    move |errno| NetworkError { what, errno }
}

/// The network of several containers. It is gone when this value and the containers are.
#[derive(Debug)]
pub struct Switch {
    members: Vec<Arc<OwnedFd>>,
    /// Keeps the switch itself in the world.
    _hub: OwnedFd,
}

/// A private range that is nobody's by default, so that an address in an answer is told from the usual ones.
const RANGE: [u8; 3] = [172, 29, 76];
const PREFIX_LENGTH: u8 = 24;

impl Switch {
    /// A network of this many members.
    pub fn new(members: u8) -> Result<Self, NetworkError> {
        // The threads of a program may stand in different network namespaces: this one goes, the others stay where they are.
        std::thread::scope(|scope| {
            let made = std::thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, || make(members));
            made.map_err(|_| failed("start a thread")(Errno::EAGAIN))?.join().unwrap_or_else(|panic| {
                std::panic::resume_unwind(panic);
            })
        })
    }

    /// The namespace of a member, for [`Process::namespace`](super::Process::namespace).
    pub fn namespace(&self, member: u8) -> Option<Arc<OwnedFd>> {
        self.members.get(usize::from(member)).cloned()
    }

    /// The address of a member: the same in every network of this kind.
    pub fn address(member: u8) -> Ipv4Addr {
        let [a, b, c] = RANGE;
        Ipv4Addr::new(a, b, c, member.saturating_add(2))
    }
}

fn make(count: u8) -> Result<Switch, NetworkError> {
    let hub = new_namespace()?;
    let mut members = Vec::new();
    for _ in 0..count {
        members.push(new_namespace()?);
    }
    enter(&hub)?;
    let mut netlink = Netlink::open()?;
    netlink.ask("make a bridge", &new_link("switch", &[Attribute::nested(LINKINFO, &[kind("bridge")])]))?;
    let bridge = index_of("switch")?;
    netlink.ask("bring up the bridge", &up(bridge))?;
    for (number, namespace) in (0..count).zip(&members) {
        let name = format!("port{number}");
        let mut peer = vec![0; IFINFO];
        for attribute in [
            Attribute::text(IFNAME, DEVICE),
            Attribute::new(NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes()),
            // Hardware addresses are the same in every network, in case a program shows its own.
            Attribute::new(ADDRESS, &[0x02, 0x42, RANGE[0], RANGE[1], RANGE[2], number.saturating_add(2)]),
        ] {
            attribute.write(&mut peer);
        }
        let pair =
            Attribute::nested(LINKINFO, &[kind("veth"), Attribute::nested(INFO_DATA, &[Attribute::new(1, &peer)])]);
        netlink.ask("make a pair of network devices", &new_link(&name, &[pair]))?;
        let port = index_of(&name)?;
        let mut attached = up(port);
        Attribute::new(MASTER, &bridge.to_ne_bytes()).write(&mut attached.body);
        netlink.ask("attach a network device to the bridge", &attached)?;
    }
    for (number, namespace) in (0..count).zip(&members) {
        enter(namespace)?;
        let mut netlink = Netlink::open()?;
        let device = index_of(DEVICE)?;
        netlink.ask("give a container its address", &address(device, Switch::address(number)))?;
        netlink.ask("bring up a container's network device", &up(device))?;
    }
    Ok(Switch { members: members.into_iter().map(Arc::new).collect(), _hub: hub })
}

/// What a container calls its device, as under Docker.
const DEVICE: &str = "eth0";

fn new_namespace() -> Result<OwnedFd, NetworkError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(failed("make a network namespace"))?;
    File::open("/proc/thread-self/ns/net")
        .map(OwnedFd::from)
        .map_err(|error| failed("open a network namespace")(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))))
}

fn enter(namespace: &OwnedFd) -> Result<(), NetworkError> {
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(failed("enter a network namespace"))
}

/// The number of a device of this thread's namespace.
fn index_of(name: &str) -> Result<i32, NetworkError> {
    let found = nix::net::if_::if_nametoindex(name).map_err(failed(format!("find the network device {name}")))?;
    i32::try_from(found).map_err(|_| failed(format!("find the network device {name}"))(Errno::EOVERFLOW))
}

// Numbers of rtnetlink(7).
const IFNAME: u16 = libc::IFLA_IFNAME;
const ADDRESS: u16 = libc::IFLA_ADDRESS;
const MASTER: u16 = libc::IFLA_MASTER;
const LINKINFO: u16 = libc::IFLA_LINKINFO;
const NET_NS_FD: u16 = libc::IFLA_NET_NS_FD;
const INFO_KIND: u16 = libc::IFLA_INFO_KIND;
const INFO_DATA: u16 = libc::IFLA_INFO_DATA;
/// Bytes of `struct ifinfomsg`.
const IFINFO: usize = 16;
/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// One attribute of a message: length, type and value, padded to four bytes.
struct Attribute {
    kind: u16,
    value: Vec<u8>,
}

impl Attribute {
    fn new(kind: u16, value: &[u8]) -> Self {
        Self { kind, value: value.to_vec() }
    }

    fn text(kind: u16, text: &str) -> Self {
        Self { kind, value: [text.as_bytes(), b"\0"].concat() }
    }

    fn nested(kind: u16, inner: &[Attribute]) -> Self {
        let mut value = Vec::new();
        inner.iter().for_each(|attribute| attribute.write(&mut value));
        Self { kind, value }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let length = u16::try_from(self.value.len() + 4).unwrap_or(u16::MAX);
        out.extend(length.to_ne_bytes());
        out.extend(self.kind.to_ne_bytes());
        out.extend(&self.value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

fn kind(name: &str) -> Attribute {
    Attribute::new(INFO_KIND, name.as_bytes())
}

struct Message {
    kind: u16,
    flags: i32,
    body: Vec<u8>,
}

fn new_link(name: &str, more: &[Attribute]) -> Message {
    let mut body = vec![0; IFINFO];
    Attribute::text(IFNAME, name).write(&mut body);
    more.iter().for_each(|attribute| attribute.write(&mut body));
    Message { kind: libc::RTM_NEWLINK, flags: libc::NLM_F_CREATE | libc::NLM_F_EXCL, body }
}

fn up(index: i32) -> Message {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    let flags = libc::IFF_UP.to_ne_bytes();
    body.extend([flags, flags].concat());
    Message { kind: libc::RTM_NEWLINK, flags: 0, body }
}

fn address(index: i32, address: Ipv4Addr) -> Message {
    const LOCAL: u16 = libc::IFA_LOCAL;
    const OWN: u16 = libc::IFA_ADDRESS;
    let mut body = vec![libc::AF_INET as u8, PREFIX_LENGTH, 0, 0];
    body.extend(index.to_ne_bytes());
    Attribute::new(LOCAL, &address.octets()).write(&mut body);
    Attribute::new(OWN, &address.octets()).write(&mut body);
    Message { kind: libc::RTM_NEWADDR, flags: libc::NLM_F_CREATE | libc::NLM_F_EXCL, body }
}

/// A conversation with the kernel about the network of this thread.
struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    fn open() -> Result<Self, NetworkError> {
        let opened = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)
            .and_then(|socket| bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).map(|()| socket));
        Ok(Self { socket: opened.map_err(failed("talk to the kernel about networks"))?, sequence: 0 })
    }

    /// Sends one request and waits for its acknowledgement.
    fn ask(&mut self, what: &str, message: &Message) -> Result<(), NetworkError> {
        self.exchange(message).map_err(failed(what))
    }

    fn exchange(&mut self, message: &Message) -> Result<(), Errno> {
        self.sequence += 1;
        let flags = (message.flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut bytes = Vec::with_capacity(HEADER + message.body.len());
        bytes.extend(u32::try_from(HEADER + message.body.len()).map_err(|_| Errno::EMSGSIZE)?.to_ne_bytes());
        bytes.extend(message.kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(&message.body);
        sendto(self.socket.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        // The header is followed by the negated errno, 0 for done.
        let code = answer.get(HEADER..HEADER + 4).filter(|_| length >= HEADER + 4);
        let code = code.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).ok_or(Errno::EBADMSG)?;
        match i32::from_ne_bytes(code) {
            0 => Ok(()),
            code => Err(Errno::from_raw(-code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded() {
        let mut out = Vec::new();
        kind("x").write(&mut out);
        assert_eq!(out.len(), 8);
        assert_eq!(&out[..2], 5_u16.to_ne_bytes(), "padding after a value does not count");
        Attribute::nested(LINKINFO, &[kind("veth"), kind("x")]).write(&mut out);
        assert_eq!(out.len(), 8 + 4 + 8 + 8);
        assert_eq!(&out[8..10], 20_u16.to_ne_bytes(), "padding inside does");
    }

    #[test]
    fn addresses_are_the_same_every_time() {
        assert_eq!(Switch::address(0).to_string(), "172.29.76.2");
    }
}
