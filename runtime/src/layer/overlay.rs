//! How overlayfs marks what a layer removes.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;

/// Where overlayfs keeps its attributes: `trusted` for root, `user` inside a user namespace (mount option `userxattr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XattrPrefix {
    /// `trusted.overlay.`
    Trusted,
    /// `user.overlay.`
    User,
    /// `user.overlay.`, in a namespace of one ID: the owners of files are noted beside them.
    Noted,
}

impl XattrPrefix {
    /// What this process must use, by its user namespace.
    pub fn here() -> XattrPrefix {
        // Not by the map of IDs: root without CAP_SYS_ADMIN has the whole of it in a user namespace too.
        if crate::userns::ids_here().initial {
            XattrPrefix::Trusted
        } else if crate::owners::are_noted() {
            XattrPrefix::Noted
        } else {
            XattrPrefix::User
        }
    }

    /// The attribute of a directory that hides what lower layers have in it.
    pub fn opaque(self) -> &'static str {
        match self {
            XattrPrefix::Trusted => "trusted.overlay.opaque",
            XattrPrefix::User | XattrPrefix::Noted => "user.overlay.opaque",
        }
    }

    /// What `name` in `dir` is, links not followed, its owner as its layer has it.
    pub(crate) fn stat(self, dir: impl AsFd, name: &[u8]) -> nix::Result<nix::libc::stat> {
        let mut stat = nix::sys::stat::fstatat(&dir, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)?;
        if self == XattrPrefix::Noted {
            let noted = crate::owners::note_of(&dir, name, stat.st_mode);
            let noted = noted.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)))?;
            if let Some(note) = noted {
                note.correct(&mut stat);
            }
        }
        Ok(stat)
    }
}

/// Names and values.
pub(crate) type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// Whether a directory is opaque.
pub(crate) fn is_opaque(dir: impl AsFd, prefix: XattrPrefix) -> io::Result<bool> {
    let mut value = [0; 8];
    match rustix::fs::fgetxattr(dir, prefix.opaque(), &mut value) {
        Ok(length) => Ok(&value[..length] == b"y"),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether this is overlayfs' whiteout: a character device 0/0.
pub(crate) fn is_whiteout(stat: &nix::libc::stat) -> bool {
    stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFCHR && stat.st_rdev == 0
}

/// The attributes of a file that its layer carries: its capabilities, as docker and BuildKit do. Labels and access lists
/// belong to the host, `user.*` stays behind as it does there, and what overlayfs notes is its own.
pub(crate) fn kept_xattrs(file: impl AsFd) -> Result<Xattrs, Errno> {
    const CAPABILITY: &str = "security.capability";
    let mut value = vec![0; 64];
    match rustix::fs::fgetxattr(file, CAPABILITY, value.as_mut_slice()) {
        Ok(length) => {
            value.truncate(length);
            Ok(vec![(CAPABILITY.into(), value)])
        }
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(Errno::from_raw(error.raw_os_error())),
    }
}

/// What is set when a layer is unpacked: capabilities and the user's own attributes; nothing that overlayfs, an
/// integrity module, an access list or our notes of owners would act on.
pub(crate) fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability"
        || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay.") && !name.starts_with(b"user.plimsoll."))
}
