use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;

use super::*;
use crate::layer::{Entry, Kind};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(dir.path().join("store")).expect("a store");
    (dir, store)
}

/// Overlay mounts need root or a user namespace of one's own; tests of the command cover the second.
fn mounts() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: overlayfs can only be mounted by root here");
    }
    root
}

fn shell(dir: &Path, script: &str) {
    let done = Command::new("sh").args(["-euc", script]).current_dir(dir).output().expect("sh");
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Names in a layer, whiteouts with their marks.
fn names(store: &Store, layer: &Layer) -> Vec<String> {
    let mut archive = tar::Archive::new(store.open_blob(&layer.diff_id).expect("a blob"));
    let entries = archive.entries().expect("entries");
    entries.map(|e| String::from_utf8_lossy(&e.expect("an entry").path_bytes()).into_owned()).collect()
}

/// Everything a reader can see of a tree.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.expect("an entry");
        let meta = fs::symlink_metadata(entry.path()).expect("metadata");
        let content = if meta.is_file() {
            let mut text = Vec::new();
            fs::File::open(entry.path()).and_then(|mut f| f.read_to_end(&mut text)).expect("content");
            format!("{} links {}", Digest::of(&text), meta.nlink())
        } else if meta.is_symlink() {
            fs::read_link(entry.path()).expect("a target").display().to_string()
        } else {
            String::new()
        };
        let name = entry.path().strip_prefix(root).expect("below").display().to_string();
        let line = format!("{:o} {}:{} {} {content}", meta.mode(), meta.uid(), meta.gid(), meta.mtime());
        seen.insert(name, line);
    }
    seen
}

fn base(snapshots: &Snapshots) -> Layer {
    let layer = snapshots.commit_tar::<SnapshotError>(&[], &CommitOptions::default(), |tar| {
        let dir =
            Entry { path: b"etc", kind: Kind::Dir, mode: 0o755, uid: 0, gid: 0, mtime: 1_600_000_000, xattrs: &[] };
        tar.entry(&dir)?;
        tar.file(&Entry { path: b"etc/passwd", mode: 0o644, ..dir }, b"root:x:0:0::/root:/bin/sh\n")?;
        tar.entry(&Entry { path: b"tmp", mode: 0o1777, ..dir })?;
        Ok(())
    });
    layer.expect("a base layer")
}

#[test]
fn layers_list_what_buildkit_lists() {
    if !mounts() {
        return;
    }
    let (_dir, store) = store();
    let snapshots = Snapshots::new(&store).expect("snapshots");
    let mut layers = vec![base(&snapshots)];
    // The steps and the answers are those of the shared conformance case `run-changes`.
    for (script, expected) in [
        (
            "mkdir -p a/b o/1; echo 1 > a/b/f; echo 2 > a/g; echo 3 > o/1/x; echo 4 > o/2; mkdir tofile; echo 5 > todir
             ln -s a lnk; echo c > c; echo m > m; echo t > t; touch -d @1600000000 t",
            "a/ a/b/ a/b/f a/g c lnk m o/ o/1/ o/1/x o/2 t todir tofile/",
        ),
        ("rm -r a/b; rm a/g; echo new > a/n", "a/ a/.wh.b a/.wh.g a/n"),
        ("rm -rf o; mkdir o; echo z > o/z", "o/ o/.wh.1 o/.wh.2 o/z"),
        ("rmdir tofile; echo f > tofile; rm todir; mkdir todir", "todir/ tofile"),
        ("chmod 600 c; chown 3:4 m; touch -d @1500000000 t; rm lnk; ln -s o lnk", "c lnk m t"),
        ("cp -a a a2; rm -r a; ln c c-hard", ".wh.a a2/ a2/n c-hard"),
        ("chown -R 0:0 etc; touch etc; mkdir tmp/x; rmdir tmp/x", ""),
        ("true", ""),
        ("rm -rf o; mkdir -p o/1; echo y > o/1/y", "o/ o/1/ o/1/y o/.wh.z"),
        ("rm -rf etc; mkdir -m 700 etc; mkdir etc/passwd", "etc/ etc/passwd/"),
    ] {
        let active = snapshots.prepare(&layers).expect("a root");
        shell(active.root(), script);
        let before = tree(active.root());
        let layer = snapshots.commit(active, &CommitOptions::default()).expect("a layer");
        assert_eq!(names(&store, &layer).join(" "), expected, "{script}");
        layers.push(layer);
        let view = snapshots.view(&layers).expect("a view");
        let mut after = tree(view.root());
        if layers.last().is_some_and(|layer| layer.diff_id == Digest::EMPTY_LAYER) {
            // Directories whose time alone changed are not in the layer, so not in what is kept of it either.
            for name in ["etc", "tmp"] {
                after.insert(name.to_owned(), before[name].clone());
            }
        }
        assert_eq!(after, before, "{script}");
    }
    assert_eq!(layers[8].diff_id, Digest::EMPTY_LAYER);

    // The same layers unpacked from their blobs give the same tree, but for links BuildKit breaks too and for the times
    // of directories that only lost or gained a name.
    let kept = snapshots.view(&layers).expect("a view");
    let mut before = tree(kept.root());
    drop(kept);
    fs::remove_dir_all(&snapshots.dir).expect("removed");
    let snapshots = Snapshots::new(&store).expect("snapshots");
    let mut after = tree(snapshots.view(&layers).expect("a view").root());
    for seen in [&mut before, &mut after] {
        for name in ["tmp", "c", "c-hard"] {
            seen.remove(name).expect(name);
        }
    }
    assert_eq!(after, before);
}

#[test]
fn the_same_changes_make_the_same_bytes() {
    if !mounts() {
        return;
    }
    let (_dir, store) = store();
    let snapshots = Snapshots::new(&store).expect("snapshots");
    let layers = [base(&snapshots)];
    let options = CommitOptions { created_by: Some("RUN x".to_owned()), clamp: Some(1_500_000_000) };
    let mut made = Vec::new();
    for order in ["b a c", "c b a"] {
        let active = snapshots.prepare(&layers).expect("a root");
        shell(
            active.root(),
            &format!("for d in {order}; do mkdir $d; echo $d > $d/f; ln $d/f $d/g; mkfifo $d/p; done"),
        );
        made.push(snapshots.commit(active, &options).expect("a layer"));
    }
    assert_eq!(made[0], made[1]);
    assert_eq!(made[0].size % 512, 0);
    assert_eq!(made[0].blob.map(|blob| blob.digest), Some(made[0].diff_id));
}

#[test]
fn nothing_stays_of_what_is_not_committed() {
    if !mounts() {
        return;
    }
    let (_dir, store) = store();
    let snapshots = Snapshots::new(&store).expect("snapshots");
    let layers = [base(&snapshots)];
    let active = snapshots.prepare(&layers).expect("a root");
    shell(active.root(), "mkdir -p x/y; chmod 0 x; rm etc/passwd");
    assert!(active.is_changed());
    drop(active);
    assert!(snapshots.view(&layers).expect("a view").root().join("etc/passwd").exists());
    snapshots.settle();
    assert_eq!(fs::read_dir(store.root().join("tmp")).expect("tmp").count(), 0);
}

#[test]
fn more_layers_than_a_page_of_options() {
    if !mounts() {
        return;
    }
    let (_dir, store) = store();
    let snapshots = Snapshots::new(&store).expect("snapshots");
    let mut layers = vec![base(&snapshots)];
    for number in 0..130 {
        let layer = snapshots.commit_tar::<SnapshotError>(&layers, &CommitOptions::default(), |tar| {
            let path = format!("f{number}");
            let kind = Kind::File { size: 0 };
            let entry = Entry { path: path.as_bytes(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: &[] };
            Ok(tar.file(&entry, path.as_bytes())?)
        });
        layers.push(layer.expect("a layer"));
    }
    let active = snapshots.prepare(&layers).expect("a root");
    assert_eq!(fs::read(active.root().join("f0")).expect("the lowest"), b"f0");
    shell(active.root(), "rm f0; echo new > f129");
    layers.push(snapshots.commit(active, &CommitOptions::default()).expect("a layer"));
    let view = snapshots.view(&layers).expect("a view");
    assert!(!view.root().join("f0").exists());
    assert_eq!(fs::read(view.root().join("f129")).expect("the highest"), b"new\n");
}

#[test]
fn a_damaged_layer_is_never_handed_out() {
    let (_dir, store) = store();
    let snapshots = Snapshots::new(&store).expect("snapshots");
    let layer = base(&snapshots);
    let path = store.blob_path(&layer.diff_id);
    let mut bytes = fs::read(&path).expect("the blob");
    let last = bytes.len() - 2000;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).expect("damaged");
    assert!(snapshots.view(std::slice::from_ref(&layer)).is_err());
    bytes.truncate(1024);
    fs::write(&path, &bytes).expect("cut");
    let error = snapshots.view(std::slice::from_ref(&layer)).expect_err("cut short");
    assert!(matches!(error, SnapshotError::Store(crate::store::StoreError::Size { .. })), "{error}");
    assert_eq!(fs::read_dir(store.root().join("snapshots/root")).map_or(0, Iterator::count), 0);
}

#[test]
fn what_a_step_costs() {
    if !mounts() {
        return;
    }
    let (_dir, store) = store();
    let snapshots = Snapshots::new(&store).expect("snapshots");
    let layers = [base(&snapshots)];
    drop(snapshots.prepare(&layers).expect("a root"));
    let (mut prepare, mut commit) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    for _ in 0..20 {
        let start = std::time::Instant::now();
        let active = snapshots.prepare(&layers).expect("a root");
        prepare += start.elapsed();
        let start = std::time::Instant::now();
        let layer = snapshots.commit(active, &CommitOptions::default()).expect("a layer");
        commit += start.elapsed();
        assert_eq!(layer.diff_id, Digest::EMPTY_LAYER);
    }
    eprintln!("prepare {:?}, commit of nothing and unmount {:?}", prepare / 20, commit / 20);
}
