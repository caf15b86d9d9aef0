//! The stand-in base images: what `fixtures/bases/make` promises.

use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_tests::{Outcome, World, fixture, skip, tool};
use serde_json::Value;

fn make(world: &World, args: &[&str]) -> Outcome {
    let mut command = Command::new(fixture("bases/make"));
    Outcome::of(command.args(args).env("PLIMSOLL_BASES", world.path().join("bases")))
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the layout has this file");
    serde_json::from_str(&text).expect("the file is JSON")
}

fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
    let path = layout.join("blobs/sha256").join(digest);
    let size = std::fs::metadata(&path).expect("the blob is there").len();
    assert_eq!(Some(size), descriptor["size"].as_u64(), "size of {digest}");
    let summed = Outcome::of(Command::new("sha256sum").arg(&path)).expect(0);
    assert!(summed.stdout.starts_with(digest), "the content of a blob is what its name says");
    path
}

#[test]
fn a_stand_in_is_a_whole_oci_layout_that_says_what_it_is() {
    if !tool("mmdebstrap") {
        skip!("mmdebstrap is not installed");
    }
    let world = World::new();
    make(&world, &["--no-load", "busybox:latest"]).expect(0).says("STAND-IN");
    let layout = world.path().join("bases/busybox-latest");
    assert_eq!(read(&layout.join("oci-layout"))["imageLayoutVersion"], "1.0.0");
    let index = read(&layout.join("index.json"));
    let descriptor = &index["manifests"][0];
    let names = &descriptor["annotations"];
    assert_eq!(names["org.opencontainers.image.ref.name"], "latest");
    assert_eq!(names["io.containerd.image.name"], "docker.io/library/busybox:latest");
    let manifest = read(&blob(&layout, descriptor));
    let config = read(&blob(&layout, &manifest["config"]));
    assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"], "the layer is not compressed");
    let label = config["config"]["Labels"]["org.plimsoll.stand-in"].as_str().expect("a label");
    assert!(label.contains("not the published image"), "{label}");
    let layer = blob(&layout, &manifest["layers"][0]);
    let listing = Outcome::of(Command::new("tar").arg("-tvf").arg(&layer).arg("--numeric-owner")).expect(0).stdout;
    assert!(listing.lines().all(|entry| entry.contains(" 0/0 ")), "all of it is root's:\n{listing}");
    assert!(listing.contains(" ./bin/sh link to ./bin/"), "applets are links:\n{listing}");

    // Quick when present, and the same bytes when made anew.
    let kept = make(&world, &["--no-load", "busybox:latest"]).expect(0);
    assert!(!kept.stderr.contains("STAND-IN"), "made again: {}", kept.stderr);
    make(&world, &["--again", "--no-load", "busybox:latest"]).expect(0).says("STAND-IN");
    assert_eq!(read(&layout.join("index.json")), index, "made twice, the same");

    if tool("skopeo") {
        let image = format!("oci:{}:latest", layout.display());
        let read = Outcome::of(Command::new("skopeo").args(["inspect", &image])).expect(0).json();
        assert_eq!(read["Os"], "linux");
    }
}

#[test]
fn an_image_without_a_recipe_is_refused_with_the_list_of_those_that_have_one() {
    let world = World::new();
    let refused = make(&world, &["--no-load", "nosuch:1"]).expect(2).says("no recipe for nosuch:1");
    assert!(refused.stderr.contains("debian:bookworm-slim"), "{}", refused.stderr);
    make(&world, &[]).expect(2).says("NAME...");
}

#[test]
fn every_dockerfile_of_a_base_names_its_image() {
    let listed = make(&World::new(), &["--list"]).expect(0).stdout;
    let folders = std::fs::read_dir(fixture("bases")).expect("the folder of bases").flatten();
    let files = folders.filter(|entry| entry.path().is_dir()).flat_map(|folder| {
        std::fs::read_dir(folder.path()).expect("a folder of bases").flatten().map(|entry| entry.path())
    });
    for path in files.filter(|path| path.to_string_lossy().ends_with("Dockerfile")) {
        let text = std::fs::read_to_string(&path).expect("a recipe is text");
        let name = text.lines().find_map(|line| line.strip_prefix("# image: "));
        let name = name.unwrap_or_else(|| panic!("{} names no image", path.display()));
        assert!(listed.lines().any(|line| line == name), "{name} is not among:\n{listed}");
        // The label that tells a stand-in comes down from the image below.
        assert!(!text.contains("FROM scratch"), "{name} stands on a stand-in");
    }
}
