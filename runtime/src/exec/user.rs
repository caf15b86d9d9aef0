//! `USER` as IDs: names are looked up in the passwd and group files of the root filesystem, inside it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};

/// Who a process runs as, and where it lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User ID.
    pub uid: u32,
    /// Group ID.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Home directory of the passwd file, `/` when it says nothing.
    pub home: String,
}

impl User {
    /// User and group 0, living in `/root`.
    pub fn root() -> Self {
        Self { uid: 0, gid: 0, groups: Vec::new(), home: "/root".to_owned() }
    }

    /// Bare IDs.
    pub fn ids(uid: u32, gid: u32) -> Self {
        Self { uid, gid, groups: Vec::new(), home: "/".to_owned() }
    }
}

/// A `USER` that means nobody.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No such name.
    #[error("failed to find {what} `{name}` in {}: no such entry", file.display())]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// As written.
        name: String,
        /// The file that was read.
        file: PathBuf,
    },
    /// The number is none.
    #[error("failed to use `{0}` as an ID: not between 0 and 4294967294")]
    OutOfRange(String),
    /// The file is there but cannot be read.
    #[error("failed to read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What `USER spec` means in `root`: `user`, `user:group`, `uid`, `uid:gid`, `:group` or nothing.
///
/// Supplementary groups come from the group file only when no group is given. An unknown number is itself, with group 0.
/// The files are read inside the root, wherever their links point.
pub fn lookup(root: &Path, spec: &str) -> Result<User, UserError> {
    let (user, group) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (spec, None),
    };
    let passwd = read_inside(root, "/etc/passwd")?;
    let number = id(user)?;
    let entry = passwd.lines().filter_map(passwd_entry).find(|entry| match (user, number) {
        ("", _) => entry.uid == 0,
        (_, Some(number)) => entry.uid == number,
        (name, None) => entry.name == name,
    });
    let mut found = match (&entry, number) {
        (Some(entry), _) => User { uid: entry.uid, gid: entry.gid, groups: Vec::new(), home: entry.home.to_owned() },
        (None, Some(number)) => User { uid: number, ..User::ids(number, 0) },
        (None, None) if user.is_empty() => User { home: "/".to_owned(), ..User::root() },
        (None, None) => {
            return Err(UserError::Unknown { what: "user", name: user.to_owned(), file: "/etc/passwd".into() });
        }
    };
    match group {
        Some(group) => {
            let number = id(group)?;
            if let (Some(number), true) = (number, id(user)?.is_some()) {
                found.gid = number;
                return Ok(found);
            }
            let groups = read_inside(root, "/etc/group")?;
            let entry = groups.lines().filter_map(group_entry).find(|entry| match number {
                Some(number) => entry.gid == number,
                None => entry.name == group,
            });
            found.gid = match (entry, number) {
                (Some(entry), _) => entry.gid,
                (None, Some(number)) => number,
                (None, None) => {
                    return Err(UserError::Unknown {
                        what: "group",
                        name: group.to_owned(),
                        file: "/etc/group".into(),
                    });
                }
            };
        }
        None => {
            if let Some(entry) = entry {
                let groups = read_inside(root, "/etc/group")?;
                found.groups = groups
                    .lines()
                    .filter_map(group_entry)
                    .filter(|group| group.members.split(',').any(|member| member == entry.name))
                    .map(|group| group.gid)
                    .collect();
            }
        }
    }
    Ok(found)
}

/// The ID of a group by name or number. The group file is read inside the root.
pub fn lookup_group(root: &Path, group: &str) -> Result<u32, UserError> {
    if let Some(number) = id(group)? {
        return Ok(number);
    }
    let groups = read_inside(root, "/etc/group")?;
    let entry = groups.lines().filter_map(group_entry).find(|entry| entry.name == group);
    entry.map(|entry| entry.gid).ok_or_else(|| UserError::Unknown {
        what: "group",
        name: group.to_owned(),
        file: "/etc/group".into(),
    })
}

/// A number, or `None` for a name.
fn id(text: &str) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(number) if number < u32::MAX => Ok(Some(number)),
        _ => Err(UserError::OutOfRange(text.to_owned())),
    }
}

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn passwd_entry(line: &str) -> Option<PasswdEntry<'_>> {
    let fields: Vec<&str> = line.trim().split(':').collect();
    let (name, uid, gid) = (*fields.first()?, fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
    let home = fields.get(5).copied().filter(|home| !home.is_empty()).unwrap_or("/");
    (!name.is_empty() && !name.starts_with('#')).then_some(PasswdEntry { name, uid, gid, home })
}

struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn group_entry(line: &str) -> Option<GroupEntry<'_>> {
    let fields: Vec<&str> = line.trim().split(':').collect();
    let (name, gid) = (*fields.first()?, fields.get(2)?.parse().ok()?);
    let members = fields.get(3).copied().unwrap_or("");
    (!name.is_empty() && !name.starts_with('#')).then_some(GroupEntry { name, gid, members })
}

/// A user database is small; a hostile one is not read to its end.
const LONGEST: u64 = 16 << 20;

/// The text of a regular file inside `root`; empty when there is none.
fn read_inside(root: &Path, path: &str) -> Result<String, UserError> {
    let failed = |source: std::io::Error| UserError::Read { file: path.into(), source };
    let errno = |errno: Errno| failed(errno.into());
    let root = open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).map_err(errno)?;
    // Without waiting for the other side of a FIFO.
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = match openat2(&root, path.trim_start_matches('/'), how) {
        Ok(fd) => File::from(fd),
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(String::new()),
        Err(other) => return Err(errno(other)),
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n# c:x:1:1:::\nbroken\n7:x:77:78::/seven:\n";
        fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        fs::write(root.path().join("etc/group"), "root:x:0:\nstaff:x:50:bob,ann\nwheel:x:10:root,ann\n").unwrap();
        root
    }

    #[test]
    fn forms_of_user() {
        let root = root();
        let user = |spec: &str| lookup(root.path(), spec).unwrap();
        let parts = |spec: &str| (user(spec).uid, user(spec).gid, user(spec).groups);
        assert_eq!(parts("ann"), (1000, 1001, vec![50, 10]));
        assert_eq!(parts("1000"), (1000, 1001, vec![50, 10]));
        assert_eq!(parts("1000:7"), (1000, 7, vec![]));
        assert_eq!(parts("ann:staff"), (1000, 50, vec![]));
        assert_eq!(parts("4711"), (4711, 0, vec![]));
        assert_eq!(parts("4711:staff"), (4711, 50, vec![]));
        assert_eq!(parts(""), (0, 0, vec![10]));
        assert_eq!(parts(":staff"), (0, 50, vec![]));
        assert_eq!(parts("7"), (7, 0, vec![]), "a number is an ID even where it is a name");
        assert_eq!(user("ann").home, "/home/ann");
        assert_eq!(user("4711").home, "/");
        assert_eq!(user("").home, "/root");
    }

    #[test]
    fn nobody() {
        let root = root();
        let error = |spec: &str| lookup(root.path(), spec).unwrap_err().to_string();
        assert_eq!(error("eve"), "failed to find user `eve` in /etc/passwd: no such entry");
        assert_eq!(error("ann:eves"), "failed to find group `eves` in /etc/group: no such entry");
        assert_eq!(error("4294967295"), "failed to use `4294967295` as an ID: not between 0 and 4294967294");
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(lookup(empty.path(), "").unwrap().uid, 0);
        assert_eq!(lookup(empty.path(), "5:6").unwrap().gid, 6);
        assert!(lookup(empty.path(), "ann").is_err());
    }

    #[test]
    fn links_do_not_leave_the_root() {
        let root = root();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("passwd"), "eve:x:666:666::/:\n").unwrap();
        fs::remove_file(root.path().join("etc/passwd")).unwrap();
        symlink(outside.path().join("passwd"), root.path().join("etc/passwd")).unwrap();
        assert!(lookup(root.path(), "eve").is_err());
    }
}
