//! Whom a command runs as.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
    switch: bool,
}

impl Account {
    /// Whoever runs the tests.
    pub fn current() -> Self {
        let uid = std::fs::metadata("/proc/self").map_or(0, |me| me.uid());
        let found = lookup(|entry| entry.uid == uid);
        found.unwrap_or(Self { name: uid.to_string(), uid, gid: uid, home: PathBuf::from("/"), switch: false })
    }

    /// Somebody who is not root: whoever runs the tests, or, when that is root, the account `plimtest`
    /// (`PLIMSOLL_TEST_USER` names another). `scripts/test` makes it where it may.
    pub fn ordinary() -> Result<Self, String> {
        let current = Self::current();
        if !current.is_root() {
            return Ok(current);
        }
        let name = std::env::var("PLIMSOLL_TEST_USER").unwrap_or_else(|_| "plimtest".to_owned());
        let found = lookup(|entry| entry.name == name).filter(|entry| !entry.is_root());
        let account = found.ok_or_else(|| format!("no account {name} (useradd --create-home {name} makes it)"))?;
        Ok(Self { switch: true, ..account })
    }

    /// Both of them, or only the one there is.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::current()];
        all.extend(Self::ordinary().ok().filter(|ordinary| !all.contains(ordinary)));
        all
    }

    /// Whether it is root.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Lets `command` run as this account.
    pub fn apply(&self, command: &mut Command) {
        if self.switch {
            command.uid(self.uid).gid(self.gid);
            command.env("HOME", &self.home).env("USER", &self.name).env("LOGNAME", &self.name);
            command.env_remove("XDG_RUNTIME_DIR").env_remove("XDG_DATA_HOME").env_remove("XDG_CACHE_HOME");
        }
    }

    /// Makes a path the account's own.
    pub(crate) fn give(&self, path: &std::path::Path) {
        if self.switch {
            std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid)).expect("root may change owners");
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str("root") } else { write!(f, "the ordinary user {}", self.name) }
    }
}

fn lookup(wanted: impl Fn(&Account) -> bool) -> Option<Account> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, _] = fields[..] else { return None };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        let account = Account { name: name.to_owned(), uid, gid, home: PathBuf::from(home), switch: false };
        wanted(&account).then_some(account)
    })
}
