//! Dockerfiles, contexts and containers that try to leave.

use std::os::unix::fs::symlink;
use std::path::Path;

use plimsoll_runtime::digest::Digest;
use plimsoll_tests::{Account, Outcome, World, skip};

/// A world with a busybox, a canary of the host and a folder that nobody may touch.
fn world() -> Result<World, String> {
    let world = World::of(Account::ordinary().unwrap_or_else(|_| Account::current()));
    world.is_possible()?;
    world.bases(&["busybox:latest"]);
    world.write("host/canary", "the host's");
    world.write("host/empty/keep/me", "");
    std::fs::remove_file(world.path().join("host/empty/keep/me")).expect("own folder");
    Ok(world)
}

/// What the host has is as it was.
fn unharmed(world: &World, what: &str) {
    let host = world.path().join("host");
    let canary = std::fs::read_to_string(host.join("canary")).unwrap_or_default();
    assert_eq!(canary, "the host's", "{what}");
    let mut found: Vec<String> = std::fs::read_dir(&host)
        .expect("there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, ["canary", "empty"], "{what}");
    assert!(host.join("empty/keep").is_dir(), "{what}: an empty folder of the host was removed");
}

/// Builds, whatever comes of it, as long as it is no crash and nothing of the host was seen or changed.
fn attempt(world: &World, what: &str, dockerfile: &str) -> Outcome {
    world.write("c/Dockerfile", dockerfile);
    let outcome = world.run(&["build", "--progress=plain", "--no-cache", "--tag", "attempt", "c"]);
    assert!([0, 2].contains(&outcome.code) && !outcome.stderr.contains("panicked"), "{what}: {outcome}");
    assert!(!outcome.stderr.contains("the host's"), "{what} saw it: {outcome}");
    unharmed(world, what);
    outcome
}

#[test]
fn no_mount_leads_out() {
    let world = match world() {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    let host = world.path().join("host").display().to_string();
    let up = format!("/../../../../../../../..{host}");
    world.write("c/f", "f");
    for target in
        ["/proc/self/fd", "/proc/1/root", "/proc/self/attr", "/sys/fs", "/dev/fd/3", "/", "/..", &up, "/link/x"]
    {
        for kind in ["cache", "tmpfs", "bind,source=f", "secret,id=s"] {
            let text = format!(
                "FROM busybox\nRUN ln -s {up} /link\nRUN --mount=type={kind},target={target} touch {target}/new; cat {target}/canary {host}/canary; true\n"
            );
            attempt(&world, &format!("a {kind} at {target}"), &text);
        }
    }
    for source in ["/../host", "../host", "/proc/self/root", "link/host"] {
        let text =
            format!("FROM busybox\nRUN --mount=type=bind,source={source},target=/m,rw cat /m/canary; touch /m/new\n");
        attempt(&world, &format!("a bind from {source}"), &text);
        let text = format!(
            "FROM busybox AS a\nRUN ln -s {up} /link && ln -s {host} /abs\nFROM busybox\nRUN --mount=from=a,source={source},target=/m,rw cat /m/canary; touch /m/new; true\n"
        );
        attempt(&world, &format!("a bind from a stage's {source}"), &text);
    }
    for source in ["link", "abs"] {
        let text = format!(
            "FROM busybox AS a\nRUN ln -s {up} /link && ln -s {host} /abs\nFROM busybox\nRUN --mount=type=cache,from=a,source=/{source},target=/m cat /m/canary; touch /m/new; true\n"
        );
        attempt(&world, &format!("a cache from a stage's {source}"), &text);
    }
}

/// What a RUN leaves where a mount point was is not looked at through links when the mount point is removed again.
#[test]
fn mount_points_that_became_links() {
    let world = match world() {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    let host = world.path().join("host").display().to_string();
    let up = format!("/../../../../../../../..{host}");
    for kind in ["cache", "tmpfs"] {
        for (what, target) in [("absolute", &host), ("relative", &up)] {
            let text = format!(
                "FROM busybox\nRUN --mount=type={kind},target=/a/empty/keep mv /a /moved; ln -s {target} /a; ls -la / >&2; true\n"
            );
            attempt(&world, &format!("{kind}, {what}"), &text);
        }
    }
    // A cache is a folder of the store; what a step leaves in it leads the next nowhere.
    let text = format!(
        "FROM busybox\nRUN --mount=type=cache,target=/c,id=x ln -s {host} /c/l\nRUN --mount=type=cache,target=/c,id=x cat /c/l/canary; touch /c/l/new; true\n\
         RUN --mount=type=cache,target=/d,id=y,source=l cat /d/canary; true\n"
    );
    attempt(&world, "a link in a cache", &text);
}

#[test]
fn nothing_of_the_builder_is_open_in_a_step() {
    let world = match world() {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    let host = world.path().join("host/canary").display().to_string();
    world.write("c/Dockerfile", "FROM busybox\nRUN ls /proc/self/fd | tr '\\n' ' ' > /fds\n");
    world.run(&["build", "--progress=plain", "--tag", "fds", "c"]).expect(0);
    // Three streams and the folder that is listed.
    let fds = world.run(&["run", "--rm", "fds", "cat", "/fds"]).expect(0).stdout;
    assert_eq!(fds.trim(), "0 1 2 3");
    let mut lines = String::from("FROM busybox\n");
    for number in 3..16 {
        let text =
            format!("FROM busybox\nWORKDIR /proc/self/fd/{number}\nRUN cat ../../../../../../../..{host}; true\n");
        attempt(&world, &format!("descriptor {number} as directory"), &text);
        lines.push_str(&format!("RUN ln -s /proc/self/fd/{number} /l{number}\n"));
    }
    world.write("c/Dockerfile", lines);
    world.run(&["build", "--progress=plain", "--tag", "links", "c"]).expect(0);
    for number in 3..16 {
        for directory in [format!("/l{number}"), format!("/proc/self/fd/{number}")] {
            let script = format!("cat ../../../../../../../..{host}; true");
            let outcome = world.run(&["run", "--rm", "--workdir", &directory, "links", "sh", "-c", &script]);
            assert!(!outcome.stdout.contains("the host's"), "{directory}: {outcome}");
        }
    }
}

/// A container that writes to the program that set it up.
#[test]
fn the_program_stays_what_it_is() {
    let world = match world() {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    let program = world.command().get_program().to_owned();
    let digest = || Digest::of(&std::fs::read(&program).expect("the program"));
    let before = digest();
    let script =
        "for n in 1 self; do echo x > /proc/$n/exe; echo x >> /proc/$n/exe; done; rm -f /proc/1/exe; echo tried";
    let outcome = world.run(&["run", "--rm", "--init", "busybox", "sh", "-c", script]).expect(0);
    assert_eq!(outcome.stdout, "tried\n");
    // The program itself, started again from inside, while another waits to write to it.
    let text =
        "FROM busybox\nRUN printf '#!/proc/self/exe\\n' > /bin/evil && chmod 755 /bin/evil\nRUN [\"/bin/evil\"]\n";
    attempt(&world, "an interpreter that is the program", text);
    attempt(&world, "the program as a step", "FROM busybox\nRUN [\"/proc/self/exe\", \"--version\"]\n");
    assert_eq!(digest(), before);
}

#[test]
fn contexts_that_point_elsewhere() {
    let world = match world() {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    world.write("c/f", "f");
    let context = world.path().join("c");
    let host = world.path().join("host");
    symlink(&host, context.join("abs")).expect("own folder");
    symlink("../host", context.join("rel")).expect("own folder");
    symlink("../host/canary", context.join("file")).expect("own folder");
    for source in ["abs/canary", "rel/canary", "file", "abs", "rel/", "f/../../host/canary", "abs/../host/canary"] {
        for verb in ["COPY", "ADD", "COPY --parents", "COPY --link"] {
            let text = format!("FROM busybox\n{verb} {source} /to/\nRUN cat /to/* /to/*/canary /to/*/*; true\n");
            attempt(&world, &format!("{verb} {source}"), &text);
        }
    }
    // Directories of the image through links, for every kind of instruction.
    let up = format!("/../../../../../../../..{}", host.display());
    let text = format!(
        "FROM busybox\nRUN ln -s {up} /link && ln -s /proc/self/root{} /proc-link\nWORKDIR /link/made\nCOPY f /link/f\nCOPY f /proc-link/f\nADD f /link/sub/\nCOPY <<x /link/x\ntext\nx\nRUN touch here; pwd\nVOLUME /link/v\n",
        host.display()
    );
    attempt(&world, "links of the image", &text);
    // Ignore files say what is left out, never what comes in.
    world.write("c/.dockerignore", "*\n!../host\n!abs/canary\n!/../host/**\n");
    attempt(
        &world,
        "an ignore file",
        "FROM busybox\nCOPY . /to/\nRUN cat /to/abs/canary /to/host/canary /to/canary; true\n",
    );
    std::fs::remove_file(context.join(".dockerignore")).expect("own folder");
    // The context itself is written by nobody.
    let text = "FROM busybox\nRUN --mount=type=bind,target=/ctx,rw echo changed > /ctx/f; rm -rf /ctx/*\n";
    attempt(&world, "a writable context", text).expect(0);
    assert_eq!(std::fs::read_to_string(context.join("f")).expect("there"), "f");
}

/// Images that are no images: archives made by hand.
#[test]
fn archives_that_lie() {
    let world = World::new();
    let archive = |files: &[(&str, &[u8])]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, *bytes).expect("in memory");
        }
        tar.into_inner().expect("in memory")
    };
    let layout: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("zeros", vec![0; 1 << 20]),
        ("noise", (0..1_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761) as u8).collect()),
        ("no index", archive(&[layout])),
        ("an index that is none", archive(&[layout, ("index.json", b"[]")])),
        ("an index of itself", {
            let index = br#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}]}"#;
            archive(&[
                layout,
                ("index.json", index),
                ("blobs/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", b""),
            ])
        }),
        ("a layer outside", {
            let manifest = br#"[{"Config":"../../../../../../etc/passwd","RepoTags":["x:1"],"Layers":["/etc/passwd","../host/canary"]}]"#;
            archive(&[("manifest.json", manifest)])
        }),
        ("paths outside", archive(&[("../../outside", b"x"), ("/absolute", b"x"), ("manifest.json", b"[]")])),
    ];
    for (name, bytes) in cases {
        world.write("bad.tar", bytes);
        let outcome = world.run(&["load", "--input", "bad.tar"]);
        assert!([1, 2].contains(&outcome.code) && !outcome.stderr.contains("panicked"), "{name}: {outcome}");
        assert!(!Path::new("/absolute").exists() && !world.path().join("outside").exists(), "{name}");
        world.run(&["images", "verify"]).expect(0);
    }
    assert_eq!(std::fs::read_dir(world.store().join("tmp")).expect("there").count(), 0);
}
