use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::digest::Digest;
use crate::image::{Image, ImageConfig, media};
use crate::layer::{Compression, Entry, Kind, LayerError};
use crate::snapshot::{CommitOptions, SnapshotError, Snapshots};
use crate::store::{Store, StoreError};

pub(crate) fn small_image(store: &Store) -> Image {
    let snapshots = Snapshots::new(store).expect("snapshots");
    let mut layers = Vec::new();
    for number in 0..3_u8 {
        let layer = snapshots.commit_tar::<SnapshotError>(&layers, &CommitOptions::default(), |tar| {
            let dir = Entry { path: b"d", kind: Kind::Dir, mode: 0o755, uid: 0, gid: 0, mtime: 7, xattrs: &[] };
            tar.entry(&dir)?;
            let path = format!("d/{number}");
            let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at >> (number + 3)) as u8).collect();
            tar.file(&Entry { path: path.as_bytes(), mode: 0o644, ..dir }, &bytes)?;
            if number == 2 {
                tar.whiteout(b"d/0")?;
            }
            Ok(())
        });
        layers.push(layer.expect("a layer"));
    }
    let mut config = ImageConfig { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..ImageConfig::default() };
    config.config.env.push("A=1".to_owned());
    config.other.insert("odd".to_owned(), serde_json::json!([1]));
    store.put_image(&config, &layers, &BTreeMap::new()).expect("an image")
}

fn have(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: {tool} is not installed");
    }
    found
}

fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().expect(program);
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn other_tools_read_the_store_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path().join("store")).expect("a store");
    let image = small_image(&store);
    store.tag("inventory:1", &image.manifest).expect("tagged");
    let root = store.root().display().to_string();
    if have("skopeo") {
        let seen = run("skopeo", &["inspect", "--raw", &format!("oci:{root}:docker.io/library/inventory:1")]);
        assert_eq!(Digest::of(seen.as_bytes()), image.manifest);
        let copy = dir.path().join("copy");
        let to = format!("oci:{}:x", copy.display());
        run("skopeo", &["copy", "-q", "--insecure-policy", &format!("oci:{root}:docker.io/library/inventory:1"), &to]);
        let copied = load(&Store::open(dir.path().join("second")).expect("a store"), &copy, Some("x")).expect("loaded");
        assert_eq!(copied[0].image.config, image.config);
        let ids = |image: &Image| image.layers.iter().map(|layer| (layer.diff_id, layer.size)).collect::<Vec<_>>();
        assert_eq!(ids(&copied[0].image), ids(&image));
    }
    if have("umoci") {
        let to = dir.path().join("bundle").display().to_string();
        run(
            "umoci",
            &["raw", "unpack", "--rootless", "--image", &format!("{root}:docker.io/library/inventory:1"), &to],
        );
        assert!(!Path::new(&to).join("d/0").exists());
        assert_eq!(fs::metadata(Path::new(&to).join("d/2")).expect("a file").len(), 3_000_000);
    }
}

#[test]
fn there_and_back_in_every_form() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path().join("store")).expect("a store");
    let image = small_image(&store);
    let named = [Named { image: &image, references: vec!["docker.io/library/inventory:1".to_owned()] }];
    let mut seen = BTreeMap::new();
    for format in [Format::OciDirectory, Format::OciArchive, Format::DockerArchive] {
        for compression in [None, Some(Compression::None), Some(Compression::Gzip), Some(Compression::Zstd)] {
            let options = ExportOptions { format, compression, level: None };
            let path = dir.path().join(format!("{format:?}-{compression:?}"));
            export(&store, &named, &options, &path).expect("exported");
            if path.is_file() {
                let bytes = fs::read(&path).expect("the archive");
                export(&store, &named, &options, &path).expect("exported again");
                assert_eq!(Digest::of(&fs::read(&path).expect("the archive")), Digest::of(&bytes));
                seen.insert(format!("{format:?} {compression:?}"), bytes.len());
            }
            let other = Store::open(dir.path().join(format!("store-{format:?}-{compression:?}"))).expect("a store");
            let loaded = load(&other, &path, None).expect("loaded");
            assert_eq!(loaded.len(), 1);
            assert_eq!(loaded[0].reference.as_deref(), Some("docker.io/library/inventory:1"));
            assert_eq!(loaded[0].image.config_digest, image.config_digest);
            assert_eq!(loaded[0].image.config.other["odd"], serde_json::json!([1]));
            let again = other.resolve("inventory:1").expect("resolved").expect("there");
            assert_eq!(again.size(), image.size());
            let view = Snapshots::new(&other).expect("snapshots").view(&again.layers);
            if nix::unistd::geteuid().is_root() {
                let view = view.expect("a view");
                assert!(!view.root().join("d/0").exists());
                assert_eq!(fs::metadata(view.root().join("d/2")).expect("a file").len(), 3_000_000);
            }
            assert_eq!(other.verify().expect("verified").problems, []);
        }
    }
    eprintln!("{seen:?}");
    assert!(seen["OciArchive Some(Gzip)"] < seen["OciArchive None"] / 3);
}

#[test]
fn skopeo_reads_the_docker_archive() {
    if !have("skopeo") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path().join("store")).expect("a store");
    let image = small_image(&store);
    let named = [Named { image: &image, references: vec!["inventory:1".to_owned()] }];
    for (format, transport) in [(Format::DockerArchive, "docker-archive"), (Format::OciArchive, "oci-archive")] {
        for compression in [None, Some(Compression::Gzip)] {
            let path = dir.path().join("a.tar");
            export(&store, &named, &ExportOptions { format, compression, level: Some(1) }, &path).expect("exported");
            let to = dir.path().join(format!("dir-{transport}-{compression:?}")).display().to_string();
            let from = format!("{transport}:{}", path.display());
            run("skopeo", &["copy", "-q", "--insecure-policy", &from, &format!("dir:{to}")]);
        }
    }
    // And what skopeo writes is read here.
    let root = store.root().display().to_string();
    store.tag("inventory:1", &image.manifest).expect("tagged");
    let path = dir.path().join("by-skopeo.tar");
    let to = format!("docker-archive:{}:inventory:2", path.display());
    run("skopeo", &["copy", "-q", "--insecure-policy", &format!("oci:{root}:docker.io/library/inventory:1"), &to]);
    let other = Store::open(dir.path().join("other")).expect("a store");
    let loaded = load(&other, &path, None).expect("loaded");
    assert_eq!(loaded[0].reference.as_deref(), Some("docker.io/library/inventory:2"));
    assert_eq!(loaded[0].image.size(), image.size());
}

#[test]
fn archives_that_lie_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path().join("store")).expect("a store");
    let image = small_image(&store);
    let named = [Named { image: &image, references: vec![] }];
    let layout = dir.path().join("layout");
    let options = ExportOptions { format: Format::OciDirectory, compression: None, level: None };
    export(&store, &named, &options, &layout).expect("exported");
    let layer = layout.join("blobs/sha256").join(image.layers[1].diff_id.hex());
    let good = fs::read(&layer).expect("a layer");

    let mut bad = good.clone();
    bad[600] ^= 1;
    fs::write(&layer, &bad).expect("damaged");
    let fresh = || Store::open(tempfile::tempdir_in(dir.path()).expect("a directory").keep()).expect("a store");
    let error = load(&fresh(), &layout, None).expect_err("damaged");
    assert!(matches!(error, ExportError::Store(StoreError::Digest { .. })), "{error}");

    fs::remove_file(&layer).expect("removed");
    let error = load(&fresh(), &layout, None).expect_err("missing");
    assert!(matches!(error, ExportError::Store(StoreError::Missing { .. })), "{error}");

    // An index that holds itself, through a blob that cannot have its own digest: the digest catches it.
    fs::write(&layer, &good).expect("repaired");
    let index = fs::read_to_string(layout.join("index.json")).expect("the index");
    let lying = index.replace(&image.manifest.hex(), &image.config_digest.hex());
    fs::write(layout.join("index.json"), lying).expect("written");
    assert!(load(&fresh(), &layout, None).is_err());

    for junk in [&b"not a tar at all"[..], &[0; 1024], b""] {
        let path = dir.path().join("junk");
        fs::write(&path, junk).expect("written");
        let error = load(&fresh(), &path, None).expect_err("junk");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn compressed_layers_are_made_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path().join("store")).expect("a store");
    let image = small_image(&store);
    let first = compress_layer(&store, &image.layers[0], Compression::Zstd, None).expect("compressed");
    assert_eq!(first.descriptor.media_type, media::LAYER_ZSTD);
    fs::write(store.blob_path(&image.layers[0].diff_id), b"gone").expect("overwritten");
    assert_eq!(compress_layer(&store, &image.layers[0], Compression::Zstd, None).expect("known"), first);
    assert!(compress_layer(&store, &image.layers[0], Compression::Gzip, None).is_err());
}

#[test]
fn a_short_reader_is_an_error_and_ends() {
    struct Fails;
    impl std::io::Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no"))
        }
    }
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let error = recompress(&mut Fails, &mut Vec::new(), compression, None).expect_err("an error");
        let error = LayerError::Stream { action: "read", source: error };
        assert!(error.to_string().ends_with("no"));
    }
}
