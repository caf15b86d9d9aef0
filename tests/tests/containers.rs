//! Containers that go on in the background: `run -d`, and what is done with them afterwards, for every account and with one ID.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll_tests::{Account, Outcome, World, skipped, tool};

/// A container that is gone when the test is, however that ends.
struct Container<'w> {
    world: &'w World,
    id: String,
}

impl<'w> Container<'w> {
    fn start(world: &'w World, words: &[&str]) -> Self {
        let seen = world.run(&[&["run", "-d"], words].concat()).expect(0);
        let id = seen.stdout.trim().to_owned();
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{seen}");
        Self { world, id }
    }

    fn status(&self) -> String {
        let seen = self.world.run(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Status}}"]).expect(0);
        let line = seen.stdout.lines().find_map(|line| line.strip_prefix(&self.id));
        line.map(|line| line.trim().to_owned()).unwrap_or_default()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // Most have been removed by the test already.
        self.world.run(&["rm", "-f", &self.id]);
    }
}

/// A world for each account and ID map of this machine.
fn worlds() -> Vec<World> {
    let mut worlds: Vec<World> = Account::all().into_iter().map(World::of).collect();
    match Account::ordinary() {
        Ok(account) => worlds.push(World::of(account).with_one_id()),
        Err(reason) => skipped(&format!("not as an ordinary user: {reason}")),
    }
    worlds.retain(|world| match world.is_possible() {
        Ok(()) => true,
        Err(reason) => {
            skipped(&reason);
            false
        }
    });
    for world in &worlds {
        world.bases(&["busybox:latest"]);
    }
    worlds
}

#[test]
fn it_is_listed_entered_read_and_stopped() {
    for world in worlds() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let script =
            "mkdir /www; echo served >/www/index.html; echo begun; echo wrong >&2; exec httpd -f -p 80 -h /www";
        let forward = format!("127.0.0.1:{port}:80");
        let web =
            Container::start(&world, &["--name", "web", "-p", &forward, "-e", "A=b", "busybox", "sh", "-c", script]);

        let listed = world.run(&["ps"]).expect(0);
        assert!(listed.stdout.starts_with("CONTAINER ID"), "{listed}");
        listed.says(&web.id[..12]).says("busybox").says("Up ").says(&forward).says("web");
        assert_eq!(world.run(&["ps", "--quiet"]).expect(0).stdout.trim(), &web.id[..12]);
        assert_eq!(world.run(&["ps", "--format", "json"]).expect(0).json()[0]["State"], "running");

        let served = until(|| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.contains("served").then_some(())
        });
        assert!(served.is_some(), "nobody answers on {port}");
        let logged = world.run(&["logs", "web"]).expect(0);
        assert_eq!(logged.stdout, "begun\nwrong\n");
        assert_eq!(world.run(&["logs", "--tail", "1", &web.id[..6]]).expect(0).stdout, "wrong\n");

        let inside = |words: &[&str]| world.run(&[&["exec"], words].concat());
        assert_eq!(inside(&["web", "cat", "/www/index.html"]).expect(0).stdout, "served\n");
        let script = "echo $A $C; pwd; id -u; touch own; stat -c %u own";
        let seen = inside(&["-e", "C=d", "-u", "7", "-w", "/tmp", "web", "sh", "-c", script]).expect(0);
        assert_eq!(seen.stdout.lines().collect::<Vec<_>>(), ["b d", "/tmp", "7", "7"], "{seen}");
        inside(&["web", "sh", "-c", "exit 9"]).expect(9);
        inside(&["web", "nothere"]).expect(127).says("nothere");
        let mut typed = world.command();
        typed.args(["exec", "-i", "web", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut typed = typed.spawn().expect("the command");
        typed.stdin.take().expect("a pipe").write_all(b"through\n").expect("it reads");
        assert_eq!(typed.wait_with_output().expect("its end").stdout, b"through\n");

        // A name is taken as long as there is something of it.
        world
            .run(&["run", "-d", "--name", "web", "busybox", "true"])
            .expect(125)
            .says("web is taken")
            .says("rm -f web");
        world.run(&["rm", "web"]).expect(2).says("it is running");
        let begun = Instant::now();
        assert_eq!(world.run(&["stop", "-t", "1", "web"]).expect(0).stdout, "web\n");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert!(world.run(&["ps", "-q"]).expect(0).stdout.is_empty());
        let status = web.status();
        assert!(status.starts_with("Exited ("), "{status}");
        inside(&["web", "true"]).expect(2).says("it has ended");
        assert_eq!(world.run(&["logs", "-f", "web"]).expect(0).stdout, "begun\nwrong\n");
        // An image of the same name is another matter.
        world.run(&["tag", "busybox", "web"]).expect(0);
        world.run(&["rmi", "web"]).expect(0).says("Untagged: web");
        assert_eq!(world.run(&["rm", "web"]).expect(0).stdout, "web\n");
        assert!(web.status().is_empty());
        world.run(&["logs", "web"]).expect(2).says("failed to find the container web");
    }
}

#[test]
fn its_end_is_told_and_nothing_is_left_where_nothing_was_to_be() {
    for world in worlds() {
        let it = Container::start(
            &world,
            &["busybox", "sh", "-c", "trap 'echo heard; exit 5' USR1; echo up; while :; do sleep 0.1; done"],
        );
        let up = until(|| (world.run(&["logs", &it.id]).expect(0).stdout == "up\n").then_some(()));
        assert!(up.is_some(), "it never came up");
        world.run(&["kill", "-s", "USR1", &it.id]).expect(0);
        assert_eq!(world.run(&["wait", &it.id]).expect(0).stdout, "5\n");
        assert!(it.status().starts_with("Exited (5)"), "{}", it.status());
        assert_eq!(world.run(&["logs", &it.id]).expect(0).stdout, "up\nheard\n");
        world.run(&["kill", &it.id]).expect(2).says("it has ended");

        let gone = Container::start(&world, &["--rm", "busybox", "sleep", "300"]);
        world.run(&["kill", &gone.id]).expect(0);
        let left = until(|| gone.status().is_empty().then_some(()));
        assert!(left.is_some(), "{}", gone.status());

        // What cannot be started is told by `run` itself, and leaves nothing.
        world.run(&["run", "-d", "busybox", "nothere"]).expect(127).says("nothere");
        world.run(&["run", "-d", "--pull", "never", "no-such-image"]).expect(125).says("no-such-image");
        let folders = std::fs::read_dir(world.store().join("containers")).expect("the folder").count();
        assert_eq!(folders, 1, "of the one that ended");
    }
}

#[test]
fn a_container_dies_with_its_keeper() {
    for world in worlds() {
        let it = Container::start(&world, &["--name", "kept", "busybox", "sleep", "300"]);
        let folder = world.store().join("containers").join(&it.id);
        let mark = format!("PLIMSOLL_CONTAINER_FOLDER={}", folder.display());
        let keepers: Vec<String> = std::fs::read_dir("/proc")
            .expect("processes")
            .flatten()
            .filter_map(|process| {
                let environment = std::fs::read(process.path().join("environ")).ok()?;
                let keeps = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
                keeps.then(|| process.file_name().to_string_lossy().into_owned())
            })
            .collect();
        assert!(!keepers.is_empty(), "somebody keeps it");
        Outcome::of(Command::new("kill").arg("-9").args(&keepers)).expect(0);
        let told = until(|| it.status().starts_with("Exited (137)").then_some(()));
        assert!(told.is_some(), "{}", it.status());
        world.run(&["exec", "kept", "true"]).expect(2).says("it has ended");
        assert_eq!(world.run(&["rm", "kept"]).expect(0).stdout, "kept\n");
    }
}

#[test]
fn a_program_inside_gets_a_terminal() {
    if !tool("script") {
        plimsoll_tests::skip!("script of util-linux is not installed");
    }
    let Some(world) = worlds().into_iter().next() else {
        plimsoll_tests::skip!("no account of this machine can start containers");
    };
    let it = Container::start(&world, &["busybox", "sleep", "300"]);
    let program = world.command().get_program().to_owned();
    let line = format!("stty rows 31 cols 97; {} exec -it {} sh -c 'tty; stty size'", program.display(), it.id);
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("PLIMSOLL_STORE", world.store());
    let seen = Outcome::of(script.stdin(Stdio::null())).expect(0);
    seen.says("/dev/pts/").says("31 97");
}

/// Tries for some seconds.
fn until<T>(mut act: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(done) = act() {
            return Some(done);
        }
        if begun.elapsed() > Duration::from_secs(20) {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
