//! The built command and what a run of it gave.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The `plimsoll` to test: the one `PLIMSOLL_BIN` names, or the one beside this test, brought up to date once.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("PLIMSOLL_BIN") {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "PLIMSOLL_BIN names {}, which is no file", path.display());
            return path;
        }
        // target/debug/deps/some_test
        let test = std::env::current_exe().expect("a running test has a path");
        let profile = test.ancestors().nth(2).expect("tests lie two folders below the profile's");
        let target = profile.parent().expect("a profile's folder lies in the target folder");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "plimsoll"]).current_dir(crate::repository());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.env("CARGO_TARGET_DIR", target).status().expect("cargo can be started");
        assert!(status.success(), "plimsoll does not compile");
        profile.join("plimsoll")
    })
}

/// What a command gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command line, for messages.
    pub line: String,
    /// Exit code; 128 and up for signals.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Start to exit.
    pub took: Duration,
}

impl Outcome {
    /// Runs `command` to its end, without standard input.
    pub fn of(command: &mut Command) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let line = format!("{command:?}");
        let start = Instant::now();
        let output = command.stdin(std::process::Stdio::null()).output();
        let Output { status, stdout, stderr } =
            output.unwrap_or_else(|error| panic!("failed to start {line}: {error}"));
        Self {
            line,
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            took: start.elapsed(),
        }
    }

    /// Fails the test, showing everything, unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code == code, "exit code {} where {code} was expected\n{self}", self.code);
        self
    }

    /// Fails the test unless standard output or standard error has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        // Messages are wrapped to the width of a terminal.
        let joined = self.stderr.replace("\n  │ ", " ");
        let said = self.stdout.contains(text) || self.stderr.contains(text) || joined.contains(text);
        assert!(said, "nothing says {text:?}\n{self}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{self}"))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, stdout, stderr, took } = self;
        write!(f, "$ {line}\n(exit code {code}, {took:.1?})\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}
