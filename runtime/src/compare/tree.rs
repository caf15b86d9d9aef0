//! Two root filesystems, path by path.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rayon::prelude::*;

use super::normalize::{NOISE, Noise};
use super::{Allowed, Difference, DifferenceKind};
use crate::digest::Digest;
use crate::owners;

/// How trees are compared.
#[derive(Debug, Clone, Default)]
pub struct TreeOptions {
    /// Report added and removed directories once, with the bytes of everything below.
    pub fold: bool,
}

/// A tree that cannot be read, or a glob that is none.
#[derive(Debug, thiserror::Error)]
#[error("failed to compare {}: {source}", path.display())]
pub struct TreeError {
    /// What could not be read.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Paths that differ: first those beyond what is allowed, then those that were, both sorted. The files of
/// [`NOISE`](super::NOISE) are compared as it says.
pub fn compare_trees(
    before: &Path,
    after: &Path,
    allowed: &Allowed,
    options: &TreeOptions,
) -> Result<(Vec<Difference>, Vec<Difference>), TreeError> {
    let mut walk = Walk {
        before,
        after,
        globs: Globs::new(&allowed.paths)?,
        fold: options.fold,
        found: Found::default(),
        same_size: Vec::new(),
    };
    walk.directory(Path::new("/"))?;
    let contents: Vec<Option<Difference>> =
        walk.same_size.par_iter().map(|pair| compare_contents(before, after, pair)).collect::<Result<_, _>>()?;
    let mut found = walk.found;
    for difference in contents.into_iter().flatten() {
        let beyond = !walk.globs.allowed.is_match(&difference.subject);
        found.side(beyond).push(difference);
    }
    for side in [&mut found.beyond, &mut found.declared] {
        side.sort_by(|a, b| (&a.subject, a.kind).cmp(&(&b.subject, b.kind)));
    }
    Ok((found.beyond, found.declared))
}

#[derive(Debug, Default)]
struct Found {
    beyond: Vec<Difference>,
    declared: Vec<Difference>,
}

impl Found {
    fn side(&mut self, beyond: bool) -> &mut Vec<Difference> {
        if beyond { &mut self.beyond } else { &mut self.declared }
    }
}

/// Two files of which only the bytes can tell whether they differ.
struct SameSize {
    path: PathBuf,
    noise: Option<&'static Noise>,
    sizes: (u64, u64),
}

struct Globs {
    allowed: GlobSet,
    noise: Vec<(GlobSet, &'static Noise)>,
}

impl Globs {
    fn new(allowed: &[String]) -> Result<Self, TreeError> {
        let noise = NOISE.iter().map(|noise| Ok((glob_set(noise.globs.iter().copied())?, noise)));
        Ok(Self {
            allowed: glob_set(allowed.iter().map(String::as_str))?,
            noise: noise.collect::<Result<_, TreeError>>()?,
        })
    }

    fn noise(&self, path: &Path) -> Option<&'static Noise> {
        self.noise.iter().find(|(globs, _)| globs.is_match(path)).map(|(_, noise)| *noise)
    }
}

/// `*` does not cross `/`; `dir/**` is everything below `dir`, and `dir` itself.
fn glob_set<'g>(globs: impl Iterator<Item = &'g str>) -> Result<GlobSet, TreeError> {
    let mut set = GlobSetBuilder::new();
    let failed = |glob: &str, error: globset::Error| TreeError {
        path: glob.into(),
        source: io::Error::new(io::ErrorKind::InvalidInput, error.to_string()),
    };
    for glob in globs {
        for glob in
            [Some(glob), glob.strip_suffix("/**").filter(|directory| !directory.is_empty())].into_iter().flatten()
        {
            set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(|error| failed(glob, error))?);
        }
    }
    set.build().map_err(|error| failed("the globs", error))
}

struct Walk<'a> {
    before: &'a Path,
    after: &'a Path,
    globs: Globs,
    fold: bool,
    found: Found,
    same_size: Vec<SameSize>,
}

/// `/etc/x` below `root`.
fn place(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn names(directory: &Path) -> Result<Vec<OsString>, TreeError> {
    let failed = |source| TreeError { path: directory.to_owned(), source };
    let entries = fs::read_dir(directory).map_err(failed)?;
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    names.sort_unstable();
    Ok(names)
}

fn stat(path: &Path) -> Result<Metadata, TreeError> {
    fs::symlink_metadata(path).map_err(|source| TreeError { path: path.to_owned(), source })
}

impl Walk<'_> {
    /// Both sides have this directory.
    fn directory(&mut self, path: &Path) -> Result<(), TreeError> {
        let (left, right) = (names(&place(self.before, path))?, names(&place(self.after, path))?);
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.cmp(b),
            };
            let name = if order == Ordering::Greater { right.next() } else { left.next() };
            let Some(name) = name else { return Ok(()) };
            let path = path.join(name);
            match order {
                Ordering::Equal => {
                    right.next();
                    self.both(&path)?;
                }
                Ordering::Less => self.one_side(&path, DifferenceKind::Removed)?,
                Ordering::Greater => self.one_side(&path, DifferenceKind::Added)?,
            }
        }
    }

    fn one_side(&mut self, path: &Path, kind: DifferenceKind) -> Result<(), TreeError> {
        let found = self.whole(path, kind)?;
        self.found.beyond.extend(found.beyond);
        self.found.declared.extend(found.declared);
        Ok(())
    }

    /// Everything at and below a path that only one side has.
    fn whole(&self, path: &Path, kind: DifferenceKind) -> Result<Found, TreeError> {
        let mut found = Found::default();
        if self.globs.noise(path).is_some_and(|noise| noise.compared.is_none()) {
            return Ok(found);
        }
        let here = place(if kind == DifferenceKind::Added { self.after } else { self.before }, path);
        let stat = stat(&here)?;
        let sign = if kind == DifferenceKind::Added { 1 } else { -1 };
        let bytes = if stat.is_file() { sign * stat.len() as i64 } else { 0 };
        let value = Some(describe(&here, &stat)?);
        let (before, after) = if kind == DifferenceKind::Added { (None, value) } else { (value, None) };
        let itself = Difference { subject: path.to_string_lossy().into_owned(), kind, before, after, bytes };
        let beyond = !self.globs.allowed.is_match(path);
        found.side(beyond).push(itself);
        if stat.is_dir() {
            for name in names(&here)? {
                let below = self.whole(&path.join(name), kind)?;
                found.beyond.extend(below.beyond);
                found.declared.extend(below.declared);
            }
            let uniform = if beyond { found.declared.is_empty() } else { found.beyond.is_empty() };
            if self.fold && uniform {
                let side = found.side(beyond);
                let total = side.iter().map(|difference| difference.bytes).sum();
                side.truncate(1);
                if let Some(itself) = side.first_mut() {
                    itself.bytes = total;
                }
            }
        }
        Ok(found)
    }

    fn both(&mut self, path: &Path) -> Result<(), TreeError> {
        let noise = self.globs.noise(path);
        if noise.is_some_and(|noise| noise.compared.is_none()) {
            return Ok(());
        }
        let (left_path, right_path) = (place(self.before, path), place(self.after, path));
        let (left, right) = (stat(&left_path)?, stat(&right_path)?);
        let beyond = !self.globs.allowed.is_match(path);
        let subject = path.to_string_lossy().into_owned();
        let mut differ = |kind, before: String, after: String, bytes: i64| {
            let (before, after) = (Some(before), Some(after));
            self.found.side(beyond).push(Difference { subject: subject.clone(), kind, before, after, bytes });
        };
        if left.mode() & 0o170_000 != right.mode() & 0o170_000 {
            let bytes = size_of_file(&right) - size_of_file(&left);
            differ(DifferenceKind::Type, describe(&left_path, &left)?, describe(&right_path, &right)?, bytes);
            // What a directory held that is none any more.
            if left.is_dir() {
                for name in names(&left_path)? {
                    self.one_side(&path.join(name), DifferenceKind::Removed)?;
                }
            } else if right.is_dir() {
                for name in names(&right_path)? {
                    self.one_side(&path.join(name), DifferenceKind::Added)?;
                }
            }
            return Ok(());
        }
        if is_same_inode(&left, &right) {
            return Ok(());
        }
        let mode = |stat: &Metadata| stat.mode() & 0o7777;
        if !left.is_symlink() && mode(&left) != mode(&right) {
            differ(DifferenceKind::Mode, format!("{:04o}", mode(&left)), format!("{:04o}", mode(&right)), 0);
        }
        let owner = |path: &Path, stat: &Metadata| {
            let found = owners::owner_of(path, stat).map(|(uid, gid)| format!("{uid}:{gid}"));
            found.map_err(|source| TreeError { path: path.to_owned(), source })
        };
        let (left_owner, right_owner) = (owner(&left_path, &left)?, owner(&right_path, &right)?);
        if left_owner != right_owner {
            differ(DifferenceKind::Owner, left_owner, right_owner, 0);
        }
        let (left_attributes, right_attributes) = (attributes(&left_path)?, attributes(&right_path)?);
        if left_attributes != right_attributes {
            let text = |attributes: &[(String, Vec<u8>)]| {
                attributes.iter().map(|(name, value)| format!("{name}={}", hex(value))).collect::<Vec<_>>().join(" ")
            };
            differ(DifferenceKind::Attributes, text(&left_attributes), text(&right_attributes), 0);
        }
        if left.is_symlink() {
            let target = |path: &Path| {
                fs::read_link(path)
                    .map(|target| target.to_string_lossy().into_owned())
                    .map_err(|source| TreeError { path: path.to_owned(), source })
            };
            let (left, right) = (target(&left_path)?, target(&right_path)?);
            if left != right {
                differ(DifferenceKind::Target, left, right, 0);
            }
        } else if left.file_type().is_block_device() || left.file_type().is_char_device() {
            if left.rdev() != right.rdev() {
                differ(DifferenceKind::Type, describe(&left_path, &left)?, describe(&right_path, &right)?, 0);
            }
        } else if left.is_file() {
            let sizes = (left.len(), right.len());
            if sizes.0 == sizes.1 || noise.is_some() {
                if sizes != (0, 0) {
                    self.same_size.push(SameSize { path: path.to_owned(), noise, sizes });
                }
            } else {
                let bytes = sizes.1 as i64 - sizes.0 as i64;
                differ(DifferenceKind::Content, describe(&left_path, &left)?, describe(&right_path, &right)?, bytes);
            }
        } else if left.is_dir() {
            self.directory(path)?;
        }
        Ok(())
    }
}

/// The same file of one lower layer seen through two mounts: reading it would tell nothing. Directories are merged and so never that.
fn is_same_inode(left: &Metadata, right: &Metadata) -> bool {
    let identity = |stat: &Metadata| {
        (
            stat.ino(),
            stat.len(),
            stat.mtime(),
            stat.mtime_nsec(),
            stat.ctime(),
            stat.ctime_nsec(),
            stat.mode(),
            stat.uid(),
            stat.gid(),
        )
    };
    !left.is_dir() && identity(left) == identity(right)
}

fn size_of_file(stat: &Metadata) -> i64 {
    if stat.is_file() { stat.len() as i64 } else { 0 }
}

fn describe(path: &Path, stat: &Metadata) -> Result<String, TreeError> {
    let kind = stat.file_type();
    Ok(if stat.is_dir() {
        "directory".to_owned()
    } else if stat.is_file() {
        format!("file of {} bytes", stat.len())
    } else if stat.is_symlink() {
        let target = fs::read_link(path).map_err(|source| TreeError { path: path.to_owned(), source })?;
        format!("link to {}", target.display())
    } else if kind.is_fifo() {
        "fifo".to_owned()
    } else if kind.is_socket() {
        "socket".to_owned()
    } else {
        let device = stat.rdev();
        let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
        format!("{} device {major}:{minor}", if kind.is_block_device() { "block" } else { "character" })
    })
}

/// Extended attributes of the image: not those of overlayfs, nor labels of the host.
fn attributes(path: &Path) -> Result<Vec<(String, Vec<u8>)>, TreeError> {
    let failed = |errno: rustix::io::Errno| TreeError { path: path.to_owned(), source: errno.into() };
    let mut list = vec![0; 64 << 10];
    let length = match rustix::fs::llistxattr(path, &mut list[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(errno) => return Err(failed(errno)),
    };
    let mut found = Vec::new();
    for name in list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        if ["trusted.overlay.", "user.overlay.", "user.plimsoll.", "security.selinux"]
            .iter()
            .any(|host| name.starts_with(host))
        {
            continue;
        }
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(path, &name, &mut value[..]).map_err(failed)?;
        value.truncate(length);
        found.push((name, value));
    }
    found.sort();
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn compare_contents(before: &Path, after: &Path, pair: &SameSize) -> Result<Option<Difference>, TreeError> {
    let (left_path, right_path) = (place(before, &pair.path), place(after, &pair.path));
    let read = |path: &Path| fs::read(path).map_err(|source| TreeError { path: path.to_owned(), source });
    if pair.sizes.0 == pair.sizes.1 && same_bytes(&left_path, &right_path)? {
        return Ok(None);
    }
    let (left, right) = (read(&left_path)?, read(&right_path)?);
    if let Some(compared) = pair.noise.and_then(|noise| noise.compared)
        && compared(&left) == compared(&right)
    {
        return Ok(None);
    }
    let value = |bytes: &[u8]| Some(format!("file of {} bytes, {}", bytes.len(), Digest::of(bytes)));
    Ok(Some(Difference {
        subject: pair.path.to_string_lossy().into_owned(),
        kind: DifferenceKind::Content,
        before: value(&left),
        after: value(&right),
        bytes: right.len() as i64 - left.len() as i64,
    }))
}

fn same_bytes(left: &Path, right: &Path) -> Result<bool, TreeError> {
    let open = |path: &Path| File::open(path).map_err(|source| TreeError { path: path.to_owned(), source });
    let (mut left_file, mut right_file) = (open(left)?, open(right)?);
    let (mut left_bytes, mut right_bytes) = (vec![0; 128 << 10], vec![0; 128 << 10]);
    loop {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TreeError { path, source }
        };
        let got = left_file.read(&mut left_bytes).map_err(failed(left))?;
        if got == 0 {
            return Ok(right_file.read(&mut right_bytes[..1]).map_err(failed(right))? == 0);
        }
        match right_file.read_exact(&mut right_bytes[..got]) {
            Ok(()) if left_bytes[..got] == right_bytes[..got] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(failed(right)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn trees() -> (tempfile::TempDir, tempfile::TempDir) {
        let make = || {
            let tree = tempfile::tempdir().unwrap();
            let path = tree.path();
            fs::create_dir_all(path.join("etc/deep")).unwrap();
            fs::create_dir_all(path.join("var/log")).unwrap();
            fs::create_dir_all(path.join("var/lib/apt/lists")).unwrap();
            fs::write(path.join("etc/same"), "same").unwrap();
            fs::write(path.join("etc/content"), "aaaa").unwrap();
            fs::write(path.join("etc/size"), "aaaa").unwrap();
            fs::write(path.join("etc/mode"), "m").unwrap();
            fs::write(path.join("etc/deep/x"), "0123456789").unwrap();
            symlink("a", path.join("etc/link")).unwrap();
            fs::set_permissions(path.join("etc/mode"), fs::Permissions::from_mode(0o644)).unwrap();
            tree
        };
        (make(), make())
    }

    fn compare(before: &Path, after: &Path, paths: &[&str], fold: bool) -> (Vec<String>, Vec<String>) {
        let allowed = Allowed {
            config: vec![],
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..Allowed::default()
        };
        let (beyond, declared) = compare_trees(before, after, &allowed, &TreeOptions { fold }).unwrap();
        let text = |list: Vec<Difference>| {
            list.into_iter().map(|d| format!("{} {:?} {}", d.subject, d.kind, d.bytes)).collect::<Vec<_>>()
        };
        (text(beyond), text(declared))
    }

    #[test]
    fn every_kind_of_difference() {
        let (before, after) = trees();
        assert_eq!(compare(before.path(), after.path(), &[], false), (vec![], vec![]));
        let at = |name: &str| after.path().join(name);
        fs::write(at("etc/content"), "aaab").unwrap();
        fs::write(at("etc/size"), "aaaaaa").unwrap();
        fs::set_permissions(at("etc/mode"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(at("etc/link")).unwrap();
        symlink("b", at("etc/link")).unwrap();
        fs::remove_file(at("etc/same")).unwrap();
        fs::create_dir(at("etc/same")).unwrap();
        fs::write(at("etc/same/in"), "12").unwrap();
        fs::remove_dir_all(at("etc/deep")).unwrap();
        fs::create_dir_all(at("new/a")).unwrap();
        fs::write(at("new/a/b"), "123").unwrap();
        fs::write(at("var/log/dpkg.log"), "noise").unwrap();
        fs::write(at("var/lib/apt/lists/x"), "12345").unwrap();
        let (beyond, declared) = compare(before.path(), after.path(), &["/var/lib/apt/lists/**"], true);
        assert_eq!(
            beyond,
            [
                "/etc/content Content 0",
                "/etc/deep Removed -10",
                "/etc/link Target 0",
                "/etc/mode Mode 0",
                "/etc/same Type -4",
                "/etc/same/in Added 2",
                "/etc/size Content 2",
                "/new Added 3"
            ]
        );
        assert_eq!(declared, ["/var/lib/apt/lists/x Added 5"]);
        let (beyond, _) = compare(before.path(), after.path(), &["/etc/**", "/var/**"], false);
        assert_eq!(beyond, ["/new Added 0", "/new/a Added 0", "/new/a/b Added 3"]);
        let (beyond, declared) = compare(before.path(), after.path(), &["/etc/**", "/var/**", "/new/a/**"], true);
        assert_eq!(beyond, ["/new Added 0"], "a directory is folded only when all of it is on one side");
        assert!(declared.contains(&"/new/a Added 3".to_owned()));
    }

    #[test]
    fn allowed_directories_and_stars() {
        let (before, after) = trees();
        fs::remove_dir_all(after.path().join("var/lib/apt/lists")).unwrap();
        fs::create_dir_all(after.path().join("opt/x/y")).unwrap();
        let (beyond, declared) = compare(before.path(), after.path(), &["/var/lib/apt/lists/**", "/opt/*"], true);
        assert_eq!(beyond, ["/opt Added 0", "/opt/x/y Added 0"]);
        assert_eq!(declared, ["/opt/x Added 0", "/var/lib/apt/lists Removed 0"]);
    }

    #[test]
    fn noise_is_compared_without_its_noise() {
        let (before, after) = trees();
        for (tree, time, code) in [(&before, 7, 5), (&after, 8, 5)] {
            fs::write(tree.path().join("m.pyc"), [1, 2, 3, 4, 0, 0, 0, 0, time, 0, 0, 0, 9, 9, 9, 9, code]).unwrap();
        }
        assert_eq!(compare(before.path(), after.path(), &[], false).0, Vec::<String>::new());
        fs::write(after.path().join("m.pyc"), [1, 2, 3, 4, 0, 0, 0, 0, 8, 0, 0, 0, 9, 9, 9, 9, 6]).unwrap();
        assert_eq!(compare(before.path(), after.path(), &[], false).0, ["/m.pyc Content 0"]);
    }

    #[test]
    fn links_are_not_followed() {
        let (before, after) = trees();
        for tree in [&before, &after] {
            symlink("/", tree.path().join("root")).unwrap();
            symlink("loop", tree.path().join("loop")).unwrap();
        }
        assert_eq!(compare(before.path(), after.path(), &[], false), (vec![], vec![]));
        assert!(
            compare_trees(Path::new("/no/such"), after.path(), &Allowed::default(), &TreeOptions::default()).is_err()
        );
    }
}
