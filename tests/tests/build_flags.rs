//! `build` as people who come from docker call it: stages side by side, outputs, caches, contexts.

use plimsoll_tests::{World, busybox, skip};

#[test]
fn independent_stages_are_built_side_by_side() {
    let world = busybox!();
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        skip!("one processor builds one stage at a time");
    }
    // Each waits for the other: one after the other would never end well.
    let meets = "RUN --mount=type=cache,target=/c touch /c/ME; for i in $(seq 300); do \
                 test -e /c/OTHER && exit 0; sleep 0.1; done; exit 1\n";
    let stage = |name: &str, me: &str, other: &str| {
        format!("FROM busybox AS {name}\n{}RUN echo {name} > /out\n", meets.replace("ME", me).replace("OTHER", other))
    };
    let text = format!(
        "{}{}FROM busybox AS unneeded\nRUN exit 1\nFROM busybox\nCOPY --from=one /out /one\nCOPY --from=two /out /two\n",
        stage("one", "a", "b"),
        stage("two", "b", "a")
    );
    world.write("c/Dockerfile", &text);
    let first = world.run(&["build", "c", "--format", "json"]).expect(0).json();
    let steps: Vec<_> = first["steps"].as_array().expect("steps").iter().map(|step| step["stage"].as_u64()).collect();
    assert_eq!(steps, [0, 0, 1, 1, 3, 3].map(Some), "{first:#}");
    let second = world.run(&["build", "c", "--format", "json"]).expect(0).json();
    assert_eq!(first["containerimage.digest"], second["containerimage.digest"]);
}

#[test]
fn a_stage_that_fails_ends_the_others() {
    let world = busybox!();
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        skip!("one processor builds one stage at a time");
    }
    let text = "FROM busybox AS slow\nRUN echo waiting; sleep 300\nFROM busybox AS wrong\nRUN sleep 1; echo boom; exit 3\n\
                FROM scratch\nCOPY --from=slow / /\nCOPY --from=wrong / /\n";
    world.write("c/Dockerfile", text);
    let seen = world.run(&["build", "c", "--progress", "plain"]).expect(2);
    assert!(seen.took.as_secs() < 100, "{seen}");
    let seen = seen.says("Dockerfile:4").says("exit code 3");
    // Lines name their step; which of the two is the first is as it comes.
    let step = |wanted: &str| {
        let lines = seen.stderr.lines().filter_map(|line| line.split_once(" | "));
        lines.filter(|(_, said)| *said == wanted).map(|(step, _)| step.trim().to_owned()).next()
    };
    let steps = [step("boom"), step("waiting")];
    assert!([["1", "2"], ["2", "1"]].iter().any(|both| steps == both.map(|step| Some(step.to_owned()))), "{seen}");
    assert!(!seen.stderr.contains("Dockerfile:2"), "{seen}");
}

#[test]
fn files_go_out_as_a_folder_and_as_a_tar() {
    let world = busybox!();
    let text = "FROM busybox AS b\nRUN mkdir -p /o/d && echo x > /o/d/f && ln /o/d/f /o/hard && ln -s /etc /o/link && \
                mkfifo /o/p && chown 7:8 /o/d/f && chmod 4750 /o/d/f && touch -d @1600000000 /o/d/f\n\
                FROM scratch\nCOPY --from=b /o /\n";
    world.write("c/Dockerfile", text);
    world.write("out/kept", "mine\n");
    // What lies in the way must not lead elsewhere.
    world.write("victim/f", "untouched\n");
    std::os::unix::fs::symlink(world.path().join("victim"), world.path().join("out/d")).expect("own folder");
    world
        .run(&["build", "c", "-o", "out", "--output", "type=tar,dest=files.tar", "--output", "type=oci,dest=oci.tar"])
        .expect(0);
    let out = world.path().join("out");
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::symlink_metadata(out.join("d/f")).expect("was written");
    assert_eq!((file.mode() & 0o7777, file.mtime(), file.nlink()), (0o750, 1_600_000_000, 2));
    assert_eq!(file.uid(), std::fs::metadata(world.path()).expect("own folder").uid());
    assert_eq!(std::fs::read_link(out.join("link")).expect("a link").to_string_lossy(), "/etc");
    assert_eq!(std::fs::read_to_string(out.join("kept")).expect("still there"), "mine\n");
    assert_eq!(std::fs::read_to_string(world.path().join("victim/f")).expect("still there"), "untouched\n");
    let mut tar = tar::Archive::new(std::fs::File::open(world.path().join("files.tar")).expect("was written"));
    let mut seen = Vec::new();
    for entry in tar.entries().expect("a tar") {
        let entry = entry.expect("an entry");
        let (header, path) = (entry.header().clone(), entry.path().expect("a path").display().to_string());
        seen.push(format!("{path} {:?} {}", header.entry_type(), header.uid().expect("a number")));
    }
    assert_eq!(seen, ["d/ Directory 0", "d/f Regular 7", "hard Link 7", "link Symlink 0", "p Fifo 0"]);
    world.run(&["load", "--input", "oci.tar", "--name", "from-oci"]).expect(0);
    let mut stdout = world.command();
    stdout.args(["build", "c", "-o", "-"]);
    let output = stdout.output().expect("runs");
    assert!(output.status.success());
    assert_eq!(output.stdout, std::fs::read(world.path().join("files.tar")).expect("was written"));
    for wrong in ["type=oci,tar=false", "type=nothing", "type=image,push=true"] {
        world.run(&["build", "c", "--output", wrong]).expect(2).says("failed to");
    }
}

#[test]
fn what_is_known_of_a_build_is_written_as_buildx_does() {
    let world = busybox!();
    world.write("c/Dockerfile", "FROM busybox\nLABEL a=1\n");
    let line = ["build", "c", "-q", "-t", "me/it:1", "-t", "other", "--label", "b=2", "--annotation", "org.x=y"];
    let built = world.run(&[&line[..], &["--iidfile", "id", "--metadata-file", "meta.json"]].concat()).expect(0);
    assert_eq!(built.stderr, "");
    let id = std::fs::read_to_string(world.path().join("id")).expect("was written");
    assert_eq!(built.stdout.trim(), id);
    let meta: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.path().join("meta.json")).expect("was written")).expect("JSON");
    assert_eq!(meta["containerimage.config.digest"], id.as_str());
    assert_eq!(meta["image.name"], "docker.io/me/it:1,docker.io/library/other:latest");
    let descriptor = &meta["containerimage.descriptor"];
    assert_eq!(descriptor["digest"], meta["containerimage.digest"]);
    assert_eq!(descriptor["annotations"]["org.x"], "y");
    assert_eq!(descriptor["platform"]["os"], "linux");
}

#[test]
fn a_context_comes_from_anywhere() {
    let world = busybox!();
    world.write("c/file", "in the context\n");
    world.write("c/inner.Dockerfile", "FROM busybox\nCOPY file /f\nRUN grep -q context /f\n");
    world.write("Dockerfile", "FROM busybox\nRUN echo alone > /f\n");
    let with_stdin = |args: &[&str], path: &str| {
        let mut command = world.command();
        command.args(args).stdin(std::fs::File::open(world.path().join(path)).expect("own file"));
        command.output().expect("runs")
    };
    let done = |output: &std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    done(&with_stdin(&["build", "-"], "Dockerfile"));
    done(&with_stdin(&["build", "-f", "-", "c"], "c/inner.Dockerfile"));
    let mut tar = std::process::Command::new("tar");
    tar.args(["-C", "c", "-czf", "c.tgz", "."]).current_dir(world.path());
    plimsoll_tests::Outcome::of(&mut tar).expect(0);
    done(&with_stdin(&["build", "-f", "inner.Dockerfile", "-"], "c.tgz"));
    let both = with_stdin(&["build", "-f", "-", "-"], "Dockerfile");
    assert_eq!(both.status.code(), Some(2));
    // Named ones: folders with their own ignore file, images, layouts; they go before stages and images.
    world.write("named/.dockerignore", "secret\n");
    world.write("named/secret", "x\n");
    world.write("named/sub/page", "named\n");
    world.write("c/Dockerfile", "FROM nowhere/base AS base\nRUN test -e /bin/sh\nFROM nothing AS stage\nRUN exit 1\nFROM base\n\
                 COPY --from=src / /src\nCOPY --from=stage /bin/sh /sh\n\
                 RUN --mount=from=src,target=/m grep -q named /m/sub/page && test ! -e /src/secret && grep -q named /src/sub/page\n");
    world.run(&["save", "busybox:latest", "--format", "oci", "-o", "layout"]).expect(0);
    let contexts = ["nowhere/base=docker-image://busybox", "src=named", "stage=oci-layout://layout"];
    let flags: Vec<&str> = contexts.iter().flat_map(|context| ["--build-context", context]).collect();
    world.run(&[&["build", "c", "--progress", "plain"][..], &flags].concat()).expect(0);
    world.run(&["build", "c", "--build-context", "src=none"]).expect(2).says("none");
}

#[test]
fn a_build_can_be_asked_without_building() {
    let world = World::new();
    let text = "ARG BASE=debian\nFROM $BASE AS one\nARG KEY=1\nRUN --mount=type=secret,id=token,required=true true\n\
                FROM one AS two\nRUN --mount=type=ssh true\nCMD run it\n";
    world.write("c/Dockerfile", text);
    let outline = world.run(&["build", "c", "--call=outline,format=json", "--build-arg", "KEY=7"]).expect(0).json();
    assert_eq!(outline["name"], "two");
    assert_eq!(outline["args"][0], serde_json::json!({ "name": "BASE", "value": "debian" }));
    assert_eq!(outline["args"][1]["value"], "7");
    assert_eq!(outline["secrets"][0], serde_json::json!({ "name": "token", "required": true }));
    assert_eq!(outline["ssh"][0]["name"], "default");
    let targets = world.run(&["build", "c", "--call", "targets"]).expect(0);
    assert_eq!(targets.stdout, "TARGET\none\ntwo (default)\n");
    world.run(&["build", "c", "--check"]).expect(1).says("JSONArgsRecommended");
    world.write("c/Dockerfile", "FROM scratch\nCOPY a /\n");
    world.run(&["build", "c", "--check"]).expect(0).says("no warnings");
    for refused in ["--cgroup-parent=x", "--memory=1g", "--squash", "--sbom=true", "--isolation=hyperv", "--builder=b"]
    {
        world.run(&["build", "c", refused]).expect(2).says("is not supported");
    }
}

#[test]
fn results_of_steps_travel_to_another_store() {
    let world = busybox!();
    world.write("c/file", "x\n");
    world.write(
        "c/Dockerfile",
        "FROM busybox AS b\nWORKDIR /w\nCOPY file .\nRUN seq 20000 > big\nRUN --mount=from=busybox,target=/m echo a > a\n\
         FROM busybox\nCOPY --from=b /w/big /big\nRUN echo last > /last\n",
    );
    let line = ["build", "c", "--progress", "plain", "--format", "json"];
    let both = ["--cache-to", "type=local,dest=cache,mode=max", "--cache-to", "type=local,dest=least"];
    let first = world.run(&[&line[..], &both].concat()).expect(0).json();
    let executed = |report: &serde_json::Value| {
        let steps = report["steps"].as_array().expect("steps").clone();
        steps
            .iter()
            .filter(|step| step["cached"] == false)
            .map(|step| step["created_by"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(executed(&first).len(), 6, "{first:#}");
    let layout = plimsoll_tests::repository().join(".cache/bases/busybox-latest").display().to_string();
    let elsewhere = |store: &str, from: &str| {
        world.run(&["--store", store, "load", "--name", "busybox:latest", "--input", &layout]).expect(0);
        world.run(&[&["--store", store][..], &line, &["--cache-from", from]].concat()).expect(0).json()
    };
    let second = elsewhere("s2", "type=local,src=cache");
    assert_eq!(executed(&second), Vec::<String>::new());
    assert_eq!(first["layers"], second["layers"]);
    // The least that is kept has no layer of the stage that was left behind.
    let third = elsewhere("s3", "type=local,src=least");
    assert!(!executed(&third).is_empty() && executed(&third).len() < 6, "{third:#}");
    world.run(&[&line[..], &["--cache-from", "type=local,src=none"]].concat()).expect(0).says("not there");
    world.run(&["build", "c", "--cache-to", "type=s3,bucket=b"]).expect(2).says("type=registry");
}

#[test]
fn steps_see_their_limits() {
    let world = busybox!();
    world.write("c/Dockerfile", "FROM busybox\nRUN df -k /dev/shm | grep -q ' 8192 ' && test $(ulimit -n) = 123 && grep -q 10.1.2.3 /etc/hosts\n");
    let line = ["build", "c", "--shm-size", "8m", "--ulimit", "nofile=123", "--add-host", "h:10.1.2.3", "--pull=false"];
    world.run(&line).expect(0);
    world.run(&["build", "c", "--ulimit", "files=1"]).expect(2).says("nofile");
}
