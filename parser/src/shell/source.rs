//! The shell text of an instruction, with its heredocs where the shell finds them.

use super::Dialect;
use crate::logical::Logical;
use crate::syntax::{Command, Healthcheck, Heredoc, Instruction, Kind};
use std::borrow::Cow;

/// What an instruction gives to a shell.
#[derive(Clone, Debug)]
pub struct Source<'t, 's> {
    /// The text; ranges of what is parsed from it are those of the file.
    pub text: Cow<'t, Logical<'s>>,
    /// The dialect a `#!` line asks for; without one the `SHELL` in force reads it.
    pub shebang: Option<Dialect>,
}

/// The shell text of `RUN`, `CMD`, `ENTRYPOINT` and `HEALTHCHECK`; none for the exec form and other instructions.
///
/// As BuildKit does it: where a heredoc is all there is (`RUN <<EOF`), its body is the script, leading tabs removed for
/// `<<-`, and a `#!` line chooses the program. Else the shell gets the line and, behind it, each body and its delimiter, and
/// reads the here-document itself.
#[must_use]
pub fn source<'t, 's>(file: &'s str, instruction: &'t Instruction<'s>) -> Option<Source<'t, 's>> {
    let command = match &instruction.kind {
        Kind::Run(run) => &run.command,
        Kind::Cmd(command) | Kind::Entrypoint(command) => command,
        Kind::Healthcheck(Healthcheck::Cmd { command, .. }) => command,
        _ => return None,
    };
    let Command::Shell(line) = command else { return None };
    let heredocs = match &instruction.kind {
        Kind::Run(_) => instruction.heredocs.as_slice(),
        _ => &[],
    };
    let text = match heredocs {
        [] => return Some(Source { text: Cow::Borrowed(line), shebang: None }),
        [only] if is_all(line, only) => {
            let body = body(file, only);
            let shebang = Dialect::of_shebang(&body.text);
            return Some(Source { text: Cow::Owned(body), shebang });
        }
        heredocs => with_bodies(file, line, heredocs),
    };
    Some(Source { text, shebang: None })
}

fn is_all(line: &Logical<'_>, heredoc: &Heredoc<'_>) -> bool {
    let text = line.text.trim();
    let start = line.text.len() - line.text.trim_start().len();
    line.range(start..start + text.len()) == heredoc.operator
}

/// The body of a heredoc as the builder passes it on.
fn body<'s>(file: &'s str, heredoc: &Heredoc<'s>) -> Logical<'s> {
    let range = heredoc.body.range.to_usize();
    let text = file.get(range.clone()).unwrap_or_default();
    if !heredoc.chomp || !text.contains('\t') {
        return Logical::whole(text, range.start);
    }
    let mut at = range.start;
    let lines = text.split_inclusive('\n').map(|line| {
        let kept = line.trim_start_matches('\t');
        let start = at + (line.len() - kept.len());
        at += line.len();
        (kept, start)
    });
    Logical::joined((file, 0), lines)
}

/// The line, and behind it each body with its delimiter.
fn with_bodies<'t, 's>(file: &'s str, line: &'t Logical<'s>, heredocs: &[Heredoc<'s>]) -> Cow<'t, Logical<'s>> {
    let Some(mut parts) = line.cursor().parts(0..line.text.len()) else { return Cow::Borrowed(line) };
    for heredoc in heredocs {
        let start = heredoc.body.range.start as usize;
        // With the line end in front of it.
        let from = start.saturating_sub(1);
        let to = heredoc.close.end.max(heredoc.body.range.end) as usize;
        parts.push((file.get(from..to).unwrap_or_default(), from));
    }
    Cow::Owned(Logical::joined((file, 0), parts))
}
