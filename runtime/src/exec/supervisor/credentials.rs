//! Who a process believes to be, and what it may become: the rules of credentials(7) for IDs that the kernel does not know.

use nix::errno::Errno;

/// Real, effective and saved ID of users or groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) real: u32,
    pub(super) effective: u32,
    pub(super) saved: u32,
}

/// The IDs of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: Ids,
    pub(super) group: Ids,
    pub(super) groups: Vec<u32>,
    /// Capabilities are wanted beyond the time as root (`PR_SET_KEEPCAPS`), until the next exec.
    pub(super) keeps: bool,
    /// They were kept when the last ID of root was given up.
    kept: bool,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
}

/// "Leave it as it is" in the kernel's calls.
pub(super) const KEEP: u32 = u32::MAX;

impl Ids {
    pub(super) fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id }
    }

    fn has(&self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }
}

impl Credentials {
    pub(super) fn new(uid: u32, gid: u32, groups: Vec<u32>) -> Self {
        Self { user: Ids::all(uid), group: Ids::all(gid), groups, keeps: false, kept: false }
    }

    /// What every call for the privileged asks.
    pub(super) fn is_root(&self) -> bool {
        self.user.effective == 0 || self.kept
    }

    pub(super) fn is_member(&self, gid: u32) -> bool {
        self.group.effective == gid || self.groups.contains(&gid)
    }

    pub(super) fn ids(&self, kind: Kind) -> Ids {
        match kind {
            Kind::User => self.user,
            Kind::Group => self.group,
        }
    }

    fn set(&mut self, kind: Kind, ids: Ids) {
        match kind {
            Kind::User => {
                let had = self.user.has(0);
                self.user = ids;
                self.kept = !ids.has(0) && (self.kept || had && self.keeps);
            }
            Kind::Group => self.group = ids,
        }
    }

    /// Another program takes over: one whose file is set-user-ID or set-group-ID with the IDs of its owner.
    pub(super) fn exec(&mut self, user: Option<u32>, group: Option<u32>) {
        (self.keeps, self.kept) = (false, false);
        self.user.effective = user.unwrap_or(self.user.effective);
        self.group.effective = group.unwrap_or(self.group.effective);
        self.user.saved = self.user.effective;
        self.group.saved = self.group.effective;
    }

    /// `setuid`, `setgid`
    pub(super) fn become_one(&mut self, kind: Kind, id: u32) -> Result<(), Errno> {
        let mut ids = self.ids(kind);
        if id == KEEP {
            return Err(Errno::EINVAL);
        }
        if self.is_root() {
            ids = Ids::all(id);
        } else if id == ids.real || id == ids.saved {
            ids.effective = id;
        } else {
            return Err(Errno::EPERM);
        }
        self.set(kind, ids);
        Ok(())
    }

    /// `setreuid`, `setregid`
    pub(super) fn become_two(&mut self, kind: Kind, real: u32, effective: u32) -> Result<(), Errno> {
        let old = self.ids(kind);
        let mut ids = old;
        if real != KEEP {
            if !self.is_root() && real != old.real && real != old.effective {
                return Err(Errno::EPERM);
            }
            ids.real = real;
        }
        if effective != KEEP {
            if !self.is_root() && !old.has(effective) {
                return Err(Errno::EPERM);
            }
            ids.effective = effective;
        }
        if real != KEEP || (effective != KEEP && effective != old.real) {
            ids.saved = ids.effective;
        }
        self.set(kind, ids);
        Ok(())
    }

    /// `setresuid`, `setresgid`
    pub(super) fn become_three(&mut self, kind: Kind, wanted: [u32; 3]) -> Result<(), Errno> {
        let old = self.ids(kind);
        if !self.is_root() && wanted.iter().any(|id| *id != KEEP && !old.has(*id)) {
            return Err(Errno::EPERM);
        }
        let or = |id: u32, old: u32| if id == KEEP { old } else { id };
        let [real, effective, saved] = wanted;
        let ids =
            Ids { real: or(real, old.real), effective: or(effective, old.effective), saved: or(saved, old.saved) };
        self.set(kind, ids);
        Ok(())
    }

    /// `setgroups`
    pub(super) fn set_groups(&mut self, groups: Vec<u32>) -> Result<(), Errno> {
        if !self.is_root() {
            return Err(Errno::EPERM);
        }
        self.groups = groups;
        Ok(())
    }

    /// Whether a file of this owner may become the other's.
    pub(super) fn may_give(&self, owner: (u32, u32), uid: u32, gid: u32) -> bool {
        self.is_root()
            || (owner.0 == self.user.effective
                && (uid == KEEP || uid == owner.0)
                && (gid == KEEP || gid == owner.1 || self.is_member(gid)))
    }

    /// Whether something may be made in a directory of this owner and mode.
    pub(super) fn may_write_to(&self, owner: (u32, u32), mode: u32) -> bool {
        let wanted = if owner.0 == self.user.effective {
            0o300
        } else if self.is_member(owner.1) {
            0o030
        } else {
            0o003
        };
        self.is_root() || mode & wanted == wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Credentials {
        Credentials::new(1000, 1000, vec![50])
    }

    #[test]
    fn root_becomes_anybody_and_nobody_becomes_root() {
        let mut who = Credentials::new(0, 0, Vec::new());
        who.set_groups(vec![5]).unwrap();
        who.become_one(Kind::Group, 33).unwrap();
        who.become_one(Kind::User, 33).unwrap();
        assert_eq!((who.user, who.group), (Ids::all(33), Ids::all(33)));
        assert_eq!(who.become_one(Kind::User, 0), Err(Errno::EPERM));
        assert_eq!(who.become_one(Kind::Group, 0), Err(Errno::EPERM));
        assert_eq!(who.set_groups(Vec::new()), Err(Errno::EPERM));
        assert_eq!(who.become_one(Kind::User, KEEP), Err(Errno::EINVAL));
        assert_eq!(who.become_one(Kind::User, 33), Ok(()));
    }

    #[test]
    fn the_saved_id_leads_back() {
        let mut who = Credentials::new(0, 0, Vec::new());
        who.become_three(Kind::User, [KEEP, 7, KEEP]).unwrap();
        assert_eq!(who.user, Ids { real: 0, effective: 7, saved: 0 });
        assert!(!who.is_root());
        assert_eq!(who.become_three(Kind::User, [KEEP, 8, KEEP]), Err(Errno::EPERM));
        who.become_three(Kind::User, [KEEP, 0, KEEP]).unwrap();
        assert!(who.is_root());
        // seteuid(2) of the C library, then setreuid swaps.
        who.become_two(Kind::User, 0, 7).unwrap();
        assert_eq!(who.user, Ids { real: 0, effective: 7, saved: 7 });
        who.become_two(Kind::User, 7, 0).unwrap();
        assert_eq!(who.user, Ids { real: 7, effective: 0, saved: 0 });
        let mut ann = ann();
        assert_eq!(ann.become_two(Kind::User, 1, KEEP), Err(Errno::EPERM));
        assert_eq!(ann.become_two(Kind::Group, KEEP, 50), Err(Errno::EPERM), "a supplementary group is no saved one");
        assert_eq!(ann.become_two(Kind::User, KEEP, 1000), Ok(()));
    }

    #[test]
    fn capabilities_are_kept_until_exec() {
        let mut who = Credentials::new(0, 0, Vec::new());
        who.keeps = true;
        who.become_three(Kind::User, [7, 7, 7]).unwrap();
        assert!(who.is_root());
        who.become_three(Kind::Group, [7, 7, 7]).unwrap();
        who.exec(None, None);
        assert!(!who.is_root());
        assert_eq!(who.become_one(Kind::User, 0), Err(Errno::EPERM));
        // A set-user-ID program of root's, and what it starts after giving that up.
        who.exec(Some(0), None);
        assert_eq!(who.user, Ids { real: 7, effective: 0, saved: 0 });
        who.become_two(Kind::User, 7, 7).unwrap();
        assert!(!who.is_root());
    }

    #[test]
    fn files_are_given_by_root_and_to_own_groups() {
        let (root, ann) = (Credentials::new(0, 0, Vec::new()), ann());
        assert!(root.may_give((1000, 1000), 5, 5));
        assert!(ann.may_give((1000, 1000), KEEP, 50));
        assert!(ann.may_give((1000, 1000), 1000, 1000));
        assert!(!ann.may_give((1000, 1000), 0, KEEP));
        assert!(!ann.may_give((1000, 1000), KEEP, 51));
        assert!(!ann.may_give((0, 50), KEEP, 50));
    }

    #[test]
    fn directories_of_others() {
        let ann = ann();
        assert!(ann.may_write_to((1000, 0), 0o700));
        assert!(!ann.may_write_to((1000, 0), 0o077), "the owner's bits count for the owner");
        assert!(ann.may_write_to((0, 50), 0o770));
        assert!(!ann.may_write_to((0, 50), 0o757));
        assert!(!ann.may_write_to((0, 0), 0o755));
        assert!(ann.may_write_to((0, 0), 0o1777));
        assert!(Credentials::new(0, 0, Vec::new()).may_write_to((7, 7), 0));
    }
}
