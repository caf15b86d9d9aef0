//! Joining two RUN instructions into one, where nothing can go wrong by it.

use crate::model::{Model, Run};
use plimsoll_parser::shell::{AssignedValue, Command};
use plimsoll_parser::{Edit, TextRange};

/// Commands that change the shell they run in, and so what comes after them.
const LASTING: [&str; 17] = [
    "cd", "pushd", "popd", "export", "set", "shopt", "umask", "alias", "source", ".", "exec", "trap", "exit", "unset",
    "eval", "ulimit", "readonly",
];

impl<'m> Run<'m> {
    /// Whether a command joined behind it would run in another directory, with other variables or options than it would alone.
    #[must_use]
    pub fn leaves_traces(&self) -> bool {
        let lasting = |command: &crate::commands::Cmd<'m>| {
            !command.name_known || LASTING.contains(&command.name.as_ref()) && !command.place.contained
        };
        let Some(script) = &self.script else { return true };
        self.commands.iter().any(lasting)
            || script.simple_commands().iter().any(|placed| {
                let bare = placed.command.words.is_empty() && !placed.command.assignments.is_empty();
                bare || placed.background
                    || placed.command.assignments.iter().any(|a| matches!(a.value, AssignedValue::Array(_)))
            })
            || script.list.items.iter().any(|item| {
                item.list
                    .pipelines()
                    .any(|(_, pipeline)| pipeline.commands.iter().any(|c| matches!(c, Command::Function(_))))
            })
    }
}

impl<'m> Model<'m> {
    /// The edits that make `first` and `second` one RUN joined by `&&`; nothing where anything stands between them but
    /// comments and blank lines, or where the joined commands would not do the same.
    #[must_use]
    pub fn joined(&self, first: &Run<'m>, second: &Run<'m>) -> Option<Vec<Edit>> {
        if first.index + 1 != second.index || first.stage != second.stage || first.onbuild || second.onbuild {
            return None;
        }
        if !first.state.shell.is_posix() || first.leaves_traces() || !self.same_flags(first, second) {
            return None;
        }
        let script = first.script.as_ref()?;
        if !script.comments.is_empty() || second.script.as_ref().is_some_and(|script| !script.comments.is_empty()) {
            return None;
        }
        let end = first.and_list_end()?;
        second.and_list_end()?;
        let start = second.script.as_ref()?.list.range.start;
        let text = self.file.text;
        let gap = TextRange { start: end, end: second.instruction.range.start };
        // What stands between must be line ends, blanks and whole-line comments; only `;` may trail, and that is not joined.
        let mut edits = Vec::new();
        let mut first_line = true;
        let mut at = gap.start;
        for line in gap.of(text).split_inclusive('\n') {
            let range = TextRange { start: at, end: at + u32::try_from(line.len()).ok()? };
            at = range.end;
            let body = line.trim();
            if first_line {
                if !body.is_empty() || !line.ends_with('\n') {
                    return None;
                }
                edits.push(Edit::insert(end, format!(" {}", self.file.escape)));
                first_line = false;
            } else if body.is_empty() && line.ends_with('\n') {
                edits.push(Edit::delete(range));
            } else if !body.is_empty() && !body.starts_with('#') {
                return None;
            }
        }
        if first_line {
            return None;
        }
        let head = TextRange { start: second.instruction.range.start, end: start };
        edits.push(Edit::replace(head, "    && "));
        merge_touching(edits)
    }

    fn same_flags(&self, first: &Run<'m>, second: &Run<'m>) -> bool {
        let flags = |run: &Run<'m>| {
            let mut flags: Vec<String> =
                run.instruction.flags.iter().map(|flag| flag.range.of(self.file.text).to_owned()).collect();
            flags.sort();
            flags
        };
        flags(first) == flags(second)
    }
}

/// Edits of one text in order, those that touch made one.
fn merge_touching(edits: Vec<Edit>) -> Option<Vec<Edit>> {
    let mut merged: Vec<Edit> = Vec::new();
    for edit in edits {
        match merged.last_mut() {
            Some(last) if last.range.end == edit.range.start => {
                last.range.end = edit.range.end;
                last.text.push_str(&edit.text);
            }
            Some(last) if last.range.end > edit.range.start => return None,
            _ => merged.push(edit),
        }
    }
    Some(merged)
}
