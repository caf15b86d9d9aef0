//! `--engine`: a daemon builds, and its image is ours to read.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll_tests::{Account, Archive, World, item, noise, skip, tool};

/// A daemon that ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Starts it and waits for its socket.
fn start(mut command: Command, socket: &std::path::Path) -> Result<Daemon, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut daemon = Daemon(command.spawn().map_err(|error| format!("{name}: {error}"))?);
    let began = Instant::now();
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        if began.elapsed() > Duration::from_secs(60) || daemon.0.try_wait().is_ok_and(|ended| ended.is_some()) {
            return Err(format!("{name} does not start here"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(daemon)
}

fn builds(world: &World, engine: &str, variable: &str, socket: &std::path::Path) {
    let host = format!("unix://{}", socket.display());
    world.write("c/a", "from the context\n");
    world.write("c/secret", "x\n");
    world.write("c/.dockerignore", "secret\n");
    let run = |args: &[&str]| {
        let mut command = world.command();
        plimsoll_tests::Outcome::of(command.args(["build", "c", "--engine", engine]).args(args).env(variable, &host))
    };
    world.write("c/Dockerfile", "FROM scratch\nARG WHO\nLABEL who=$WHO\nCOPY . /d/\n");
    run(&["--build-arg", "WHO=me", "-t", "it", "-o", "out"]).expect(0);
    let names = |path: &str| {
        let entries = std::fs::read_dir(world.path().join(path)).expect("was written");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("out/d"), [".dockerignore", "Dockerfile", "a"].map(std::ffi::OsString::from));
    assert!(world.run(&["inspect", "it", "--format", "json"]).expect(0).stdout.contains("COPY"));
    world.write("c/Dockerfile", "FROM scratch\nCOPY secret /\n");
    run(&[]).expect(2).says("secret").says(engine);
    run(&["--secret", "id=a,src=c/a"]).expect(2).says("cannot do secrets");
}

/// Looks into an image that the daemon has, with its command on the PATH or only its socket.
fn looks(world: &World, engine: &str, variable: &str, socket: &std::path::Path, path: &str) {
    let mut command = world.command();
    let host = format!("unix://{}", socket.display());
    command.env(variable, host).env("PATH", path).args(["inspect", "--format", "json"]);
    let seen = plimsoll_tests::Outcome::of(command.arg(format!("{engine}:localhost/kept:1"))).expect(0).json();
    assert_eq!(seen["visible"]["bytes"], 30_000, "{seen:#}");
    assert_eq!(seen["layers"].as_array().map(Vec::len), Some(1));
    let mut command = world.command();
    command.env(variable, format!("unix://{}", socket.display())).env("PATH", path);
    let missing = plimsoll_tests::Outcome::of(command.args(["inspect", &format!("{engine}:localhost/none:1")]));
    missing.expect(2).says("localhost/none:1").says(engine);
}

/// The same image as an archive that the daemon loads.
fn kept(world: &World) -> std::path::PathBuf {
    let archive = world.path().join("kept.tar");
    let file = item("app/run", noise(1, 30_000));
    Archive::new().layer("COPY run /app/", [file]).write(&archive, "localhost/kept:1");
    archive
}

#[test]
fn docker_builds_for_us() {
    let world = World::new();
    if !tool("dockerd") || !tool("docker") || !Account::current().is_root() {
        skip!("dockerd and docker are not installed, or may not be started");
    }
    let folder = |name: &str| world.path().join(name).display().to_string();
    let socket = world.path().join("docker.sock");
    let mut command = Command::new("dockerd");
    command.args(["--iptables=false", "--bridge=none", "--storage-driver=vfs", "--data-root", &folder("data")]);
    command.args(["--exec-root", &folder("exec"), "--pidfile", &folder("pid"), "--host"]);
    command.arg(format!("unix://{}", socket.display()));
    match start(command, &socket) {
        Ok(_daemon) => {
            builds(&world, "docker", "DOCKER_HOST", &socket);
            let mut load = Command::new("docker");
            load.arg("load").arg("--input").arg(kept(&world));
            load.env("DOCKER_HOST", format!("unix://{}", socket.display()));
            plimsoll_tests::Outcome::of(&mut load).expect(0);
            let path = std::env::var("PATH").expect("a PATH");
            for path in [path.as_str(), "/nowhere"] {
                looks(&world, "docker", "DOCKER_HOST", &socket, path);
            }
        }
        Err(reason) => skip!("{reason}"),
    }
}

#[test]
fn podman_builds_for_us() {
    let world = World::new();
    if !tool("podman") || !Account::current().is_root() {
        skip!("podman is not installed, or may not be started");
    }
    let folder = |name: &str| world.path().join(name).display().to_string();
    let socket = world.path().join("podman.sock");
    let mut command = Command::new("podman");
    command.args(["--root", &folder("data"), "--runroot", &folder("run"), "--storage-driver", "vfs"]);
    command.args(["system", "service", "-t", "0", &format!("unix://{}", socket.display())]);
    match start(command, &socket) {
        Ok(_daemon) => {
            builds(&world, "podman", "CONTAINER_HOST", &socket);
            let mut load = Command::new("podman");
            load.args(["--root", &folder("data"), "--runroot", &folder("run"), "--storage-driver", "vfs", "load"]);
            plimsoll_tests::Outcome::of(load.arg("--input").arg(kept(&world))).expect(0);
            looks(&world, "podman", "CONTAINER_HOST", &socket, "/nowhere");
        }
        Err(reason) => skip!("{reason}"),
    }
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let world = World::new();
    world.write("c/Dockerfile", "FROM scratch\n");
    let mut command = world.command();
    command.args(["build", "c", "--engine", "docker"]).env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    plimsoll_tests::Outcome::of(&mut command).expect(2).says("unix:///nowhere/docker.sock").says("DOCKER_HOST");
}
