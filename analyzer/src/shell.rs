//! The shell that RUN, CMD and ENTRYPOINT use at some point of the file.

use std::borrow::Cow;

/// Which language a shell speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShellKind {
    /// `sh`, whatever it is in the image.
    Sh,
    /// `dash`
    Dash,
    /// `ash` of busybox.
    Ash,
    /// `bash`
    Bash,
    /// `ksh` and its kin.
    Ksh,
    /// `zsh`
    Zsh,
    /// `powershell`, `pwsh`
    PowerShell,
    /// `cmd`
    Cmd,
    /// Anything else.
    Other,
}

/// A shell and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell<'m> {
    /// The words of SHELL; `/bin/sh -c` where none is written.
    pub words: Vec<Cow<'m, str>>,
    /// What it speaks.
    pub kind: ShellKind,
    /// Whether a SHELL (or a pragma) says so; otherwise it is what the builder assumes.
    pub explicit: bool,
}

impl Default for Shell<'_> {
    fn default() -> Self {
        Self { words: vec![Cow::Borrowed("/bin/sh"), Cow::Borrowed("-c")], kind: ShellKind::Sh, explicit: false }
    }
}

impl<'m> Shell<'m> {
    /// The shell of a SHELL instruction.
    #[must_use]
    pub fn new(words: Vec<Cow<'m, str>>) -> Self {
        let kind = words.first().map_or(ShellKind::Other, |program| kind_of(program));
        Self { words, kind, explicit: true }
    }
    /// The shell that the `#!` line of a script names, where it has one; options stay with it.
    #[must_use]
    pub fn of_shebang(script: &'m str) -> Option<Self> {
        let line = script.strip_prefix("#!")?.lines().next().unwrap_or_default();
        let mut words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words.first().is_some_and(|program| program.rsplit('/').next() == Some("env")) {
            let program = words.iter().skip(1).position(|word| !word.starts_with('-') && !word.contains('='));
            words.drain(..program.map_or(words.len(), |at| at + 1));
        }
        Some(Self::new(words.into_iter().map(Cow::Borrowed).collect()))
    }
    /// Whether RUN's text is a script of the sh family.
    #[must_use]
    pub fn is_posix(&self) -> bool {
        !matches!(self.kind, ShellKind::PowerShell | ShellKind::Cmd | ShellKind::Other)
    }
    /// Whether a failure on the left of a pipe fails the whole.
    #[must_use]
    pub fn has_pipefail(&self) -> bool {
        matches!(self.kind, ShellKind::Bash | ShellKind::Zsh | ShellKind::Ash | ShellKind::Ksh) && self.sets("pipefail")
    }
    /// Whether `-o name` is among its words.
    #[must_use]
    pub fn sets(&self, name: &str) -> bool {
        let pairs = self.words.iter().zip(self.words.iter().skip(1));
        pairs.into_iter().any(|(flag, value)| flag.starts_with('-') && flag.ends_with('o') && value == name)
    }
    /// Whether it stops at the first command that fails.
    #[must_use]
    pub fn has_errexit(&self) -> bool {
        let short =
            |word: &Cow<'_, str>| word.strip_prefix('-').is_some_and(|w| !w.starts_with('-') && w.contains('e'));
        self.sets("errexit") || self.words.iter().skip(1).any(short)
    }
}

/// What the shell at `program` speaks, by its name.
#[must_use]
pub fn kind_of(program: &str) -> ShellKind {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program).to_ascii_lowercase();
    match name.strip_suffix(".exe").unwrap_or(&name) {
        "sh" => ShellKind::Sh,
        "dash" => ShellKind::Dash,
        "ash" | "busybox" => ShellKind::Ash,
        "bash" => ShellKind::Bash,
        "ksh" | "mksh" | "ksh93" => ShellKind::Ksh,
        "zsh" => ShellKind::Zsh,
        "pwsh" | "powershell" => ShellKind::PowerShell,
        "cmd" => ShellKind::Cmd,
        _ => ShellKind::Other,
    }
}
