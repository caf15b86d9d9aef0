//! Images taken apart: from wherever they are, with every wasted byte counted once and what is installed told.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use plimsoll_tests::{Archive, World, item, noise};
use serde_json::Value;

/// An image whose every kind of waste is known: 3 kB overwritten, 5 kB re-owned, 7 kB deleted, 11 kB twice.
fn wasteful() -> Archive {
    let (tree, twice) = (noise(3, 5_000), noise(4, 11_000));
    Archive::new()
        .layer("ADD file:1 in /", [item("etc/conf", noise(1, 3_000)), item("bin/sh", noise(2, 20_000))])
        .empty("CMD [\"sh\"]")
        .layer("COPY . /app", [item("app/tree", &tree), item("app/one", &twice), item("tmp/download", noise(5, 7_000))])
        .layer(
            "RUN /bin/sh -c chown -R 1000 /app",
            [item("app/tree", &tree).owned(1000), item("etc/conf", noise(6, 3_100))],
        )
        .layer("RUN /bin/sh -c rm /tmp/download", [item("tmp/.wh.download", "")])
        .layer("COPY one /srv/", [item("srv/one", &twice)])
}

fn sums(report: &Value) -> (u64, u64, u64) {
    let sum = |key: &str| report[key].as_u64().expect("a number");
    (sum("wasted_bytes"), sum("duplicate_bytes"), report["visible"]["bytes"].as_u64().expect("a number"))
}

#[test]
fn an_image_is_the_same_wherever_it_is() {
    let world = World::new();
    let archive = world.path().join("image.tar");
    wasteful().write(&archive, "wasteful:1");
    let inspect = |name: &str| world.run(&["inspect", name, "--format", "json"]).expect(0).json();
    let expected = (3_000 + 5_000 + 7_000, 11_000, 20_000 + 5_000 + 11_000 + 3_100 + 11_000);
    let first = inspect("image.tar");
    assert_eq!(sums(&first), expected);
    assert_eq!(sums(&inspect("image.tar#wasteful:1")), expected);
    assert!(!world.path().join("store/blobs").exists(), "an archive is read where it lies");
    world.run(&["load", "--input", "image.tar"]).expect(0);
    assert_eq!(sums(&inspect("wasteful:1")), expected);
    for (format, compression) in
        [("oci", "gzip"), ("oci", "zstd"), ("oci-archive", "none"), ("oci-archive", "zstd"), ("docker-archive", "gzip")]
    {
        let name = format!("{format}-{compression}");
        let args = ["save", "wasteful:1", "--format", format, "--compression", compression, "--output", &name];
        world.run(&args).expect(0);
        let seen = inspect(&format!("./{name}"));
        assert_eq!(sums(&seen), expected, "{name}");
        assert_eq!(seen["size"], first["size"], "{name}");
    }
    // What a daemon gives is what its command saves.
    let fake = world.write(
        "bin/docker",
        "#!/bin/sh\n[ \"$*\" = 'save wasteful:1' ] && exec cat image.tar\necho 'No such image' >&2; exit 1\n",
    );
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).expect("own file");
    let path = format!("{}:{}", world.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let docker = |name: &str| {
        let mut command = world.command();
        command.env("PATH", &path).args(["inspect", name, "--format", "json"]);
        plimsoll_tests::Outcome::of(&mut command)
    };
    assert_eq!(sums(&docker("docker:wasteful:1").expect(0).json()), expected);
    docker("docker:other:1").expect(2).says("No such image");
    world.run(&["inspect", "image.tar#other"]).expect(2).says("wasteful:1");
    world.write("text.tar", "this is no archive");
    world.run(&["inspect", "text.tar"]).expect(2).says("text.tar");
}

#[test]
fn waste_is_told_with_its_line_and_what_mends_it() {
    let world = World::new();
    wasteful().write(&world.path().join("image.tar"), "wasteful:1");
    world.write(
        "Dockerfile",
        "FROM debian:12\n\nCOPY . /app\nRUN chown -R 1000 /app\nRUN rm /tmp/download\nCOPY one /srv/\n",
    );
    let report = world.run(&["inspect", "image.tar", "-f", "Dockerfile", "--format", "json"]).expect(0).json();
    let causes = report["causes"].as_array().expect("causes");
    let cause =
        |how: &str| causes.iter().find(|cause| cause["how"] == how).unwrap_or_else(|| panic!("{how}: {report:#}"));
    for (how, bytes, line, rule) in [
        ("re-owned", 5_000, 4, Some("chown-after-copy")),
        ("deleted", 7_000, 5, Some("removed-later")),
        ("overwritten", 3_000, 4, None),
        ("duplicate", 11_000, 6, None),
    ] {
        let cause = cause(how);
        assert_eq!((&cause["bytes"], &cause["line"]), (&Value::from(bytes), &Value::from(line)), "{cause:#}");
        assert_eq!(cause["rule"].as_str(), rule, "{cause:#}");
    }
    assert!(cause("re-owned")["fixed"].as_str().is_some_and(|fixed| fixed.starts_with("COPY --chown=1000 . /app")));
    assert_eq!(report["base"]["layers"], 1);
    assert_eq!(report["base"]["name"], "debian:12");
    let text = world.run(&["inspect", "image.tar", "-f", "Dockerfile"]).expect(0).stdout;
    assert!(text.contains("line 4: RUN chown -R 1000 /app"), "{text}");
    let page = world.run(&["inspect", "image.tar", "-f", "Dockerfile", "--format", "html"]).expect(0).stdout;
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(page.contains("<svg") && !page.contains("src=") && !page.contains("href="), "the page needs nothing else");
    world.run(&["inspect", "image.tar", "--tui"]).expect(2).says("terminal");
}

#[test]
fn packages_are_told_with_their_bytes() {
    let world = World::new();
    let site = "usr/lib/python3/site-packages";
    let mut gemspec = item("usr/lib/ruby/gems/3.1.0/specifications/rack-3.0.8.gemspec", "Gem::Specification.new\n");
    gemspec = gemspec.mode(0o644);
    let rpms = std::fs::read(plimsoll_tests::fixture("inspect/rpmdb.sqlite")).expect("a fixture");
    Archive::new()
        .layer("ADD rootfs", [
            item("var/lib/dpkg/status", "Package: curl\nStatus: install ok installed\nVersion: 7.88\nArchitecture: amd64\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n"),
            item("var/lib/dpkg/info/curl.list", "/.\n/usr/bin/curl\n/lib/libcurl.so\n"),
            item("usr/bin/curl", noise(1, 1_000)),
            item("usr/lib/libcurl.so", noise(2, 2_000)),
            item("lib/apk/db/installed", "P:musl\nV:1.2.4-r2\nF:lib\nR:ld-musl.so\n\n"),
            item("lib/ld-musl.so", noise(3, 3_000)),
            item("var/lib/rpm/rpmdb.sqlite", rpms),
            item("usr/bin/bash", noise(4, 4_000)),
        ])
        .layer("RUN pip install", [
            item(&format!("{site}/Flask-2.0.dist-info/METADATA"), "Metadata-Version: 2.1\nName: Flask\nVersion: 2.0\n\nVersion: 9\n"),
            item(&format!("{site}/Flask-2.0.dist-info/RECORD"), "flask/app.py,sha256=x,5000\nflask/__pycache__/app.cpython-311.pyc,,\n../../../bin/flask,,\n"),
            item(&format!("{site}/flask/app.py"), noise(5, 5_000)),
            item("usr/bin/flask", noise(6, 600)),
            item("app/node_modules/@scope/a/package.json", "{\"name\":\"@scope/a\",\"version\":\"1.0.0\"}"),
            item("app/node_modules/@scope/a/index.js", noise(7, 7_000)),
            item("app/node_modules/@scope/a/node_modules/b/package.json", "{\"name\":\"b\",\"version\":\"2.0.0\"}"),
            item("app/node_modules/@scope/a/node_modules/b/b.js", noise(8, 800)),
            gemspec,
            item("usr/lib/ruby/gems/3.1.0/gems/rack-3.0.8/lib/rack.rb", noise(9, 900)),
        ])
        .write(&world.path().join("image.tar"), "packages:1");
    let report = world.run(&["inspect", "image.tar", "--format", "json"]).expect(0).json();
    let packages = report["packages"].as_array().expect("packages");
    for (manager, name, version, least, layer) in [
        ("dpkg", "curl", "7.88", 3_000, 1),
        ("apk", "musl", "1.2.4-r2", 3_000, 1),
        ("rpm", "bash", "5.2.26-3.fc40", 4_000, 1),
        ("pip", "Flask", "2.0", 5_600, 2),
        ("npm", "@scope/a", "1.0.0", 7_000, 2),
        ("npm", "b", "2.0.0", 800, 2),
        ("gem", "rack", "3.0.8", 900, 2),
    ] {
        let found = packages.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {packages:#?}"));
        assert_eq!((&found["manager"], &found["version"]), (&Value::from(manager), &Value::from(version)));
        assert!(found["bytes"].as_u64().is_some_and(|bytes| (least..least + 300).contains(&bytes)), "{found:#}");
        assert_eq!(found["layer"], layer, "{found:#}");
    }
    assert!(!packages.iter().any(|one| one["name"] == "gone"));
}

#[test]
fn two_images_are_compared_by_line_package_and_path() {
    let world = World::new();
    let at = |name: &str| world.path().join(name);
    wasteful().write(&at("a.tar"), "a:1");
    wasteful().layer("RUN /bin/sh -c make", [item("app/new", noise(50, 90_000))]).write(&at("b.tar"), "b:1");
    if let Err(reason) = plimsoll_tests::user_namespaces(&plimsoll_tests::Account::current()) {
        plimsoll_tests::skip!("{reason}");
    }
    let report = world.run(&["compare", "a.tar", "b.tar", "--format", "json"]).expect(3).json();
    let rows = report["growth"]["instructions"].as_array().expect("rows");
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!((&rows[0]["kind"], &rows[0]["paths"][0]["path"]), (&Value::from("added"), &Value::from("/app/new")));
    assert_eq!(report["growth"]["same_layers"], 5);
    let markdown = world.run(&["compare", "a.tar", "b.tar", "--format", "markdown"]).expect(3).stdout;
    assert!(markdown.contains("/app/new"), "{markdown}");
    let page = world.run(&["compare", "a.tar", "b.tar", "--format", "html"]).expect(3).stdout;
    assert!(page.contains("/app/new") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(Path::new(&at("a.tar")).exists());
}
