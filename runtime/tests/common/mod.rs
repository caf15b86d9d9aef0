//! What the tests with real containers share: a root filesystem of busybox, and a `main` that runs them as root and again as an
//! ordinary user.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use plimsoll_runtime::exec::{self, Outcome, Process};
use plimsoll_runtime::userns::{self, Kind};

pub(crate) type Test = (&'static str, fn(&Root));

/// A root filesystem of busybox.
pub(crate) struct Root {
    directory: tempfile::TempDir,
}

impl Root {
    pub(crate) fn new(busybox: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["bin", "etc", "home", "tmp", "root", "run"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        fs::set_permissions(path.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::copy(busybox, path.join("bin/busybox")).unwrap();
        for name in [
            "sh", "cat", "echo", "env", "id", "ls", "hostname", "mount", "true", "false", "sleep", "touch", "ps",
            "grep", "stat", "wc", "head", "nc", "httpd", "pwd", "mknod", "unshare", "readlink", "umount", "kill", "dd",
            "chmod", "sed",
        ] {
            symlink("busybox", path.join("bin").join(name)).unwrap();
        }
        fs::write(path.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n").unwrap();
        fs::write(path.join("etc/group"), "root:x:0:\nann:x:1001:\nstaff:x:50:ann\nwheel:x:10:root,ann\n").unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn process(&self, args: &[&str]) -> Process {
        let mut process = Process::new(self.path(), args.iter().copied());
        process.set_env("PATH", "/bin");
        process
    }

    pub(crate) fn sh(&self, script: &str) -> Process {
        self.process(&["sh", "-c", script])
    }

    /// Every path with its modification time, to see that nothing is left.
    pub(crate) fn listing(&self) -> Vec<(PathBuf, i64, i64)> {
        let mut found = Vec::new();
        let mut todo = vec![self.path().to_owned()];
        while let Some(path) = todo.pop() {
            let stat = fs::symlink_metadata(&path).unwrap();
            if stat.is_dir() {
                todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            found.push((path, stat.mtime(), stat.mtime_nsec()));
        }
        found.sort();
        found
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn run(process: &Process) -> Outcome {
    exec::run(process).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs, expects success, gives standard output.
pub(crate) fn out(process: &Process) -> String {
    let outcome = run(process);
    assert!(outcome.success(), "{:?}\n{}\n{}", outcome.status, text(&outcome.stdout), text(&outcome.stderr));
    text(&outcome.stdout)
}

pub(crate) fn wait_for_output(container: &exec::Container, wanted: &str) {
    let start = Instant::now();
    while !text(&container.output_so_far().0).contains(wanted) {
        assert!(start.elapsed() < Duration::from_secs(10), "never wrote {wanted:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn busybox() -> Option<&'static str> {
    ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists())
}

/// The same tests as an ordinary user: this program again, started by `su`.
fn as_ordinary_user(name: &str, filter: Option<&str>) -> Option<bool> {
    let user = std::env::var("PLIMSOLL_TEST_USER").ok()?;
    let program = std::env::current_exe().unwrap();
    let copy = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let copied = copy.path().join(name);
    fs::copy(program, &copied).unwrap();
    let line = format!("exec {} {}", copied.display(), filter.unwrap_or(""));
    let status = Command::new("su")
        .args([&user, "-s", "/bin/sh", "-c", &line])
        .env_remove("PLIMSOLL_TEST_USER")
        .status()
        .unwrap();
    Some(status.success())
}

/// Runs the tests; arguments as cargo's own harness takes them, as far as they matter.
pub(crate) fn main(name: &str, tests: &[Test]) -> ExitCode {
    exec::init_if_asked();
    if let Some(root) = std::env::var_os("PLIMSOLL_TEST_START") {
        // A starter for the test that kills one.
        let mut process = Process::new(root, std::env::args().skip(1));
        process.set_env("PATH", "/bin");
        process.user = exec::User::ids(1000, 1000);
        return ExitCode::from(exec::run(&process).map_or(125, |outcome| outcome.status.code() as u8));
    }
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    if std::env::args().any(|arg| arg == "--list") {
        tests.iter().for_each(|(title, _)| println!("{title}: test"));
        return ExitCode::SUCCESS;
    }
    let Some(busybox) = busybox() else {
        println!("SKIPPED: no busybox (Debian: busybox-static), so there is no root filesystem to run");
        return ExitCode::SUCCESS;
    };
    let other = if nix::unistd::geteuid().is_root() { Some(as_ordinary_user(name, filter.as_deref())) } else { None };
    let map = match userns::enter(Kind::Auto) {
        Ok(map) => map,
        Err(error) => {
            println!("SKIPPED: {error}; {}", error.help().unwrap_or_default());
            return ExitCode::SUCCESS;
        }
    };
    println!("running {} tests of {name} as {map}", tests.len());
    let root = Root::new(Path::new(busybox));
    let mut failed = 0;
    for (title, test) in
        tests.iter().filter(|(title, _)| filter.as_ref().is_none_or(|part| title.contains(part.as_str())))
    {
        let result = catch_unwind(AssertUnwindSafe(|| test(&root)));
        failed += usize::from(result.is_err());
        println!("test {title} ... {}", if result.is_ok() { "ok" } else { "FAILED" });
    }
    if other == Some(None) {
        println!("SKIPPED as an ordinary user: PLIMSOLL_TEST_USER names none");
    }
    println!("{failed} failed");
    if failed == 0 && other != Some(Some(false)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
