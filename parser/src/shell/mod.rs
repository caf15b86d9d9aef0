//! The shell of `RUN`, `CMD`, `ENTRYPOINT`, `HEALTHCHECK` and heredoc bodies: POSIX sh and the bash of real files.
//!
//! [`parse`] never fails. What it does not understand stays in the tree as a [`Command::Opaque`] with a range, and a
//! [`Note`] says why; everything around it is read as usual. Every range is one of the author's file, through line
//! continuations and the comments between them.
//!
//! One grammar reads POSIX sh and bash: which program `/bin/sh` is depends on the base image (dash, busybox, bash), so the
//! dialect does not decide what is *read*; it is kept in [`Script::dialect`] for those who want to say that a word of bash
//! stands in a file for sh. PowerShell and cmd are split into statements and words, nothing more.

mod compound;
mod expansion;
mod foreign;
mod heredoc;
mod invocation;
mod list;
mod parts;
mod reader;
mod simple;
mod source;
mod tree;
mod visit;
mod word;

pub use invocation::Invocation;
pub use parts::Parts;
pub use source::{Source, source};
pub use tree::*;
pub use visit::{Enclosure, EnclosureKind, Failure, Placed};

use crate::logical::Logical;
use crate::text::TextRange;

/// How deep compound commands and substitutions may nest; what is deeper is opaque.
pub const MAX_DEPTH: usize = 60;

/// Whose language a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// POSIX sh: `/bin/sh`, dash, ash.
    #[default]
    Posix,
    /// bash and, near enough, ksh and zsh.
    Bash,
    /// PowerShell: opaque, but split into statements and words.
    PowerShell,
    /// cmd.exe: opaque, but split into statements and words.
    Cmd,
    /// Something else (`#!/usr/bin/env python3`): one opaque command without words.
    Other,
}

impl Dialect {
    /// The dialect of the `SHELL` in force: the program's name decides. Nothing in force is `["/bin/sh", "-c"]`.
    #[must_use]
    pub fn of_shell(program: &str) -> Self {
        let name = program.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        match name.strip_suffix(".exe").unwrap_or(&name) {
            "sh" | "dash" | "ash" | "busybox" => Self::Posix,
            "bash" | "rbash" | "ksh" | "ksh93" | "mksh" | "zsh" => Self::Bash,
            "powershell" | "pwsh" => Self::PowerShell,
            "cmd" => Self::Cmd,
            _ => Self::Other,
        }
    }

    /// The dialect a `#!` line names, where `body` begins with one.
    #[must_use]
    pub fn of_shebang(body: &str) -> Option<Self> {
        let line = body.strip_prefix("#!")?.lines().next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let mut program = words.next()?;
        if program.rsplit('/').next() == Some("env") {
            program = words.find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or_default();
        }
        Some(Self::of_shell(program))
    }

    /// Whether [`parse`] reads its structure.
    #[must_use]
    pub fn is_unix_shell(self) -> bool {
        matches!(self, Self::Posix | Self::Bash)
    }
}

/// Reads shell text. Never fails; see the module's words.
#[must_use]
pub fn parse<'s>(text: &Logical<'s>, dialect: Dialect) -> Script<'s> {
    let mut reader = reader::Reader::new(text, 0);
    let list = match dialect {
        Dialect::Posix | Dialect::Bash => reader.list(reader::Closers::NONE),
        Dialect::PowerShell | Dialect::Cmd => reader.foreign(dialect),
        Dialect::Other => {
            let words = Vec::new();
            let range = text.full_range();
            let commands = vec![Command::Opaque(Opaque { words, range })];
            let first = Pipeline { negated: None, timed: None, commands, pipes: Vec::new(), range };
            let item = Item {
                list: AndOr { first, rest: Vec::new(), range },
                separator: Separator::End,
                separator_range: TextRange::at(range.end as usize),
            };
            List { items: vec![item], range }
        }
    };
    let (mut comments, notes) = (reader.comments, reader.notes);
    // A comment at the end of a command may have been looked at more than once.
    comments.sort_unstable();
    comments.dedup();
    Script { dialect, list, comments, notes, range: text.full_range() }
}
