//! RUN: a process in the root filesystem so far, and what it changed as a layer.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::gather::{Taking, digest, field, gather};
use super::upper::{EmptyTree, Upper};
use super::{BuildError, Builder, Done, Place, Result, Secret, chain, copy};
use crate::digest::{Digest, Hasher};
use crate::exec::{self, Capabilities, Mount, MountKind, Network, Process, Seccomp, Security, Status, Stream};
use crate::image::Layer;
use crate::layer::LayerError;
use crate::owners;
use crate::plan::{DEFAULT_PATH, MountSpec, MountType, RunAction, Sharing};
use crate::rootfs::{DirTree, resolve};
use crate::snapshot::{Active, CommitOptions, Point, SnapshotError, View};

/// Lines of output that an error shows.
const LAST_LINES: usize = 30;

/// What a mount shows, and what has to stay as long as it is shown.
#[derive(Default)]
struct Mounts {
    mounts: Vec<Mount>,
    env: Vec<(String, String)>,
    _views: Vec<View>,
    _actives: Vec<Active>,
    /// Where the folders of cache mounts are, by ID.
    caches: BTreeMap<String, PathBuf>,
    _locks: Vec<File>,
    _private: Vec<crate::store::Scratch>,
}

impl Builder<'_> {
    /// RUN.
    pub(super) fn run(
        &self,
        action: &RunAction,
        (stage, number): (usize, usize),
        parent: &[Layer],
        place: &Place,
        use_cache: bool,
    ) -> Result<Done> {
        let key = self.run_key(action, stage, parent, place)?;
        if let Some(entry) = self.known(&key, use_cache) {
            return Ok(Done { key, cached: true, entry });
        }
        let wrong = |message: String| BuildError::Instruction { place: Box::new(place.clone()), message, help: None };
        let mut points = vec![Point::File("/etc/resolv.conf"), Point::File("/etc/hosts")];
        if self.options.ca_bundle.is_some() {
            points.extend(exec::CA_BUNDLE_POINTS.map(Point::File));
        }
        let active = self.snapshots.prepare_with(parent, &points).map_err(|e| self.snapshot_error(e, place))?;
        let user = exec::lookup_user(active.root(), &action.user).map_err(|error| BuildError::Instruction {
            place: Box::new(place.clone()),
            message: error.to_string(),
            help: Some("make the user in an earlier step, or give numbers".to_owned()),
        })?;
        let mut process = Process::new(active.root(), action.args.iter().cloned());
        process.upper = Some(active.upper().to_owned());
        process.env.clone_from(&action.env);
        if process.env_value("PATH").is_none() {
            process.env.insert(0, ("PATH".to_owned(), DEFAULT_PATH.to_owned()));
        }
        for (name, value) in self.globals.proxies() {
            if process.env_value(&name).is_none() {
                process.env.push((name, value));
            }
        }
        // An empty one counts as none.
        if process.env_value("HOME").is_none_or(str::is_empty) {
            process.env.retain(|(name, _)| name != "HOME");
            process.env.push(("HOME".to_owned(), user.home.clone()));
        }
        process.user = user;
        // The kernel would not count the group itself among the supplementary ones; Docker puts it there.
        if !process.user.groups.contains(&process.user.gid) {
            process.user.groups.insert(0, process.user.gid);
        }
        process.cwd.clone_from(&action.cwd);
        process.extra_hosts =
            self.options.extra_hosts.iter().map(|(name, address)| (address.clone(), name.clone())).collect();
        process.network = match action.network.as_deref() {
            None | Some("default" | "") => self.options.network,
            Some("host") => Network::Host,
            Some("none") => Network::None,
            Some(other) => return Err(wrong(format!("--network={other} is not default, none or host"))),
        };
        match action.security.as_deref() {
            None | Some("sandbox" | "") => {}
            Some("insecure") if self.options.allow_insecure => {
                process.security = Security::Insecure;
                process.seccomp = Seccomp::Unconfined;
                process.capabilities = Capabilities::ALL;
            }
            Some("insecure") => {
                return Err(BuildError::Instruction {
                    place: Box::new(place.clone()),
                    message: "--security=insecure is not allowed".to_owned(),
                    help: Some("allow it with --allow security.insecure".to_owned()),
                });
            }
            Some(other) => return Err(wrong(format!("--security={other} is not sandbox or insecure"))),
        }
        process.shm_size = self.options.shm_size;
        process.ulimits.clone_from(&self.options.ulimits);
        let mut mounts = Mounts::default();
        self.lock_caches(&action.mounts, place, &mut mounts)?;
        for spec in &action.mounts {
            self.mount(spec, stage, place, &mut mounts)?;
        }
        if let Some((path, text)) = &action.script {
            mounts.mounts.push(Mount::file(path.clone(), text.clone().into_bytes(), 0o755, 0, 0));
        }
        process.mounts.append(&mut mounts.mounts);
        for (name, value) in mounts.env.drain(..) {
            process.set_env(&name, value);
        }
        if let Some(bundle) = &self.options.ca_bundle {
            exec::ca_bundle_mounts(bundle).apply(&mut process);
        }
        let mut last: VecDeque<String> = VecDeque::new();
        process.stop = Some(std::sync::Arc::clone(&self.board.stop));
        let outcome = exec::run_streaming(&process, &mut |stream, line| {
            let line = String::from_utf8_lossy(line);
            self.tell(super::Event::Output { number, stderr: stream == Stream::Stderr, line: &line });
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line.into_owned());
        });
        drop(mounts);
        let outcome = outcome.map_err(|source| BuildError::Exec { place: Box::new(place.clone()), source })?;
        if !outcome.success() {
            let status = match outcome.status {
                Status::Exited(code) => format!("exit code {code}"),
                Status::Signaled(signal) => format!("signal {signal}"),
                Status::TimedOut => "its time over".to_owned(),
            };
            return Err(BuildError::Step {
                place: Box::new(place.clone()),
                command: action.args.join(" "),
                status,
                code: outcome.status.code(),
                output: last.into(),
                disk_full: is_full(active.upper()),
            });
        }
        let options = CommitOptions { created_by: None, clamp: self.options.epoch };
        let layer = self.snapshots.commit(active, &options).map_err(|e| self.snapshot_error(e, place))?;
        let entry = self.keep(&key, layer)?;
        Ok(Done { key, cached: false, entry })
    }

    fn run_key(&self, action: &RunAction, stage: usize, parent: &[Layer], place: &Place) -> Result<Digest> {
        let mut hasher = self.key(b"run", parent);
        if let Some(lineage) = &self.options.lineage {
            field(&mut hasher, b"lineage");
            field(&mut hasher, lineage.as_bytes());
        }
        field(&mut hasher, &(action.args.len() as u64).to_le_bytes());
        for text in &action.args {
            field(&mut hasher, text.as_bytes());
        }
        let mut env = action.env.clone();
        env.sort();
        field(&mut hasher, &(env.len() as u64).to_le_bytes());
        for (name, value) in &env {
            field(&mut hasher, name.as_bytes());
            field(&mut hasher, value.as_bytes());
        }
        let network = format!("{:?}", self.options.network);
        for text in [
            action.cwd.as_str(),
            action.user.as_str(),
            action.network.as_deref().unwrap_or(&network),
            action.security.as_deref().unwrap_or_default(),
        ] {
            field(&mut hasher, text.as_bytes());
        }
        for (name, address) in &self.options.extra_hosts {
            field(&mut hasher, name.as_bytes());
            field(&mut hasher, address.as_bytes());
        }
        if let Some((path, text)) = &action.script {
            field(&mut hasher, path.as_bytes());
            field(&mut hasher, text.as_bytes());
        }
        for spec in &action.mounts {
            self.mount_key(spec, stage, place, &mut hasher)?;
        }
        Ok(hasher.finish())
    }

    /// What a mount adds to a key: what it shows, but neither what a cache holds nor a secret.
    fn mount_key(&self, spec: &MountSpec, stage: usize, place: &Place, hasher: &mut Hasher) -> Result<()> {
        let numbers =
            [spec.mode.unwrap_or(u32::MAX), spec.uid, spec.gid, u32::from(spec.read_only), u32::from(spec.required)];
        field(hasher, format!("{:?}", spec.kind).as_bytes());
        field(hasher, format!("{:?}", spec.sharing).as_bytes());
        for text in [
            &spec.target,
            &spec.source,
            spec.id.as_ref().unwrap_or(&String::new()),
            spec.env.as_ref().unwrap_or(&String::new()),
        ] {
            field(hasher, text.as_bytes());
        }
        for number in numbers {
            field(hasher, &number.to_le_bytes());
        }
        field(hasher, &spec.size.unwrap_or(0).to_le_bytes());
        if !matches!(spec.kind, MountType::Bind | MountType::Cache) {
            return Ok(());
        }
        match &spec.from {
            Some(from) => {
                let layers = self.origin(from, stage, place)?;
                field(hasher, &chain(&layers));
            }
            None if spec.kind == MountType::Bind => {
                let taking = Taking { exclude: &[], parents: false };
                let found = gather(&self.context, &literal(&spec.source), &taking)
                    .map_err(|_| self.no_mount_source(spec, place))?;
                digest(&self.context, &found, &self.digests, false, hasher)
                    .map_err(|_| self.no_mount_source(spec, place))?;
            }
            None => {}
        }
        Ok(())
    }

    fn no_mount_source(&self, spec: &MountSpec, place: &Place) -> BuildError {
        let source = spec.source.trim_start_matches('/').to_owned();
        BuildError::NotFound {
            place: Box::new(Place { range: spec.range, ..place.clone() }),
            ignored: self.context.leaves_out(Path::new(&source)),
            source_path: source,
            origin: spec.from.clone().unwrap_or_else(|| "the build context".to_owned()),
            similar: None,
        }
    }

    fn mount(&self, spec: &MountSpec, stage: usize, place: &Place, mounts: &mut Mounts) -> Result<()> {
        let io = |action: &'static str, path: &Path| io(place, action, path);
        match spec.kind {
            MountType::Bind => {
                let layers = match &spec.from {
                    // Stages are known by name here, never by number.
                    Some(from) if from.parse::<usize>().is_ok() => {
                        let platform = self.platform.clone();
                        self.image(from, &platform, place)?.layers
                    }
                    Some(from) => self.origin(from, stage, place)?,
                    None => vec![self.context_layer(spec, place)?],
                };
                let root = if spec.read_only {
                    let view = self.snapshots.view(&layers).map_err(|e| self.snapshot_error(e, place))?;
                    let root = view.root().to_owned();
                    mounts._views.push(view);
                    root
                } else {
                    let active = self.snapshots.prepare(&layers).map_err(|e| self.snapshot_error(e, place))?;
                    let root = active.root().to_owned();
                    mounts._actives.push(active);
                    root
                };
                let tree = DirTree::open(&root).map_err(io("open", &root))?;
                let found =
                    resolve(&tree, Path::new(&spec.source), true).map_err(io("find", Path::new(&spec.source)))?;
                if found.node.is_none() {
                    return Err(self.no_mount_source(spec, place));
                }
                mounts.mounts.push(Mount::bind(root.join(found.path), spec.target.clone(), spec.read_only));
            }
            MountType::Cache => {
                let path = self.cache_dir(spec, stage, place, mounts)?;
                mounts.mounts.push(Mount::bind(path, spec.target.clone(), spec.read_only));
            }
            MountType::Tmpfs => {
                mounts.mounts.push(Mount::tmpfs(spec.target.clone(), spec.size));
            }
            MountType::Secret => {
                let id = spec.id.clone().unwrap_or_default();
                let Some(secret) = self.options.secrets.get(&id) else {
                    if spec.required {
                        return Err(BuildError::Instruction {
                            place: Box::new(Place { range: spec.range, ..place.clone() }),
                            message: format!("secret {id}: not found, and the mount requires it"),
                            help: Some(format!("pass --secret id={id},src=FILE")),
                        });
                    }
                    if let Some(name) = &spec.env {
                        mounts.env.push((name.clone(), String::new()));
                    }
                    return Ok(());
                };
                let content = match secret {
                    Secret::Value(bytes) => bytes.clone(),
                    Secret::File(path) => std::fs::read(path).map_err(io("read the secret", path))?,
                };
                if let Some(name) = &spec.env {
                    mounts.env.push((name.clone(), String::from_utf8_lossy(&content).into_owned()));
                }
                if !spec.target.is_empty() {
                    let mode = spec.mode.unwrap_or(0o400);
                    let kind = MountKind::File { content, mode, uid: spec.uid, gid: spec.gid };
                    mounts.mounts.push(Mount { target: spec.target.clone(), kind, read_only: true });
                }
            }
            MountType::Ssh => {
                let id = spec.id.clone().unwrap_or_default();
                mounts.env.push(("SSH_AUTH_SOCK".to_owned(), spec.target.clone()));
                let Some(socket) = self.options.ssh.get(&id) else {
                    if spec.required {
                        return Err(BuildError::Instruction {
                            place: Box::new(Place { range: spec.range, ..place.clone() }),
                            message: format!("ssh agent {id}: not given, and the mount requires it"),
                            help: Some(format!("pass --ssh {id}")),
                        });
                    }
                    // The variable is there all the same.
                    return Ok(());
                };
                mounts.mounts.push(Mount::bind(socket.clone(), spec.target.clone(), false));
            }
        }
        Ok(())
    }

    /// The part of the context that a mount shows, as a layer on nothing: owners, and what the ignore file leaves out, are
    /// then those of a COPY.
    fn context_layer(&self, spec: &MountSpec, place: &Place) -> Result<Layer> {
        self.check_ignore(place)?;
        let taking = Taking { exclude: &[], parents: false };
        let source = literal(&spec.source);
        let found = gather(&self.context, &source, &taking).map_err(|_| self.no_mount_source(spec, place))?;
        let mut hasher = self.key(b"context mount", &[]);
        field(&mut hasher, spec.source.as_bytes());
        digest(&self.context, &found, &self.digests, false, &mut hasher)
            .map_err(|_| self.no_mount_source(spec, place))?;
        let key = hasher.finish();
        if let Some(entry) = self.known(&key, true) {
            return Ok(super::above(&[], entry.layer));
        }
        let lower = EmptyTree;
        let mut upper = Upper::new(&lower, self.now());
        let copying = copy::Copying { chown: None, chmod: None, keeps_owners: false };
        for source in &found {
            copy::copy(&mut upper, &self.context, 0, source, &spec.source, &copying).map_err(|error| {
                BuildError::Copy { place: Box::new(place.clone()), path: error.path, reason: error.reason }
            })?;
        }
        let layer = self.snapshots.commit_tar(&[], &CommitOptions::default(), |writer| {
            upper.write(writer, &[&self.context], &[]).map_err(SnapshotError::from)
        });
        let layer = layer.map_err(|e| self.snapshot_error(e, place))?;
        Ok(self.keep(&key, layer)?.layer)
    }

    /// Locks the caches that a RUN mounts, each once and in the order of their IDs: stages side by side that mount the same ones
    /// then never wait for each other. With `sharing=private` a cache that another build has is one of its own.
    fn lock_caches(&self, specs: &[MountSpec], place: &Place, mounts: &mut Mounts) -> Result<()> {
        let mut caches: BTreeMap<&str, Sharing> = BTreeMap::new();
        for spec in specs.iter().filter(|spec| spec.kind == MountType::Cache) {
            caches.entry(spec.id.as_deref().unwrap_or_default()).or_insert(spec.sharing);
        }
        for (id, sharing) in caches {
            let directory = self.store.private_dir("cache-mounts")?.join(Digest::of(id.as_bytes()).hex());
            std::fs::create_dir_all(&directory).map_err(io(place, "create", &directory))?;
            let lock_path = directory.join("lock");
            let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
            let lock = lock.map_err(io(place, "open", &lock_path))?;
            let mut path = directory.join("fs");
            match sharing {
                Sharing::Private if lock.try_lock().is_err() => {
                    let scratch = self.store.scratch()?;
                    path = scratch.path().join("fs");
                    mounts._private.push(scratch);
                }
                Sharing::Private => {}
                sharing => loop {
                    let got = if sharing == Sharing::Locked { lock.try_lock() } else { lock.try_lock_shared() };
                    match got {
                        Ok(()) => break,
                        Err(TryLockError::Error(error)) => return Err(io(place, "lock", &lock_path)(error)),
                        Err(TryLockError::WouldBlock) if self.board.stop.is_stopped() => {
                            return Err(super::another_failed(place));
                        }
                        Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
                    }
                },
            }
            mounts._locks.push(lock);
            mounts.caches.insert(id.to_owned(), path);
        }
        Ok(())
    }

    /// The directory of a cache mount whose lock is held.
    fn cache_dir(&self, spec: &MountSpec, stage: usize, place: &Place, mounts: &Mounts) -> Result<PathBuf> {
        let io = |action: &'static str, path: &Path| io(place, action, path);
        let from = match &spec.from {
            Some(from) => Some(self.origin(from, stage, place)?),
            None => None,
        };
        let path = mounts.caches.get(spec.id.as_deref().unwrap_or_default()).cloned().unwrap_or_default();
        if path.is_dir() {
            return Ok(path);
        }
        // What it begins with is made beside it, so that nobody sees half of it.
        let scratch = self.store.scratch()?;
        let fresh = scratch.path().join("fs");
        std::fs::create_dir(&fresh).map_err(io("create", &fresh))?;
        if let Some(layers) = &from {
            let view = self.snapshots.view(layers).map_err(|e| self.snapshot_error(e, place))?;
            let tree = DirTree::open(view.root()).map_err(io("open", view.root()))?;
            let taking = Taking { exclude: &[], parents: false };
            let found =
                gather(&tree, &literal(&spec.source), &taking).map_err(|_| self.no_mount_source(spec, place))?;
            for source in &found {
                for below in &source.below {
                    let (old, new) = (view.root().join(&source.root).join(&below.path), fresh.join(&below.path));
                    copy_plain(&old, &new, &below.node).map_err(io("copy", &new))?;
                }
            }
        }
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(spec.mode.unwrap_or(0o755)))
            .and_then(|()| owners::give(&fresh, spec.uid, spec.gid))
            .map_err(io("set owner and mode of", &fresh))?;
        // Another build may have been quicker, and its folder, empty as it is, must not be replaced: it may be mounted.
        let here = rustix::fs::CWD;
        match rustix::fs::renameat_with(here, &fresh, here, &path, rustix::fs::RenameFlags::NOREPLACE) {
            Ok(()) => Ok(path),
            Err(_) if path.is_dir() => Ok(path),
            Err(error) => Err(io("create", &path)(error.into())),
        }
    }

    pub(super) fn snapshot_error(&self, source: SnapshotError, place: &Place) -> BuildError {
        BuildError::Layer { place: Box::new(place.clone()), source }
    }
}

/// What a failure of the file system at `path` is to the step at `place`.
fn io(place: &Place, action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BuildError + use<> {
    let (place, path) = (Box::new(place.clone()), path.to_owned());
    move |source| BuildError::Layer { place, source: SnapshotError::from(LayerError::Io { action, path, source }) }
}

/// Whether next to nothing can be written there. What a process is told then is not always that the disk is full.
fn is_full(path: &Path) -> bool {
    nix::sys::statvfs::statvfs(path).is_ok_and(|disk| {
        let fragment = disk.fragment_size();
        disk.blocks_available().saturating_mul(fragment) < 1 << 20 || disk.files() > 0 && disk.files_available() == 0
    })
}

/// A path that means itself, wildcards included.
pub(super) fn literal(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn copy_plain(old: &Path, new: &Path, node: &crate::rootfs::Node) -> std::io::Result<()> {
    use crate::rootfs::NodeKind;
    match node.kind {
        NodeKind::Dir => std::fs::create_dir(new)?,
        NodeKind::File => {
            std::fs::copy(old, new)?;
        }
        NodeKind::Symlink => std::os::unix::fs::symlink(std::fs::read_link(old)?, new)?,
        _ => return Ok(()),
    }
    owners::give(new, node.uid, node.gid)?;
    if node.kind != NodeKind::Symlink {
        std::fs::set_permissions(new, std::fs::Permissions::from_mode(node.mode))?;
    }
    Ok(())
}
