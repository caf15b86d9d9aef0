use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::snapshot::{CommitOptions, SnapshotError, Snapshots};

const CHILD: &str = "PLIMSOLL_STORE_TEST_CHILD";

fn new() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(dir.path().join("store")).expect("a store");
    (dir, store)
}

fn image(store: &Store, number: u32) -> Image {
    let snapshots = Snapshots::new(store).expect("snapshots");
    let layer = snapshots.commit_tar::<SnapshotError>(&[], &CommitOptions::default(), |tar| {
        let kind = crate::layer::Kind::Dir;
        let entry = crate::layer::Entry { path: b"f", kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: &[] };
        Ok(tar.file(&entry, number.to_string().repeat(20_000).as_bytes())?)
    });
    let layers = vec![layer.expect("a layer")];
    let host = Platform::host();
    let config = ImageConfig { os: host.os, architecture: host.architecture, ..ImageConfig::default() };
    store.put_image(&config, &layers, &BTreeMap::new()).expect("an image")
}

/// Starts this program again to do `what` to a store.
fn child(what: &str, store: &Store) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", "store::tests::in_another_process", "--nocapture"])
        .env(CHILD, format!("{what}:{}", store.root().display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

/// Not a test of its own: what the children of the others do.
#[test]
fn in_another_process() {
    let Ok(what) = std::env::var(CHILD) else { return };
    let (what, root) = what.split_once(':').expect("what and where");
    let store = Store::open(root).expect("a store");
    match what {
        "write" => {
            for number in 0.. {
                let image = image(&store, number);
                store.tag(&format!("image:{}", number % 7), &image.manifest).expect("tagged");
                store.cache_put(&Digest::of(&number.to_le_bytes()), &image.layers).expect("cached");
                let mut unfinished = store.writer().expect("a writer");
                unfinished.write_all(&[1; 100_000]).expect("written");
                let scratch = store.scratch().expect("a directory");
                fs::create_dir_all(scratch.path().join("a/b")).expect("created");
            }
        }
        "tag" => {
            let image = image(&store, 1);
            for number in 0..40 {
                store.tag(&format!("by-{}:{number}", std::process::id()), &image.manifest).expect("tagged");
            }
        }
        other => panic!("{other}"),
    }
}

#[test]
fn opened_twice_and_found_again() {
    let (dir, store) = new();
    let image = image(&store, 1);
    store.tag("debian:bookworm", &image.manifest).expect("tagged");
    drop(store);
    let store = Store::open(dir.path().join("store")).expect("a store");
    for name in ["debian:bookworm", "docker.io/library/debian:bookworm", &format!("debian@{}", image.manifest)] {
        assert_eq!(store.resolve(name).expect("resolved").as_ref(), Some(&image), "{name}");
    }
    assert_eq!(store.resolve("debian").expect("resolved"), None);
    let other = Platform::parse("linux/s390x").expect("a platform");
    assert_eq!(store.resolve_for("debian:bookworm", &other).expect("resolved"), None);
    assert_eq!(store.list().expect("names")[0].reference.as_deref(), Some("docker.io/library/debian:bookworm"));
    assert!(store.untag("debian:bookworm").expect("untagged"));
    assert!(!store.untag("debian:bookworm").expect("untagged"));
    assert_eq!(store.resolve("debian:bookworm").expect("resolved"), None);
}

#[test]
fn one_name_has_an_image_for_each_platform() {
    let (_dir, store) = new();
    let mut images = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let config = ImageConfig { os: "linux".into(), architecture: architecture.into(), ..ImageConfig::default() };
        let image = store.put_image(&config, &[], &BTreeMap::new()).expect("an image");
        store.tag("app", &image.manifest).expect("tagged");
        images.push(image);
    }
    for image in &images {
        assert_eq!(store.resolve_for("app", &image.platform()).expect("resolved").as_ref(), Some(image));
    }
    assert_eq!(store.list().expect("names").len(), 2);
    let index = store.path("index.json");
    let before = fs::metadata(&index).and_then(|meta| meta.modified()).expect("a time");
    store.tag("app", &images[0].manifest).expect("tagged again");
    assert_eq!(fs::metadata(&index).and_then(|meta| meta.modified()).expect("a time"), before);
}

#[test]
fn the_same_image_is_the_same_bytes() {
    let (_a, first) = new();
    let (_b, second) = new();
    assert_eq!(image(&first, 3), image(&second, 3));
}

#[test]
fn nothing_wrong_is_published() {
    let (_dir, store) = new();
    let write = |bytes: &[u8]| {
        let mut writer = store.writer().expect("a writer");
        writer.write_all(bytes).expect("written");
        writer
    };
    let right = BlobRef { digest: Digest::of(b"abc"), size: 3 };
    assert!(matches!(write(b"abd").commit(Some(&right)), Err(StoreError::Digest { .. })));
    let short = BlobRef { size: 2, ..right };
    assert!(matches!(write(b"abc").commit(Some(&short)), Err(StoreError::Size { .. })));
    drop(write(b"abc"));
    assert!(!store.has(&right.digest));
    assert_eq!(fs::read_dir(store.path("tmp")).expect("tmp").count(), 0);
    assert_eq!(write(b"abc").commit(Some(&right)).expect("committed"), right);
    assert_eq!(store.read_blob(&right.digest).expect("read"), b"abc");
    fs::write(store.blob_path(&right.digest), b"abx").expect("damaged");
    assert!(matches!(store.read_blob(&right.digest), Err(StoreError::Digest { .. })));
    assert_eq!(store.verify().expect("verified").problems, [Problem::Damaged(right.digest)]);
    // One that was cut short is written anew.
    fs::write(store.blob_path(&right.digest), b"a").expect("cut");
    assert_eq!(store.put_bytes(b"abc").expect("stored"), right);
    assert_eq!(store.read_blob(&right.digest).expect("read"), b"abc");
}

#[test]
fn pruning_takes_what_nothing_names() {
    let (_dir, store) = new();
    let snapshots = Snapshots::new(&store).expect("snapshots");
    let (kept, cached, loose) = (image(&store, 1), image(&store, 2), image(&store, 3));
    store.tag("kept", &kept.manifest).expect("tagged");
    store.cache_put(&Digest::of(b"step"), &cached.layers).expect("cached");
    for image in [&kept, &cached, &loose] {
        if nix::unistd::geteuid().is_root() {
            snapshots.unpack(&image.layers).expect("unpacked");
        }
    }
    fs::create_dir_all(store.path("tmp/1-2/root/deep")).expect("created");
    fs::write(store.path("tmp/3"), b"half a blob").expect("written");
    let pruned = store.prune(&PruneOptions::default()).expect("pruned");
    // The loose image's manifest, configuration and layer, and the cached one's manifest and configuration.
    assert_eq!((pruned.blobs, pruned.unfinished, pruned.cache_entries), (5, 2, 0));
    assert!(store.resolve("kept").expect("resolved").is_some());
    assert!(store.has(&cached.layers[0].diff_id));
    assert!(!store.has(&loose.layers[0].diff_id));
    let again = store.prune(&PruneOptions::default()).expect("pruned");
    assert_eq!(again, Pruned::default());
    let pruned =
        store.prune(&PruneOptions { cache: true, snapshots: true, ..PruneOptions::default() }).expect("pruned");
    assert_eq!((pruned.blobs, pruned.cache_entries), (1, 1));
    assert_eq!(store.verify().expect("verified").blobs, 3);

    let other = Store::open(store.root()).expect("a second user");
    assert!(matches!(store.prune(&PruneOptions::default()), Err(StoreError::Busy(_))));
    drop(other);
    fs::write(store.blob_path(&kept.layers[0].diff_id), b"damaged").expect("damaged");
    let pruned = store.prune(&PruneOptions { verify: true, ..PruneOptions::default() }).expect("pruned");
    assert_eq!(pruned.blobs, 1);
    assert_eq!(store.verify().expect("verified").problems.len(), 1);
}

#[test]
fn killed_at_any_moment_it_stays_usable() {
    let (_dir, store) = new();
    for round in 0..12 {
        let mut child = child("write", &store);
        let start = Instant::now();
        while store.list().expect("names").is_empty() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(5 + round * 9));
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert_eq!(store.verify().expect("verified").problems, []);
        let names = store.list().expect("names");
        assert!(!names.is_empty());
        for name in names {
            assert!(store.resolve(&name.reference.expect("a name")).expect("resolved").is_some());
        }
    }
    store.prune(&PruneOptions { cache: true, ..PruneOptions::default() }).expect("pruned");
    assert_eq!(fs::read_dir(store.path("tmp")).expect("tmp").count(), 0);
    assert_eq!(store.verify().expect("verified").problems, []);
}

#[test]
fn no_name_is_lost_between_processes() {
    let (_dir, store) = new();
    let children: Vec<Child> = (0..4).map(|_| child("tag", &store)).collect();
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }
    assert_eq!(store.list().expect("names").len(), 160);
}

#[test]
fn another_boot_forgets_what_may_not_be_on_the_disk() {
    let (_dir, store) = new();
    let root = store.root().to_owned();
    let place = store.private_dir("snapshots/root").expect("a directory").join("x");
    fs::create_dir(&place).expect("created");
    drop(Store::open(&root).expect("the same boot"));
    assert!(place.exists());
    fs::write(root.join("boot"), b"another").expect("written");
    drop(Store::open(&root).expect("another boot"));
    assert!(!place.exists());
    assert!(root.join("snapshots").is_dir());
}

#[test]
fn images_that_contradict_themselves_are_refused() {
    let (_dir, store) = new();
    let image = image(&store, 1);
    let text = String::from_utf8(store.read_blob(&image.manifest).expect("read")).expect("JSON");
    for (from, to) in [
        (image.layers[0].diff_id.to_string(), Digest::of(b"elsewhere").to_string()),
        ("\"layers\":[".to_owned(), "\"layers\":[],\"x\":[".to_owned()),
        ("{".to_owned(), "[{".to_owned()),
    ] {
        let bad = store.put_bytes(text.replacen(&from, &to, 1).as_bytes()).expect("stored");
        assert!(store.image(&bad.digest).is_err(), "{to}");
    }
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, media::INDEX);
    let index = store.put_bytes(index.as_bytes()).expect("stored");
    assert!(store.image(&index.digest).expect_err("empty").to_string().contains("no image for"));
}
