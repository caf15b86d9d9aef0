//! The command lines of the README that docker users know, run as they stand there, and what they print compared.

use std::path::PathBuf;
use std::process::Command;

use plimsoll_tests::{Outcome, Registry, World, busybox, repository};

const HEADING: &str = "## In place of docker";

/// A command line and what the README says it prints.
struct Line {
    command: String,
    printed: Vec<String>,
}

/// The Dockerfile and the command lines of the README's section.
fn section() -> (String, Vec<Line>) {
    let text = std::fs::read_to_string(repository().join("README.md")).expect("a README");
    let start = text.find(HEADING).unwrap_or_else(|| panic!("the README has no section {HEADING}"));
    let section = &text[start + HEADING.len()..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let (mut block, mut dockerfile, mut lines) = ("", String::new(), Vec::<Line>::new());
    for line in section.lines() {
        match (block, line.strip_prefix("```")) {
            ("", Some(kind)) => block = kind,
            (_, Some(_)) => block = "",
            ("dockerfile", None) => dockerfile.push_str(&format!("{line}\n")),
            ("console", None) => match line.strip_prefix("$ ") {
                Some(command) => lines.push(Line { command: command.to_owned(), printed: Vec::new() }),
                None => lines.last_mut().expect("a command before its output").printed.push(line.to_owned()),
            },
            _ => {}
        }
    }
    (dockerfile, lines)
}

/// The line with digests, IDs, times and sizes taken out: what else it says is the same on every machine.
fn lasting(line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        let hex = word.trim_start_matches("sha256:");
        let is_time = word.len() == 20 && word.ends_with('Z') && word.as_bytes().get(10) == Some(&b'T');
        if hex.len() >= 12 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            words.push("ID");
        } else if is_time {
            words.push("TIME");
        } else if word.parse::<f64>().is_ok() {
            words.push("NUMBER");
        } else if matches!(word, "B" | "kB" | "MB") && words.last() == Some(&"NUMBER") {
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}

#[test]
fn the_command_lines_that_docker_users_know_work() {
    let (dockerfile, lines) = section();
    assert!(lines.len() >= 10, "ten are promised: {}", lines.len());
    for command in [
        "build",
        "run",
        "ps",
        "exec",
        "logs",
        "stop",
        "images",
        "tag",
        "push",
        "pull",
        "save",
        "load",
        "image inspect",
        "rmi",
        "login",
    ] {
        let there = lines.iter().any(|line| {
            line.command.starts_with(&format!("plimsoll {command} ")) || line.command == format!("plimsoll {command}")
        });
        assert!(there, "the README shows `{command}`");
    }
    let world = busybox!();
    world.write("c/Dockerfile", dockerfile);
    world.write("password", "opensesame\n");
    let registry = Registry::guarded("me", "opensesame");
    let folder = world.path().join("c");
    let program = PathBuf::from(world.command().get_program());
    std::os::unix::fs::symlink(&program, world.path().join("plimsoll")).expect("own folder");
    let path = format!("{}:{}", world.path().display(), std::env::var("PATH").unwrap_or_default());
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let here = |text: &str| {
        let text = text.replace("localhost:5000", registry.address());
        text.replace("8080:", &format!("{}:", port.port()))
    };
    for line in &lines {
        let mut shell = world.program("sh");
        shell.env("PATH", &path).env("DOCKER_CONFIG", world.path().join("docker")).env_remove("REGISTRY_AUTH_FILE");
        shell.args(["-c", &here(&line.command)]).current_dir(&folder);
        let seen = Outcome::of(&mut shell).expect(0);
        let printed: Vec<String> = seen.stdout.lines().map(lasting).collect();
        let promised: Vec<String> = line.printed.iter().map(|line| lasting(&here(line))).collect();
        assert_eq!(printed, promised, "{}\n{seen}", line.command);
    }
    let pushed = registry.seen();
    assert!(pushed.iter().any(|line| line.starts_with("PUT /v2/app/manifests/1 ")), "{pushed:#?}");
}

#[test]
fn what_is_not_there_is_refused_with_what_to_do() {
    let world = busybox!();
    for (flags, help) in [
        (&["--cgroup-parent", "x"][..], "control group"),
        (&["--volumes-from", "x"], "HOST:CONTAINER"),
        (&["--restart", "always"], "systemd"),
        (&["--device", "/dev/fuse"], "devices"),
        (&["-v", "data:/var/lib/data"], "by name"),
        (&["--mount", "type=volume,src=d,dst=/d"], "type=bind"),
        (&["--cap-add", "FLY"], "capabilities(7)"),
        (&["-p", "80:80", "--add-host", "h:host-gateway"], "--network host"),
        (&["--security-opt", "apparmor=mine"], "no-new-privileges"),
        (&["--stop-signal", "SIGNOTHING"], "SIGINT"),
        (&["--add-host", "h"], "NAME:ADDRESS"),
    ] {
        let mut words = vec!["run"];
        words.extend(flags);
        words.extend(["--pull", "never", "busybox", "true"]);
        world.run(&words).expect(125).says(help);
    }
    world.run(&["compose", "up"]).expect(2).says("[[service]]");
}

#[test]
fn a_container_is_as_its_flags_say() {
    let world = busybox!();
    world.write("shown/file", "bound\n");
    let run =
        |flags: &[&str], script: &str| world.run(&[&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat());
    let says = |flags: &[&str], script: &str, said: &str| {
        let seen = run(flags, script).expect(0);
        assert_eq!(seen.stdout.trim(), said, "{seen}");
    };
    says(&["-h", "here", "--add-host", "there:10.1.2.3"], "hostname; grep -c '^10.1.2.3.there$' /etc/hosts", "here\n1");
    says(&["--cap-drop", "ALL", "--cap-add", "CHOWN"], "grep CapBnd /proc/self/status", "CapBnd:\t0000000000000001");
    says(&["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1");
    says(&["--ulimit", "nofile=77", "--shm-size", "1m"], "ulimit -n; df -k /dev/shm | grep -c ' 1024 '", "77\n1");
    says(&["--user", "7", "--group-add", "55", "--group-add", "mail"], "id -G", "0 8 55");
    says(
        &["--mount", "type=bind,src=shown,dst=/m,readonly"],
        "cat /m/file; touch /m/x 2>/dev/null || echo no",
        "bound\nno",
    );
    says(&["--tmpfs", "/t:size=1m,mode=700"], "stat -c %a /t; df -k /t | grep -c ' 1024 '", "700\n1");
    says(&["--label", "a=b", "--pull=never", "--expose", "80", "-e", "A=1"], "echo $A", "1");
    world.run(&["run", "--entrypoint", "", "busybox", "echo", "plain"]).expect(0).says("plain");
    world.run(&["run", "--cap-add", "FLY", "busybox", "true"]).expect(125).says("capabilities(7)");
    world.run(&["run", "-v", "data:/x", "busybox", "true"]).expect(125).says("by name");
    world.run(&["run", "--platform", "linux/s390x", "--pull=never", "busybox"]).expect(125).says("failed to find");
}

#[test]
fn docker_s_other_commands_are_there_or_say_what_is() {
    let world = World::new();
    for words in [&["restart", "web"][..], &["cp", "web:/x", "."], &["volume", "ls"], &["compose", "up"]] {
        world.run(words).expect(2).says("run, ps, logs, exec, stop, kill, wait and rm").says("[[service]]");
    }
    for words in [&["exec", "-it", "web", "sh"][..], &["logs", "-f", "web"], &["stop", "web"]] {
        world.run(words).expect(2).says("failed to find the container web").says("run -d");
    }
    world.write("c/Dockerfile", "FROM scratch\nLABEL a=1\n");
    world.run(&["buildx", "build", "--load", "-t", "it", "c"]).expect(0);
    world.run(&["builder", "prune", "-af"]).expect(0).says("removed");
    world.run(&["rmi", "it"]).expect(0);
}

#[test]
fn a_container_that_does_not_stop_is_killed() {
    let world = busybox!();
    let script = "trap 'echo asked' INT; echo ready > /s/ready; while :; do sleep 0.1; done";
    let mut command = world.command();
    command.args([
        "run",
        "--stop-signal",
        "INT",
        "--stop-timeout",
        "1",
        "-v",
        "./made/here:/s",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().expect("starts");
    let ready = world.path().join("made/here/ready");
    let began = std::time::Instant::now();
    while !ready.exists() && began.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Outcome::of(Command::new("kill").arg(child.id().to_string())).expect(0);
    let ended = child.wait_with_output().expect("ends");
    assert_eq!(ended.status.code(), Some(137));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "asked\n");
}

#[test]
fn templates_show_what_docker_shows() {
    let world = World::new();
    plimsoll_tests::Archive::new()
        .layer("COPY . /", [plimsoll_tests::item("f", "x")])
        .write(&world.path().join("a.tar"), "me/it:1");
    world.run(&["load", "-i", "a.tar"]).expect(0).says("me/it:1");
    let listed = world.run(&["images", "--format", "{{.Repository}} {{.Tag}} {{.ID}}"]).expect(0).stdout;
    let id = world.run(&["inspect", "-f", "{{.Id}}", "me/it:1"]).expect(0).stdout;
    assert_eq!(listed.trim(), format!("me/it 1 {}", &id["sha256:".len()..][..12]));
    let short = world.run(&["images", "-q", "me/it"]).expect(0).stdout;
    assert!(id.contains(short.trim()), "{id} {short}");
    let json = world.run(&["image", "inspect", short.trim()]).expect(0).json();
    assert_eq!(json[0]["RepoTags"][0], "me/it:1");
    assert_eq!(json[0]["Config"]["Entrypoint"], serde_json::Value::Null);
    world.run(&["image", "inspect", "--format", "{{.Nothing}}", "me/it:1"]).expect(2).says("RepoTags");
    world.run(&["inspect", "--format", "yaml", "me/it:1"]).expect(2).says("markdown");
    world.run(&["rmi", "me/it:1"]).expect(0).says("Untagged: me/it:1");
    world.run(&["image", "inspect", "me/it:1"]).expect(2).says("the store is empty");
}

#[test]
fn credentials_are_kept_where_docker_keeps_them() {
    let world = World::new();
    let registry = Registry::guarded("me", "opensesame");
    world.write("docker/config.json", "{\"psFormat\": \"kept\"}\n");
    let run = |args: &str| {
        let mut shell = world.program("sh");
        shell.env("DOCKER_CONFIG", world.path().join("docker")).env_remove("REGISTRY_AUTH_FILE");
        shell.args(["-c", args]).env("PLIMSOLL", world.command().get_program());
        Outcome::of(&mut shell)
    };
    let file = || std::fs::read_to_string(world.path().join("docker/config.json")).expect("is there");
    // A name that a reference takes for one of docker's own registry.
    run("echo opensesame | $PLIMSOLL login -u me --password-stdin registry").expect(2).says("no host name");
    let address = registry.address();
    run(&format!("echo wrong | $PLIMSOLL login -u me --password-stdin {address}")).expect(2).says("does not take");
    assert!(!file().contains("auths"), "what was refused is not kept");
    run(&format!("echo opensesame | $PLIMSOLL login -u me --password-stdin {address}"))
        .expect(0)
        .says("Login Succeeded");
    let kept = file();
    assert!(kept.contains("bWU6b3BlbnNlc2FtZQ==") && kept.contains("psFormat") && kept.contains(address), "{kept}");
    run(&format!("$PLIMSOLL logout {address}")).expect(0).says("Removing");
    assert!(!file().contains("bWU6b3BlbnNlc2FtZQ=="), "{}", file());
    run(&format!("$PLIMSOLL logout {address}")).expect(0).says("Not logged in");
    run("$PLIMSOLL login -u me").expect(2).says("--password-stdin");
}
