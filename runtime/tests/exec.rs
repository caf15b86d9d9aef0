//! Real containers in a small root made of busybox: as root and, with `PLIMSOLL_TEST_USER`, again as an ordinary user.
//!
//! It has a `main` of its own because the program itself is started again inside the container.

#![expect(clippy::unwrap_used, reason = "a test with its own main")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use plimsoll_runtime::exec::{
    self, Capabilities, EtcFiles, Input, Mount, Network, Output, Process, Seccomp, SetupStep, Status, Stream, User,
};

mod common;

use common::{Root, busybox, out, run, text, wait_for_output};

const TESTS: &[common::Test] = &[
    ("output and exit code come back", output_and_exit_code),
    ("a signal ends it", signal_status),
    ("the environment is exact", environment),
    ("namespaces are its own", namespaces),
    ("devices work", devices),
    ("proc and sys are protected", protected),
    ("the root cannot be left", root_is_closed),
    ("capabilities are Docker's", capabilities),
    ("the user is complete", user),
    ("mounts appear and leave no trace", mounts),
    ("files in memory", memory_files),
    ("etc files leave no trace", etc_files),
    ("standard input", standard_input),
    ("lines come as they are written", streaming),
    ("time runs out", time_limit),
    ("what cannot start says why", start_errors),
    ("a read-only root", read_only),
    ("stop, and kill what does not", stopping),
    ("an init reaps and forwards", reaping_init),
    ("a command inside", run_inside),
    ("a network of its own", own_network),
    ("dropping kills", dropping_kills),
    ("a killed starter takes its container along", killed_starter),
    ("the working directory", working_directory),
    ("no descriptor leaks", no_leaks),
    ("the filter refuses", filter),
    ("limits hold where they can be set", limits),
    ("a terminal", terminal),
];

fn output_and_exit_code(root: &Root) {
    let outcome = run(&root.sh("echo out; echo err >&2; exit 7"));
    assert_eq!(outcome.status, Status::Exited(7));
    assert_eq!(outcome.status.code(), 7);
    assert_eq!((text(&outcome.stdout).as_str(), text(&outcome.stderr).as_str()), ("out\n", "err\n"));
    assert_eq!(out(&root.process(&["/bin/echo", "a b", "", "c"])), "a b  c\n");
    let big = run(&root.sh("dd if=/dev/zero bs=1024 count=4096 2>/dev/null"));
    assert_eq!(big.stdout.len(), 4 << 20);
}

fn signal_status(root: &Root) {
    // Process 1 of a process namespace cannot kill itself; its child can be killed.
    let outcome = run(&root.sh("sh -c 'kill -9 $$'; exit $?"));
    assert_eq!(outcome.status.code(), 137);
    let mut container = exec::spawn(&root.process(&["sleep", "100"])).unwrap();
    container.signal(Signal::SIGKILL).unwrap();
    assert_eq!(container.wait().unwrap().status, Status::Signaled(9));
}

fn environment(root: &Root) {
    let mut process = root.process(&["env"]);
    process.set_env("A", "x=y z");
    process.set_env("PATH", "/bin");
    assert_eq!(out(&process), "PATH=/bin\nA=x=y z\n");
}

fn namespaces(root: &Root) {
    let mut process =
        root.sh("hostname; echo $$; ps | wc -l; for n in uts ipc cgroup; do readlink /proc/self/ns/$n; done");
    process.hostname = "box".to_owned();
    let answer = out(&process);
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(&lines[..2], ["box", "1"]);
    assert!(lines[2].trim().parse::<u32>().unwrap() <= 5, "sees other processes: {answer}");
    for (line, name) in lines[3..].iter().zip(["uts", "ipc", "cgroup"]) {
        let ours = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        assert_ne!(*line, ours.to_str().unwrap());
    }
}

fn devices(root: &Root) {
    let script = "set -e; echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 8 /dev/urandom | wc -c; \
                  ! echo x > /dev/full 2> /dev/null; test -c /dev/tty; test -c /dev/random; readlink /dev/fd; readlink /dev/ptmx; \
                  echo shm > /dev/shm/x; cat /dev/shm/x; echo out > /dev/stdout; stat -c %a /dev/null /dev /dev/shm";
    assert_eq!(out(&root.sh(script)), "4\n8\n/proc/self/fd\npts/ptmx\nshm\nout\n666\n755\n1777\n");
}

fn protected(root: &Root) {
    let script = "! grep -q . /proc/interrupts /proc/timer_list /proc/keys /proc/kcore 2> /dev/null && echo hidden; (echo 1 > /proc/sys/kernel/ns_last_pid) 2>&1 | grep -c Read-only; \
                  ls /sys/firmware | wc -l; ! touch /sys/x 2>/dev/null && ! mount -o remount,rw /proc/sys 2>/dev/null && echo kept";
    assert_eq!(out(&root.sh(script)), "hidden\n1\n0\nkept\n");
}

fn root_is_closed(root: &Root) {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    let script =
        format!("cat /../../..{0}/secret /proc/1/root{0}/secret /proc/1/cwd/..{0}/secret", outside.path().display());
    let outcome = run(&root.sh(&script));
    assert!(!outcome.success() && outcome.stdout.is_empty(), "{}", text(&outcome.stdout));
    let mounts = out(&root.process(&["cat", "/proc/self/mountinfo"]));
    assert!(!mounts.lines().any(|line| line.contains(" /home ") || line.contains("/boot")), "{mounts}");
    assert!(mounts.lines().all(|line| !line.contains("shared:")), "{mounts}");
    // A link in the image must not send /proc elsewhere.
    let hostile = Root::new(Path::new(&busybox().unwrap()));
    symlink("/etc", hostile.path().join("proc")).unwrap();
    let error = exec::run(&hostile.process(&["true"])).unwrap_err();
    assert_eq!(error.step, SetupStep::MountKernel, "{error}");
}

fn capabilities(root: &Root) {
    let line = |process: &Process, field: &str| {
        let status = out(process);
        let line = status.lines().find(|line| line.starts_with(field)).unwrap().to_owned();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    let status = root.process(&["cat", "/proc/self/status"]);
    for field in ["CapBnd:", "CapEff:", "CapPrm:"] {
        assert_eq!(line(&status, field), 0xa804_25fb, "{field}");
    }
    for field in ["CapInh:", "CapAmb:", "NoNewPrivs:"] {
        assert_eq!(line(&status, field), 0, "{field}");
    }
    let mut user = status.clone();
    user.user = User::ids(1000, 1000);
    assert_eq!((line(&user, "CapEff:"), line(&user, "CapBnd:")), (0, 0xa804_25fb));
    let mut few = status.clone();
    few.capabilities = Capabilities::NONE.with("NET_RAW").unwrap();
    few.no_new_privileges = true;
    assert_eq!((line(&few, "CapEff:"), line(&few, "NoNewPrivs:")), (1 << 13, 1));
    let mut all = status;
    all.capabilities = Capabilities::ALL;
    assert_ne!(line(&all, "CapBnd:") & (1 << 21), 0, "CAP_SYS_ADMIN when asked");
}

fn user(root: &Root) {
    let mut process = root.sh("id -u; id -g; id -G; umask; stat -c '%u:%g %a' /tmp/made");
    process.args[2] = format!("touch /tmp/made; {}; rm -f /tmp/made", process.args[2]);
    process.user = exec::lookup_user(root.path(), "ann").unwrap();
    assert_eq!(process.user.home, "/home/ann");
    assert_eq!(out(&process), "1000\n1001\n1001 10 50\n0022\n1000:1001 644\n");
    process.args[2] = "id -G".to_owned();
    process.user = exec::lookup_user(root.path(), "1000:50").unwrap();
    assert_eq!(out(&process), "50\n");
}

fn mounts(root: &Root) {
    let host = tempfile::tempdir().unwrap();
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(host.path().join("file"), "host").unwrap();
    run(&root.process(&["true"]));
    let before = root.listing();
    let mut process = root.sh(
        "cat /a/b/c/file; ! touch /a/b/c/new 2>/dev/null; echo written > /rw/out; echo t > /var/cache/x/t; stat -c %a /var/cache/x; \
         cat /one; ! touch /a/b/c/file 2>/dev/null; mount | grep -c ' /rw '; cat /rw/inner/file; cat /dev/extra/file",
    );
    process.mounts = vec![
        Mount::bind(host.path(), "/a/b/c", true),
        Mount::bind(host.path(), "/rw", false),
        Mount::tmpfs("/var/cache/x", Some(1 << 20)),
        Mount::bind(host.path().join("file"), "/one", true),
        Mount::bind(host.path(), "/rw/inner", true),
        Mount::bind(host.path(), "/dev/extra", true),
    ];
    assert_eq!(out(&process), "host1777\nhost1\nhosthost");
    assert_eq!(fs::read_to_string(host.path().join("out")).unwrap(), "written\n");
    assert_eq!(root.listing(), before, "mount points are removed and times restored");
    // Below a mount point that was made, something stays: then it stays too.
    process.mounts = vec![Mount::tmpfs("/deep/er/cache", None)];
    process.args[2] = "echo kept > /deep/kept; echo gone > /deep/er/cache/x".to_owned();
    out(&process);
    assert!(root.path().join("deep/kept").exists());
    assert!(!root.path().join("deep/er").exists());
    fs::remove_dir_all(root.path().join("deep")).unwrap();
    process.mounts = vec![Mount::bind("/no/such/source", "/x", true)];
    let error = exec::run(&process).unwrap_err();
    assert_eq!((error.step, error.errno), (SetupStep::OpenSource, Errno::ENOENT));
    assert!(!root.path().join("x").exists());
}

fn memory_files(root: &Root) {
    let before = root.listing();
    let mut process = root.sh("cat /run/secrets/key; stat -c '%a %u:%g' /run/secrets/key; ! sh -c 'echo x > /run/secrets/key' 2>/dev/null; /dev/pipes/EOF arg");
    process.mounts = vec![
        Mount::file("/run/secrets/key", "s3cret\n", 0o400, 5, 6),
        Mount::file("/dev/pipes/EOF", "#!/bin/sh\necho ran $1\n", 0o755, 0, 0),
    ];
    assert_eq!(out(&process), "s3cret\n400 5:6\nran arg\n");
    assert_eq!(root.listing(), before);
}

fn etc_files(root: &Root) {
    let before = root.listing();
    let mut process = root.sh("cat /etc/hosts; ! sh -c 'echo x >> /etc/hosts' 2>/dev/null; test -e /etc/resolv.conf && ! test -e /etc/hostname");
    process.hostname = "box".to_owned();
    process.extra_hosts = vec![("10.0.0.1".to_owned(), "db".to_owned())];
    assert_eq!(out(&process), "127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.1\tdb\n");
    assert_eq!(root.listing(), before, "no etc entry");
    process.etc_files = EtcFiles::Run;
    process.args[2] = "cat /etc/hostname; echo more >> /etc/hosts; grep more /etc/hosts".to_owned();
    assert_eq!(out(&process), "box\nmore\n");
    assert_eq!(root.listing(), before);
}

fn standard_input(root: &Root) {
    let mut process = root.process(&["cat"]);
    assert_eq!(out(&process), "");
    process.stdin = Input::Bytes(b"given".to_vec());
    assert_eq!(out(&process), "given");
    process.stdout = Output::Null;
    assert_eq!(out(&process), "");
}

fn streaming(root: &Root) {
    let mut lines: Vec<(Stream, String, Duration)> = Vec::new();
    let start = Instant::now();
    let process = root.sh("echo one; echo two >&2; sleep 0.3; printf 'three\\nrest'");
    let outcome =
        exec::run_streaming(&process, &mut |stream, line| lines.push((stream, text(line), start.elapsed()))).unwrap();
    assert_eq!(text(&outcome.stdout), "one\nthree\nrest");
    let mut stdout = lines.iter().filter(|(stream, ..)| *stream == Stream::Stdout);
    let one = stdout.next().unwrap();
    assert_eq!(one.1, "one");
    assert!(one.2 < Duration::from_millis(250), "{:?}", one.2);
    assert_eq!(stdout.map(|line| line.1.as_str()).collect::<Vec<_>>(), ["three", "rest"]);
}

fn time_limit(root: &Root) {
    let mut process = root.sh("echo begun; sleep 100 & sleep 100");
    process.limits.time = Some(Duration::from_millis(300));
    let outcome = run(&process);
    assert_eq!((outcome.status, text(&outcome.stdout).as_str()), (Status::TimedOut, "begun\n"));
    assert!(outcome.duration < Duration::from_secs(5));
}

fn start_errors(root: &Root) {
    let error = |process: &Process| exec::run(process).unwrap_err();
    let missing = error(&root.process(&["no-such-program"]));
    assert_eq!((missing.step, missing.errno, missing.exit_code()), (SetupStep::Exec, Errno::ENOENT, 127));
    assert_eq!(missing.to_string(), "failed to run no-such-program: ENOENT: No such file or directory");
    fs::write(root.path().join("tmp/plain"), "text").unwrap();
    assert_eq!(error(&root.process(&["/tmp/plain"])).exit_code(), 126);
    fs::set_permissions(root.path().join("tmp/plain"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(error(&root.process(&["/tmp/plain"])).errno, Errno::ENOEXEC);
    fs::remove_file(root.path().join("tmp/plain")).unwrap();
    let mut nowhere = root.process(&["true"]);
    nowhere.root = "/no/such/root".into();
    assert_eq!(error(&nowhere).errno, Errno::ENOENT);
    let mut file = root.process(&["true"]);
    file.cwd = "/etc/passwd".to_owned();
    assert_eq!((error(&file).step, error(&file).errno), (SetupStep::WorkingDirectory, Errno::ENOTDIR));
    let mut nul = root.process(&["echo", "a\0b"]);
    nul.args[1] = "a\0b".to_owned();
    assert_eq!(error(&nul).errno, Errno::EINVAL);
}

fn read_only(root: &Root) {
    let mut process = root.sh("! touch /x 2>/dev/null && touch /scratch/x /dev/shm/x && echo ok");
    process.read_only = true;
    process.mounts = vec![Mount::tmpfs("/scratch", None)];
    assert_eq!(out(&process), "ok\n");
}

fn stopping(root: &Root) {
    let mut polite =
        exec::spawn(&root.sh("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done")).unwrap();
    wait_for_output(&polite, "up");
    let outcome = polite.stop(Signal::SIGTERM, Duration::from_secs(10)).unwrap();
    assert_eq!((outcome.status, text(&outcome.stdout).as_str()), (Status::Exited(3), "up\nbye\n"));
    let mut deaf = exec::spawn(&root.sh("trap '' TERM; echo up; while :; do sleep 0.05; done")).unwrap();
    wait_for_output(&deaf, "up");
    assert!(deaf.wait_timeout(Duration::from_millis(50)).unwrap().is_none());
    let outcome = deaf.stop(Signal::SIGTERM, Duration::from_millis(200)).unwrap();
    assert_eq!(outcome.status, Status::Signaled(9));
    assert_eq!(deaf.wait().unwrap().status, Status::Signaled(9), "asking twice gives the same");
}

fn reaping_init(root: &Root) {
    let mut process = root.sh("echo $$; (sh -c 'sleep 0.1' &) ; sleep 0.3; ps -o stat= | grep -c Z; exit 5");
    process.init = true;
    let outcome = run(&process);
    assert_eq!((outcome.status, text(&outcome.stdout).as_str()), (Status::Exited(5), "2\n0\n"));
    process.args[2] = "trap 'echo term; exit 9' TERM; echo up; while :; do sleep 0.05; done".to_owned();
    let mut container = exec::spawn(&process).unwrap();
    wait_for_output(&container, "up");
    assert_eq!(container.stop(Signal::SIGTERM, Duration::from_secs(10)).unwrap().status, Status::Exited(9));
    process.args = vec!["no-such-program".to_owned()];
    assert_eq!(exec::run(&process).unwrap_err().exit_code(), 127);
}

fn run_inside(root: &Root) {
    let mut process = root.sh("echo up; while :; do sleep 0.05; done");
    process.network = Network::Private;
    process.mounts = vec![Mount::file("/run/only-here", "inside", 0o444, 0, 0)];
    let container = exec::spawn(&process).unwrap();
    wait_for_output(&container, "up");
    let mut command = root.sh("cat /run/only-here; ps | grep -c '[w]hile'; id -u; exit 4");
    command.user = User::ids(1000, 1000);
    let outcome = container.run_inside(&command).unwrap();
    assert_eq!((outcome.status, text(&outcome.stdout).lines().next()), (Status::Exited(4), Some("inside1")));
    assert!(text(&outcome.stdout).ends_with("1000\n"), "{}", text(&outcome.stdout));
    let error = container.run_inside(&root.process(&["no-such-program"])).unwrap_err();
    assert_eq!(error.exit_code(), 127);
    command.args[2] = "sleep 100".to_owned();
    command.limits.time = Some(Duration::from_millis(200));
    assert_eq!(container.run_inside(&command).unwrap().status, Status::TimedOut);
}

fn own_network(root: &Root) {
    let mut process = root.sh("cat /proc/net/dev; cat /sys/class/net/lo/flags");
    for network in [Network::None, Network::Private] {
        process.network = network;
        let answer = out(&process);
        let devices: Vec<&str> =
            answer.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
        assert_eq!(devices[0], "lo");
        assert!(answer.ends_with("0x9\n"), "up and loopback: {answer}");
        assert_eq!(answer.lines().count(), 4, "{answer}");
    }
}

fn dropping_kills(root: &Root) {
    let marker = format!("{}", std::process::id());
    let container =
        exec::spawn(&root.sh(&format!("sh -c 'sleep 4242{marker}' & echo up; sleep 4242{marker}"))).unwrap();
    wait_for_output(&container, "up");
    drop(container);
    assert!(!is_alive(&format!("4242{marker}")));
}

fn is_alive(marker: &str) -> bool {
    let commands =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    commands.into_iter().any(|line| text(&line).starts_with("sleep") && text(&line).contains(marker))
}

fn killed_starter(root: &Root) {
    let marker = format!("4343{}", std::process::id());
    let mut starter = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["sleep", &marker])
        .env("PLIMSOLL_TEST_START", root.path())
        .spawn()
        .unwrap();
    let wait = |wanted: bool| {
        let start = Instant::now();
        while is_alive(&marker) != wanted {
            assert!(start.elapsed() < Duration::from_secs(20), "never {}", if wanted { "started" } else { "ended" });
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait(true);
    starter.kill().unwrap();
    starter.wait().unwrap();
    wait(false);
}

fn working_directory(root: &Root) {
    let mut process = root.sh("pwd; stat -c %a .");
    process.cwd = "/tmp/new/deep".to_owned();
    assert_eq!(out(&process), "/tmp/new/deep\n755\n");
    fs::remove_dir_all(root.path().join("tmp/new")).unwrap();
    process.cwd = "/proc/self/fd".to_owned();
    // Whatever is reachable through our descriptors, it is not the host.
    process.cwd = "/proc/self/cwd/../../..".to_owned();
    process.args[2] = "ls".to_owned();
    assert!(out(&process).contains("bin\n"));
}

fn no_leaks(root: &Root) {
    let _kept_open = fs::File::open("/").unwrap();
    let answer = out(&root.sh("ls /proc/self/fd"));
    // 0, 1, 2 and the directory being listed.
    assert_eq!(answer, "0\n1\n2\n3\n");
}

fn filter(root: &Root) {
    let mut process = root.sh("grep Seccomp: /proc/self/status; unshare -U true 2>&1; mount -t tmpfs x /tmp 2>&1");
    process.capabilities = Capabilities::ALL;
    let outcome = run(&process);
    let answer = text(&outcome.stdout);
    assert!(answer.contains("Seccomp:\t2"), "{answer}");
    process.seccomp = Seccomp::Unconfined;
    process.args[2] = "grep Seccomp: /proc/self/status".to_owned();
    assert_eq!(out(&process), "Seccomp:\t0\n");
    // Without CAP_SYS_ADMIN the profile refuses new namespaces.
    process.seccomp = Seccomp::Default;
    process.capabilities = Capabilities::DOCKER_DEFAULT;
    process.user = User::ids(1000, 1000);
    process.args[2] = "unshare -U true".to_owned();
    assert!(!run(&process).success());
    process.seccomp = Seccomp::Unconfined;
    assert!(run(&process).success());
}

fn limits(root: &Root) {
    let mut process = root.sh("i=0; while [ $i -lt 20 ]; do sleep 1 & i=$((i+1)); done; wait");
    process.limits.pids = Some(8);
    match exec::run(&process) {
        Ok(outcome) => assert!(text(&outcome.stderr).contains("can't fork"), "{}", text(&outcome.stderr)),
        Err(error) => {
            assert_eq!(error.step, SetupStep::ControlGroup);
            assert!(error.help().is_some());
            println!("SKIPPED the limits: {error}");
            return;
        }
    }
    process.limits.pids = None;
    process.limits.memory = Some(16 << 20);
    process.args[2] = "dd if=/dev/zero of=/dev/null bs=64M count=1".to_owned();
    assert!(!run(&process).success(), "64 MiB do not fit into 16");
    process.args[2] = "dd if=/dev/zero of=/dev/null bs=1M count=1 2>/dev/null && echo fits".to_owned();
    process.limits.cpus = Some(1.5);
    assert_eq!(out(&process), "fits\n");
    let name = format!("plimsoll-{}-", std::process::id());
    let left = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let left = left.lines().filter(|line| line.contains(" - cgroup")).filter_map(|line| line.split(' ').nth(4));
    for point in left {
        let entries = fs::read_dir(point).into_iter().flatten().flatten();
        assert!(entries.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(&name)), "{point}");
    }
}

fn terminal(root: &Root) {
    use std::io::Read;
    let mut process = root.sh(
        "test -t 0 && test -t 1 && test -t 2 && echo tty >/dev/tty; stat -c %u /dev/pts/0; readlink /proc/self/fd/0",
    );
    process.terminal = true;
    process.user = User::ids(1000, 1001);
    let mut container = exec::spawn(&process).unwrap();
    let mut master = fs::File::from(container.take_terminal().unwrap());
    let mut bytes = Vec::new();
    // EIO is how a terminal ends.
    let _ = master.read_to_end(&mut bytes);
    assert_eq!(text(&bytes), "tty\r\n1000\r\n/dev/pts/0\r\n");
    assert!(container.wait().unwrap().success());
}

fn main() -> ExitCode {
    common::main("exec", TESTS)
}
