//! What a test needs of the machine, and how it says that this is missing.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::Account;

/// Notes that the running test is left out, and why. Use [`skip!`](crate::skip), which also returns.
pub fn skipped(reason: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("skipped: {name}: {reason}\n");
    // `eprint!` would be captured by libtest, which throws the output of a passing test away.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("PLIMSOLL_SKIPS")
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = file.write_all(line.as_bytes());
    }
}

/// Whether a program answers to `--version`.
pub fn tool(name: &str) -> bool {
    runs(Command::new(name).arg("--version"))
}

/// Whether `account` may make the namespaces that containers need; a reason if not.
pub fn user_namespaces(account: &Account) -> Result<(), String> {
    let mut probe = Command::new("unshare");
    if account.is_root() {
        probe.args(["--mount", "--pid", "--net", "--fork", "true"]);
    } else {
        probe.args(["--user", "--map-root-user", "--mount", "--pid", "--net", "--fork", "true"]);
    }
    account.apply(&mut probe);
    if runs(&mut probe) { Ok(()) } else { Err(format!("{account} may not make namespaces here")) }
}

/// Whether `account` has subordinate IDs and the programs that hand them out; a reason if not.
pub fn subordinate_ids(account: &Account) -> Result<(), String> {
    if account.is_root() {
        return Ok(());
    }
    for program in ["newuidmap", "newgidmap"] {
        // Without arguments they explain themselves and fail; what matters is that they are there.
        let found = Command::new(program).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_err() {
            return Err(format!("{program} is not installed"));
        }
    }
    for file in ["/etc/subuid", "/etc/subgid"] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let owned = text.lines().filter_map(|line| line.split(':').next());
        if !owned.into_iter().any(|owner| owner == account.name() || owner == account.uid().to_string()) {
            return Err(format!("{file} gives {account} no subordinate IDs"));
        }
    }
    user_namespaces(account)
}

fn runs(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
