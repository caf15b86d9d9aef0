//! Exit codes: what scripts may rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing found, or everything proven.
    Clean,
    /// Findings, a failed gate, or no proof.
    Findings,
    /// Wrong usage, unreadable input, or a machine that cannot do it.
    Failed,
    /// The images behave differently.
    Differ,
    /// The code of the process that `run` started.
    Process(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Failed => 2,
            Exit::Differ => 3,
            Exit::Process(code) => code,
        })
    }
}
