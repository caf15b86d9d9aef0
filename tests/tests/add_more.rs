//! What ADD fetches from addresses, and sparse files in archives that it unpacks.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use plimsoll_runtime::digest::Digest;
use plimsoll_tests::{Outcome, Page, Web, World, skip, tool};

const MODIFIED: &str = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

fn page(headers: &str, bytes: impl AsRef<[u8]>) -> Page {
    ("200 OK", headers.to_owned(), bytes.as_ref().to_vec())
}

/// Builds the Dockerfile and gives the folder of its files.
fn built(world: &World, dockerfile: &str) -> Outcome {
    world.write("c/Dockerfile", dockerfile);
    world.run(&["build", "c", "-o", "out", "--progress", "plain"])
}

fn facts(path: &Path) -> (u32, i64, u64) {
    let meta = std::fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (meta.mode() & 0o7777, meta.mtime(), meta.size())
}

#[test]
fn what_an_address_gives_is_a_file_of_its_name_and_time() {
    let world = World::new();
    let archive = {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(6);
        header.set_mode(0o640);
        header.set_mtime(7);
        tar.append_data(&mut header, "in/side", &b"inside"[..]).expect("memory");
        tar.into_inner().expect("memory")
    };
    let web = Web::start(BTreeMap::from([
        ("/files/named.txt".to_owned(), page(MODIFIED, "named")),
        ("/files/asked?version=2&x=/y".to_owned(), page("", "asked")),
        ("/files/a%20b".to_owned(), page("", "escaped")),
        ("/".to_owned(), page("", "nothing")),
        ("/moved".to_owned(), ("302 Found", "Location: /files/named.txt\r\n".to_owned(), Vec::new())),
        ("/a.tar".to_owned(), page(MODIFIED, &archive)),
    ]));
    let url = |path: &str| web.url(path);
    let text = format!(
        "FROM scratch\nADD {} /d/\nADD {} /d/\nADD {} /d/\nADD {} /d/\nADD {} /moved\nADD --chmod=755 --checksum={} {} /sum\n\
         ADD {} /kept/\nADD --unpack=true {} /open/\n",
        url("/files/named.txt"),
        url("/files/asked?version=2&x=/y"),
        url("/files/a%20b"),
        url("/"),
        url("/moved"),
        Digest::of(b"named"),
        url("/files/named.txt"),
        url("/a.tar"),
        url("/a.tar"),
    );
    built(&world, &text).expect(0);
    let out = world.path().join("out");
    assert_eq!(facts(&out.join("d/named.txt")), (0o600, 784_111_777, 5));
    assert_eq!(facts(&out.join("d/asked")), (0o600, 0, 5));
    assert_eq!(facts(&out.join("d/a b")), (0o600, 0, 7));
    assert_eq!(facts(&out.join("d/__unnamed__")), (0o600, 0, 7));
    assert_eq!(std::fs::read_to_string(out.join("moved")).expect("a file"), "named");
    assert_eq!(facts(&out.join("sum")), (0o755, 784_111_777, 5));
    assert_eq!(facts(&out.join("kept/a.tar")), (0o600, 784_111_777, archive.len() as u64));
    assert_eq!(facts(&out.join("open/in/side")), (0o640, 7, 6));
    let wrong = format!("FROM scratch\nADD --checksum={} {} /\n", Digest::of(b"other"), url("/files/named.txt"));
    built(&world, &wrong).expect(2).says("Dockerfile:2").says("its digest is");
    built(&world, &format!("FROM scratch\nADD {} /\n", url("/none"))).expect(2).says("404");
}

#[test]
fn capabilities_of_archives_are_kept_whatever_their_bytes() {
    let world = World::new();
    // An end of line in the middle, as CAP_DAC_OVERRIDE and CAP_FOWNER make it.
    let capability = [1, 0, 0, 2, b'\n', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let key = "SCHILY.xattr.security.capability";
    let mut tar = tar::Builder::new(Vec::new());
    let long = "long/".repeat(30);
    for name in ["first", "program", long.trim_end_matches('/')] {
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        header.set_mode(0o755);
        if name == "program" {
            tar.append_pax_extensions([("comment", &b"x"[..]), (key, &capability[..])]).expect("memory");
            header.set_path(name).expect("short");
            header.set_cksum();
            tar.append(&header, &b"abc"[..]).expect("memory");
        } else {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            header.set_mode(0o755);
            tar.append_data(&mut header, name, &b"abc"[..]).expect("memory");
        }
    }
    world.write("c/a.tar", tar.into_inner().expect("memory"));
    world.write("c/Dockerfile", "FROM scratch\nADD a.tar /\n");
    world.run(&["build", "c", "-o", "type=tar,dest=out.tar"]).expect(0);
    let bytes = std::fs::read(world.path().join("out.tar")).expect("was written");
    let wanted = [key.as_bytes(), b"=", &capability, b"\n"].concat();
    let times = bytes.windows(wanted.len()).filter(|window| *window == wanted).count();
    assert_eq!(times, 1);
    let mut out = tar::Archive::new(bytes.as_slice());
    let names = out.entries().expect("a tar").map(|entry| entry.expect("an entry").path_bytes().into_owned());
    let files = names.filter(|name| !name.ends_with(b"/")).count();
    assert_eq!(files, 3);
}

#[test]
fn sparse_files_of_archives_have_their_holes_filled() {
    let world = World::new();
    if !tool("tar") {
        skip!("tar is not installed");
    }
    // More pieces than the first block of any map holds.
    let mut bytes = vec![0_u8; 3 << 20];
    let file = std::fs::File::create(world.write("f/holes", "")).expect("own folder");
    file.set_len(bytes.len() as u64).expect("own file");
    for piece in 0..40_usize {
        let at = piece * 70_000;
        bytes[at..at + 4096].fill(u8::try_from(piece + 1).expect("small"));
        file.write_all_at(&bytes[at..at + 4096], at as u64).expect("own file");
    }
    world.write("f/after", "whole\n");
    let forms = ["--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"];
    for (number, form) in forms.iter().enumerate() {
        let mut tar = Command::new("tar");
        tar.args(["-C", "f", "--sparse", form]);
        if number > 0 {
            tar.arg("--format=posix");
        }
        tar.args(["-cf", &format!("c/{number}.tar"), "holes", "after"]).current_dir(world.path());
        std::fs::create_dir_all(world.path().join("c")).expect("own folder");
        Outcome::of(&mut tar).expect(0);
        let size = facts(&world.path().join(format!("c/{number}.tar"))).2;
        assert!(size < 1 << 20, "{form} leaves zeros out: {size}");
        built(&world, &format!("FROM scratch\nADD {number}.tar /{number}/\n")).expect(0);
        let out = world.path().join(format!("out/{number}"));
        assert!(std::fs::read(out.join("holes")).expect("unpacked") == bytes, "{form}");
        assert_eq!(std::fs::read_to_string(out.join("after")).expect("unpacked"), "whole\n");
    }
    // A file of 8 TB in an archive of 10 kB.
    let huge = std::fs::File::create(world.path().join("f/huge")).expect("own folder");
    if huge.set_len(8 << 40).is_err() {
        skip!("this disk takes no file of 8 TB");
    }
    let mut tar = Command::new("tar");
    tar.args(["-C", "f", "--sparse", "--format=gnu", "-cf", "c/huge.tar", "huge"]).current_dir(world.path());
    Outcome::of(&mut tar).expect(0);
    let seen = built(&world, "FROM scratch\nADD huge.tar /\n").expect(2).says("huge").says("holes");
    assert!(seen.took.as_secs() < 30, "{seen}");
}
