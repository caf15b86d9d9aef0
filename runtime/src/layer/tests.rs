use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::*;
use crate::digest::Digest;

const PREFIX: XattrPrefix = XattrPrefix::Trusted;

/// Owners, devices and overlayfs' marks are root's.
fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: only root can set owners");
    }
    root
}

fn at<'a>(path: &'a str, kind: Kind<'a>) -> Entry<'a> {
    let mode = if kind == Kind::Dir { 0o755 } else { 0o644 };
    Entry { path: path.as_bytes(), kind, mode, uid: 0, gid: 0, mtime: 1_000_000_000, xattrs: &[] }
}

fn tar_of(fill: impl FnOnce(&mut TarWriter<Vec<u8>>)) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new(), None);
    fill(&mut writer);
    writer.finish().expect("finished").0
}

/// A directory with `root` to unpack into and `outside`, which must stay as it is.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("outside")).expect("created");
        fs::write(dir.path().join("outside/secret"), b"untouched").expect("written");
        Place { dir }
    }

    fn layer(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir(&path).expect("created");
        path
    }

    fn check(&self) {
        let outside = self.dir.path().join("outside");
        let names: Vec<_> = fs::read_dir(&outside).expect("listed").map(|e| e.expect("an entry").file_name()).collect();
        assert_eq!(names, ["secret"]);
        assert_eq!(fs::read(outside.join("secret")).expect("read"), b"untouched");
        assert_eq!(fs::metadata(outside.join("secret")).expect("there").mode() & 0o777, 0o644);
    }
}

fn into(root: &Path, lower: &[&Path], bytes: &[u8]) -> Result<Applied, LayerError> {
    apply(bytes, root, lower, PREFIX, Limits::default())
}

#[test]
fn entries_stay_inside() {
    if !root() {
        return;
    }
    let place = Place::new();
    let outside = place.dir.path().join("outside").display().to_string();
    let up = "../../../../../../../../../../..".to_owned() + &outside;
    let hostile: Vec<(&str, Vec<u8>, bool)> = vec![
        ("parent", tar_of(|t| t.file(&at("../outside/x", Kind::Dir), b"x").expect("written")), false),
        ("deep parent", tar_of(|t| t.file(&at("a/../../outside/x", Kind::Dir), b"x").expect("written")), false),
        ("absolute", tar_of(|t| t.file(&at(&format!("/{outside}/x"), Kind::Dir), b"x").expect("written")), true),
        (
            "absolute link",
            tar_of(|t| {
                t.entry(&at("l", Kind::Symlink(outside.as_bytes()))).expect("written");
                t.file(&at("l/x", Kind::Dir), b"x").expect("written");
            }),
            true,
        ),
        (
            "relative link",
            tar_of(|t| {
                t.entry(&at("l", Kind::Symlink(up.as_bytes()))).expect("written");
                t.file(&at("l/x", Kind::Dir), b"x").expect("written");
            }),
            true,
        ),
        (
            "file over a link",
            tar_of(|t| {
                t.entry(&at("l", Kind::Symlink(format!("{outside}/secret").as_bytes()))).expect("written");
                t.file(&Entry { mode: 0o777, ..at("l", Kind::Dir) }, b"changed").expect("written");
            }),
            true,
        ),
        (
            "directory over a link",
            tar_of(|t| {
                t.entry(&at("l", Kind::Symlink(outside.as_bytes()))).expect("written");
                t.entry(&Entry { mode: 0, uid: 7, ..at("l", Kind::Dir) }).expect("written");
            }),
            true,
        ),
        (
            "hard link to the outside",
            tar_of(|t| {
                t.entry(&at("h", Kind::HardLink(b"../outside/secret"))).expect("written");
            }),
            false,
        ),
        (
            "hard link through a link",
            tar_of(|t| {
                t.entry(&at("l", Kind::Symlink(outside.as_bytes()))).expect("written");
                t.entry(&at("h", Kind::HardLink(b"l/secret"))).expect("written");
            }),
            false,
        ),
        (
            "hard link to a link, then written",
            tar_of(|t| {
                t.entry(&at("l", Kind::Symlink(format!("{outside}/secret").as_bytes()))).expect("written");
                t.entry(&at("h", Kind::HardLink(b"l"))).expect("written");
                t.file(&at("h", Kind::Dir), b"changed").expect("written");
            }),
            true,
        ),
        (
            "whiteout through a link",
            tar_of(|t| {
                t.entry(&at("l", Kind::Symlink(outside.as_bytes()))).expect("written");
                t.whiteout(b"l/secret").expect("written");
                t.opaque(b"l").expect("written");
            }),
            true,
        ),
        ("whiteout of the parent", tar_of(|t| t.file(&at("a/.wh...", Kind::Dir), b"").expect("written")), false),
        ("whiteout of nothing", tar_of(|t| t.file(&at(".wh.", Kind::Dir), b"").expect("written")), false),
        (
            "links in a circle",
            tar_of(|t| {
                t.entry(&at("a", Kind::Symlink(b"b"))).expect("written");
                t.entry(&at("b", Kind::Symlink(b"a"))).expect("written");
                t.file(&at("a/x", Kind::Dir), b"x").expect("written");
            }),
            false,
        ),
        (
            "below a file",
            tar_of(|t| {
                t.file(&at("f", Kind::Dir), b"x").expect("written");
                t.file(&at("f/x", Kind::Dir), b"x").expect("written");
            }),
            false,
        ),
        (
            "overlayfs' own device",
            tar_of(|t| t.entry(&at("d", Kind::Char { major: 0, minor: 0 })).expect("written")),
            false,
        ),
        ("too deep", tar_of(|t| t.entry(&at(&"d/".repeat(100_000), Kind::Dir)).expect("written")), false),
        ("a name too long", tar_of(|t| t.entry(&at(&"n".repeat(5000), Kind::Dir)).expect("written")), false),
    ];
    for (name, bytes, fine) in hostile {
        let result = into(&place.layer(name), &[], &bytes);
        assert_eq!(result.is_ok(), fine, "{name}: {result:?}");
        place.check();
    }
    assert_eq!(fs::metadata(place.dir.path().join("outside")).expect("there").mode() & 0o777, 0o755);
    // What was clamped landed inside.
    let inside = format!("absolute{outside}/x");
    assert_eq!(fs::read(place.dir.path().join(inside)).expect("inside"), b"x");
    crate::store::remove_tree(&place.dir.path().join("too deep")).expect("removed");
}

#[test]
fn attributes_that_steer_overlayfs_are_left_out() {
    if !root() {
        return;
    }
    let place = Place::new();
    let xattrs: Vec<(Vec<u8>, Vec<u8>)> =
        ["trusted.overlay.redirect", "trusted.overlay.opaque", "user.overlay.opaque", "user.fine"]
            .map(|name| (name.as_bytes().to_vec(), b"y".to_vec()))
            .into();
    let bytes = tar_of(|t| t.entry(&Entry { xattrs: &xattrs, ..at("d", Kind::Dir) }).expect("written"));
    let layer = place.layer("l");
    into(&layer, &[], &bytes).expect("applied");
    let dir = fs::File::open(layer.join("d")).expect("opened");
    let mut names = vec![0; 4096];
    let length = rustix::fs::flistxattr(&dir, names.as_mut_slice()).expect("listed");
    assert!(!String::from_utf8_lossy(&names[..length]).contains("overlay"));
}

#[test]
fn bounds_hold() {
    let place = Place::new();
    let many = tar_of(|t| (0..50).for_each(|n| t.entry(&at(&format!("{n}"), Kind::Symlink(b"x"))).expect("written")));
    let limits = Limits { entries: 49, ..Limits::default() };
    let result = apply(many.as_slice(), &place.layer("many"), &[] as &[&Path], PREFIX, limits);
    assert!(matches!(result, Err(LayerError::Limit { .. })));
    // A header that promises an exabyte, and a PAX header that wants to be held in memory.
    let mut header = tar::Header::new_gnu();
    header.set_path("huge").expect("a path");
    header.set_size(1 << 60);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    let result = into(&place.layer("huge"), &[], header.as_bytes());
    assert!(matches!(result, Err(LayerError::Limit { .. })), "{result:?}");
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_size(1 << 30);
    header.set_cksum();
    let result = into(&place.layer("pax"), &[], header.as_bytes());
    assert!(matches!(result, Err(LayerError::Limit { .. })), "{result:?}");
    // Cut short, and with a wrong checksum.
    let whole = tar_of(|t| t.file(&at("f", Kind::Dir), &[7; 3000]).expect("written"));
    for length in [100, 600, 2000] {
        assert!(into(&place.layer(&format!("cut-{length}")), &[], &whole[..length]).is_err());
    }
    let mut wrong = whole;
    wrong[0] ^= 1;
    assert!(into(&place.layer("wrong"), &[], &wrong).is_err());
}

#[test]
fn any_bytes_are_read_without_panic() {
    use proptest::prelude::*;
    let base = tar_of(|t| {
        t.entry(&at("d", Kind::Dir)).expect("written");
        t.file(&at("d/f", Kind::Dir), b"content").expect("written");
        t.entry(&at(&"long/".repeat(60), Kind::Symlink(b"d/f"))).expect("written");
        t.entry(&at("h", Kind::HardLink(b"d/f"))).expect("written");
        t.whiteout(b"d/g").expect("written");
    });
    let dir = tempfile::tempdir().expect("a directory");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let changes = proptest::collection::vec((0..base.len(), any::<u8>()), 1..8);
    let result = runner.run(&changes, |changes| {
        let mut bytes = base.clone();
        for (place, byte) in changes {
            let block = place / 512 * 512;
            bytes[place] = byte;
            // With a right checksum more of it is reached.
            let sum: u32 = bytes[block..block + 512]
                .iter()
                .enumerate()
                .map(|(n, b)| if (148..156).contains(&n) { 32 } else { u32::from(*b) })
                .sum();
            bytes[block + 148..block + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let root = tempfile::tempdir_in(dir.path()).expect("a directory");
        let limits = Limits { bytes: 1 << 20, ..Limits::default() };
        let _ = apply(bytes.as_slice(), root.path(), &[] as &[&Path], PREFIX, limits);
        let path = root.keep();
        crate::store::remove_tree(&path).expect("removed");
        Ok(())
    });
    result.expect("no panic");
}

#[test]
fn everything_arrives_as_it_was() {
    if !root() {
        return;
    }
    let place = Place::new();
    let capability =
        vec![(b"security.capability".to_vec(), vec![1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])];
    let long = "n".repeat(200);
    let bytes = tar_of(|t| {
        t.entry(&Entry { mode: 0o1777, uid: 3, mtime: 5, ..at("tmp", Kind::Dir) }).expect("written");
        t.file(&Entry { mode: 0o4755, uid: 7, gid: 8, ..at("tmp/su", Kind::Dir) }, b"x").expect("written");
        t.file(&Entry { xattrs: &capability, ..at("tmp/cap", Kind::Dir) }, &vec![b'c'; 700_000]).expect("written");
        t.entry(&at("tmp/h", Kind::HardLink(b"tmp/su"))).expect("written");
        t.entry(&at(&long, Kind::Symlink(long.as_bytes()))).expect("written");
        t.entry(&Entry { mode: 0o600, ..at("fifo", Kind::Fifo) }).expect("written");
        t.entry(&Entry { mode: 0o666, ..at("null", Kind::Char { major: 1, minor: 3 }) }).expect("written");
        t.file(&at("implied/deep/f", Kind::Dir), b"").expect("written");
        t.file(&Entry { mtime: -5, ..at("old", Kind::Dir) }, b"").expect("written");
    });
    let first = place.layer("first");
    let applied = into(&first, &[], &bytes).expect("applied");
    assert_eq!((applied.entries, applied.bytes, applied.devices_left_out), (9, 700_001, 0));
    let meta = |name: &str| fs::symlink_metadata(first.join(name)).expect(name);
    assert_eq!((meta("tmp").mode() & 0o7777, meta("tmp").uid(), meta("tmp").mtime()), (0o1777, 3, 5));
    assert_eq!((meta("tmp/su").mode() & 0o7777, meta("tmp/su").gid(), meta("tmp/su").nlink()), (0o4755, 8, 2));
    assert!(meta("fifo").file_type().is_fifo() && meta("null").file_type().is_char_device());
    assert_eq!((meta("implied/deep").mode() & 0o777, meta("implied").mtime(), meta("old").mtime()), (0o755, 0, -5));

    // And the way back gives the bytes that came, but for what was implied.
    let diff = |upper: &Path, lower: &[&Path]| {
        tar_of(|t| drop(write_diff(upper, lower, DiffOptions { prefix: PREFIX }, t).expect("written")))
    };
    let again = diff(&first, &[]);
    let second = place.layer("second");
    into(&second, &[], &again).expect("applied");
    assert_eq!(Digest::of(&diff(&second, &[])), Digest::of(&again));
    // A layer that only repeats what is below is none.
    let third = place.layer("third");
    into(&third, &[&first], &again).expect("applied");
    assert_eq!(diff(&third, &[&first]), vec![0; 1024]);
}

#[test]
fn what_lies_below_counts() {
    if !root() {
        return;
    }
    let place = Place::new();
    let below = place.layer("below");
    let bytes = tar_of(|t| {
        t.entry(&Entry { mode: 0o700, uid: 9, mtime: 11, ..at("dir", Kind::Dir) }).expect("written");
        t.file(&Entry { uid: 5, ..at("dir/file", Kind::Dir) }, b"below").expect("written");
        t.entry(&at("link", Kind::Symlink(b"/dir"))).expect("written");
        t.file(&at("gone/a", Kind::Dir), b"").expect("written");
        t.file(&at("emptied/a", Kind::Dir), b"").expect("written");
        t.file(&at("replaced/a", Kind::Dir), b"").expect("written");
    });
    into(&below, &[], &bytes).expect("applied");
    let above = place.layer("above");
    let bytes = tar_of(|t| {
        t.file(&at("link/new", Kind::Dir), b"through the link").expect("written");
        t.entry(&at("hard", Kind::HardLink(b"dir/file"))).expect("written");
        t.whiteout(b"gone").expect("written");
        t.whiteout(b"never").expect("written");
        t.opaque(b"emptied").expect("written");
        t.file(&at("emptied/b", Kind::Dir), b"").expect("written");
        // The whiteout after its entry hides only what is below.
        t.file(&at("replaced/b", Kind::Dir), b"").expect("written");
        t.whiteout(b"replaced").expect("written");
    });
    into(&above, &[&below], &bytes).expect("applied");
    let dir = fs::metadata(above.join("dir")).expect("copied up");
    assert_eq!((dir.mode() & 0o777, dir.uid(), dir.mtime()), (0o700, 9, 11));
    assert!(!above.join("link").exists());
    assert_eq!(fs::read(above.join("dir/new")).expect("inside"), b"through the link");
    let file = fs::metadata(above.join("hard")).expect("linked");
    assert_eq!((file.ino(), file.uid()), (fs::metadata(above.join("dir/file")).expect("there").ino(), 5));
    assert!(fs::symlink_metadata(above.join("gone")).expect("a whiteout").file_type().is_char_device());
    assert!(!above.join("never").exists());
    let lower = Lower::open(&[&above, &below], PREFIX).expect("opened");
    let names = |dir: &str| {
        let names = lower.child(dir.as_bytes()).expect("opened").names().expect("listed");
        names.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((names("emptied").as_str(), names("replaced").as_str(), names("dir").as_str()), ("b", "b", "file new"));
    assert!(lower.stat(b"gone").expect("looked up").is_none());
}

#[test]
fn compressed_and_sparse() {
    if !root() {
        return;
    }
    let place = Place::new();
    let bytes = tar_of(|t| t.file(&at("f", Kind::Dir), &vec![b'z'; 100_000]).expect("written"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes[..700]).expect("written");
    let mut members = gzip.finish().expect("finished");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes[700..]).expect("written");
    members.extend(gzip.finish().expect("finished"));
    let zstd = zstd::encode_all(bytes.as_slice(), 3).expect("compressed");
    for (name, stream) in [("plain", bytes), ("gzip", members), ("zstd", zstd)] {
        let layer = place.layer(name);
        let stream = decoder(stream.as_slice()).expect("a decoder");
        apply(stream, &layer, &[] as &[&Path], PREFIX, Limits::default()).expect("applied");
        assert_eq!(fs::metadata(layer.join("f")).expect("there").len(), 100_000);
    }
    let made = std::process::Command::new("sh")
        .args([
            "-c",
            "truncate -s 3000000 s && printf data | dd of=s bs=1 seek=1000000 conv=notrunc && tar --sparse -cf t.tar s",
        ])
        .current_dir(place.dir.path())
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("SKIPPED: no GNU tar");
        return;
    }
    let layer = place.layer("sparse");
    let tar = fs::read(place.dir.path().join("t.tar")).expect("read");
    assert!(tar.len() < 100_000);
    into(&layer, &[], &tar).expect("applied");
    assert_eq!(fs::read(layer.join("s")).expect("read"), fs::read(place.dir.path().join("s")).expect("read"));
    assert_eq!(fs::metadata(layer.join("s")).expect("there").permissions().mode() & 0o777, 0o644);
}

/// A file `f` of three bytes behind an extended header with these records.
fn with_pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        // A record begins with its own length.
        let rest = format!(" {key}={value}\n");
        let length = (1..20).map(|digits| rest.len() + digits).find(|all| all.to_string().len() + rest.len() == *all);
        text.extend_from_slice(format!("{}{rest}", length.expect("a length")).as_bytes());
    }
    let mut bytes = Vec::new();
    for (kind, content) in [(tar::EntryType::XHeader, text.as_slice()), (tar::EntryType::Regular, b"abc".as_slice())] {
        let mut header = tar::Header::new_ustar();
        header.set_path("f").expect("a path");
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn tricks_with_extended_headers() {
    if !root() {
        return;
    }
    let place = Place::new();
    let (deep, long) = ("d/".repeat(100_000) + "f", "n".repeat(300));
    type Records<'r> = &'r [(&'r str, &'r str)];
    let cases: &[(&str, Records<'_>, bool)] = &[
        ("plain", &[("comment", "x")], true),
        ("negative size", &[("size", "-1")], false),
        ("size beyond everything", &[("size", "18446744073709551615")], false),
        ("size with a sign", &[("size", "+3")], true),
        ("size that is none", &[("size", "0x3")], false),
        ("size longer than the file", &[("size", "100000")], false),
        ("negative owner", &[("uid", "-1")], false),
        ("owner beyond 32 bits", &[("uid", "4294967296")], false),
        ("time before all times", &[("mtime", "-9223372036854775808.999")], true),
        ("time beyond all times", &[("mtime", "9223372036854775808")], false),
        ("path out", &[("path", "../../outside/secret")], false),
        ("absolute path", &[("path", "/outside/secret")], true),
        ("path with a NUL", &[("path", "a\0b")], false),
        ("empty path", &[("path", "")], true),
        ("100,000 directories", &[("path", &deep)], false),
        ("a name no filesystem has", &[("path", &long)], false),
        ("sparse, as GNU writes it today", &[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")], false),
        ("a mark of overlayfs", &[("SCHILY.xattr.user.overlay.opaque", "y")], true),
        ("a note of ours", &[("SCHILY.xattr.user.plimsoll.owner", "1:1")], true),
        ("one path after another", &[("path", "../x"), ("path", "fine")], true),
    ];
    for (number, (name, records, fine)) in cases.iter().enumerate() {
        let layer = place.layer(&format!("pax-{number}"));
        let result = into(&layer, &[], &with_pax(records));
        assert_eq!(result.is_ok(), *fine, "{name}: {result:?}");
        place.check();
        for entry in walkdir::WalkDir::new(&layer).into_iter().flatten() {
            let mut names = [0; 4096];
            let length = rustix::fs::llistxattr(entry.path(), &mut names[..]).expect("attributes");
            let names = String::from_utf8_lossy(&names[..length]).into_owned();
            assert!(!names.contains("overlay") && !names.contains("plimsoll"), "{name}: {names}");
        }
    }
}

#[test]
fn endless_zeros_behind_the_end() {
    let place = Place::new();
    let tar = tar_of(|t| t.file(&at("f", Kind::Dir), b"x").expect("written"));
    let bomb = std::io::Read::chain(tar.as_slice(), std::io::repeat(0));
    let result = apply(bomb, &place.layer("bomb"), &[] as &[&Path], PREFIX, Limits::default());
    assert!(matches!(result, Err(LayerError::Limit { .. })), "{result:?}");
}

#[test]
fn the_last_of_several_entries_counts() {
    if !root() {
        return;
    }
    let place = Place::new();
    let bytes = tar_of(|t| {
        t.file(&at("x", Kind::Dir), b"file").expect("written");
        t.entry(&at("x", Kind::Symlink(b"../outside"))).expect("written");
        t.entry(&at("x", Kind::Dir)).expect("written");
        t.file(&at("x/inside", Kind::Dir), b"1").expect("written");
        t.entry(&at("x", Kind::Fifo)).expect("written");
        t.file(&at("x", Kind::Dir), b"last").expect("written");
        t.file(&at("x", Kind::Dir), b"the very last").expect("written");
    });
    let layer = place.layer("twice");
    into(&layer, &[], &bytes).expect("applied");
    assert_eq!(fs::read(layer.join("x")).expect("a file"), b"the very last");
    place.check();
}
