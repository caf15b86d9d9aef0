//! Plimsoll where something else has taken rights away already: as root that may not mount, and in containers.

use plimsoll_tests::{Account, Outcome, busybox, skip, tool};

/// As in a container of a CI that gives root no right to mount, but lets it make user namespaces.
#[test]
fn root_without_the_right_to_mount_builds_and_runs_in_a_namespace_of_its_own() {
    let world = busybox!();
    if !Account::current().is_root() || !tool("setpriv") {
        skip!("dropping a capability needs root and setpriv");
    }
    let without = |args: &[&str]| {
        let mut command = world.program("setpriv");
        command.args(["--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]).arg(world.command().get_program());
        Outcome::of(command.args(args))
    };
    without(&["doctor"]).expect(0).says("root without CAP_SYS_ADMIN").says("containers");
    world.write("c/Dockerfile", "FROM busybox\nRUN mkdir /d && echo told > /d/f && chown 7:8 /d/f && rm /bin/vi\n");
    without(&["build", "--tag", "nested", "c"]).expect(0);
    let listed = without(&["run", "nested", "sh", "-c", "stat -c %u:%g /d/f; cat /d/f; ls /bin/vi"]).expect(1);
    assert_eq!(listed.stdout, "7:8\ntold\n", "{listed}");
    // And with that right the same image is the same.
    let again = world.run(&["build", "--tag", "again", "--no-cache", "c"]).expect(0);
    let same = world.run(&["compare", "nested", "again"]);
    assert_eq!(same.code, 0, "{again}{same}");
}

/// In a container whose root is an overlay, on which overlayfs does not write: what is unpacked is unpacked in memory there.
/// Docker's filter refuses `pivot_root` to whoever has CAP_SYS_ADMIN alone.
#[test]
fn in_a_container_it_builds_runs_and_proves() {
    let world = busybox!();
    world.bases(&["debian:bookworm-slim"]);
    world.write(
        "c/Dockerfile",
        "FROM debian:bookworm-slim\nRUN echo told > /told && rm -rf /etc/apt && mkdir /etc/apt && touch /etc/apt/new\n\
         RUN apt-get --version && rm /told && mkdir /d && echo kept > /d/f\nCOPY . /d/\nCMD [\"cat\", \"/d/f\"]\n",
    );
    world.write("c/.git/HEAD", vec![b'x'; 10_000]);
    world.run(&["save", "debian:bookworm-slim", "--output", "base.tar"]).expect(0);
    let plimsoll = format!("{}:/plimsoll:ro", world.command().get_program().display());
    let here = format!("{}:/here:ro", world.path().display());
    let within = |options: &[&str], script: &str| {
        let mut arguments = vec!["run", "--rm", "-v", &plimsoll, "-v", &here];
        arguments.extend(options);
        arguments.extend(["debian:bookworm-slim", "sh", "-euc", script]);
        world.run(&arguments)
    };
    let starts = within(&[], "/plimsoll --version");
    if starts.code != 0 {
        skip!("this build of plimsoll does not start on Debian 12: {}", starts.stderr.trim());
    }
    let script = "/plimsoll doctor; /plimsoll load -q -i /here/base.tar; /plimsoll build -q -t made /here/c
        /plimsoll run --rm made sh -c 'ls /etc/apt /told; cat /d/f' || true; /plimsoll optimize /here/c --verify -q";
    let namespaces = ["--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"];
    for options in [&["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"][..], &namespaces, &["--privileged"]] {
        let seen = within(options, script).expect(0);
        seen.says("in memory").says("\nnew\nkept\n").says("1/1");
    }
    let script = "/plimsoll doctor; /plimsoll load -q -i /here/base.tar; /plimsoll build -q -t made /here/c
        /plimsoll run --rm --network host made";
    within(&["--cap-add", "SYS_ADMIN"], script).expect(0).says("CAP_NET_ADMIN").says("\nkept\n");
    // With nothing given, it says what is missing.
    let refused = within(&[], "/plimsoll doctor").expect(1);
    refused.says("--cap-add SYS_ADMIN");
}
