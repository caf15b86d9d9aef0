//! Commands that a shell starts and that need none: `CMD ./server` → `CMD ["./server"]`.

use super::{ConfigChange, ConfigField};
use crate::apply::splice;
use crate::sheet::Sheet;
use plimsoll_parser::Edit;
use plimsoll_parser::shell::{self, AndOrOp, Dialect, Separator};
use plimsoll_parser::syntax::{Command, Dockerfile, Healthcheck, Instruction, Kind};

/// What is told of a step that does this.
pub(super) const NOTE: &str = "the program is started without a shell around it, so that it gets the stop signal itself and \
                               no shell waits until it is killed";

/// Words that mean something to a shell alone.
const BUILTINS: &[&str] =
    &[".", ":", "alias", "cd", "eval", "export", "read", "set", "source", "trap", "ulimit", "umask", "unset", "wait"];

/// The words of one plain command without anything that a shell would expand or join; `exec` in front is no part of it.
/// A health check may end in `|| exit 1`.
fn words(command: &Command<'_>, check: bool) -> Option<Vec<String>> {
    let Command::Shell(text) = command else { return None };
    let script = shell::parse(text, Dialect::Posix);
    let [item] = script.list.items.as_slice() else { return None };
    if !script.notes.is_empty() || item.separator != Separator::End {
        return None;
    }
    let mut found: Option<Vec<String>> = None;
    for (op, pipeline) in item.list.pipelines() {
        let [shell::Command::Simple(simple)] = pipeline.commands.as_slice() else { return None };
        let plain = simple.assignments.is_empty() && simple.redirects.is_empty();
        if pipeline.negated.is_some() || pipeline.timed.is_some() || simple.words.is_empty() || !plain {
            return None;
        }
        let words: Option<Vec<String>> = simple
            .words
            .iter()
            .map(|word| {
                let text = word.literal()?.into_owned();
                let expands =
                    word.has_glob() && !word.is_quoted() || text.starts_with('~') || text.contains(['{', '\n']);
                (!expands).then_some(text)
            })
            .collect();
        let words = words?;
        match (op, &found) {
            (None, None) => found = Some(words),
            // Any failure is one to whoever reads the result of a check.
            (Some(AndOrOp::Or), Some(_)) if check && words == ["exit", "1"] => {}
            _ => return None,
        }
    }
    let mut found = found?;
    if found.first().is_some_and(|first| first == "exec") {
        found.remove(0);
    }
    let first = found.first()?;
    (!BUILTINS.contains(&first.as_str())).then_some(found)
}

/// The commands of an instruction and what of them may change.
fn command<'i, 's>(instruction: &'i Instruction<'s>) -> Option<(&'i Command<'s>, ConfigField)> {
    match &instruction.kind {
        Kind::Cmd(command) => Some((command, ConfigField::Cmd)),
        Kind::Entrypoint(command) => Some((command, ConfigField::Entrypoint)),
        Kind::Healthcheck(Healthcheck::Cmd { command, .. }) => Some((command, ConfigField::Healthcheck)),
        _ => None,
    }
}

/// Whether the instruction's command needs no shell: it has none, or could be without.
pub(super) fn can_be(file: &Dockerfile<'_>, instruction: &Instruction<'_>) -> bool {
    let Some((text, field)) = command(instruction) else { return true };
    if matches!(text, Command::Exec { .. }) {
        return true;
    }
    // A shell takes no arguments from CMD, and a program does.
    let has =
        |wanted: ConfigField| file.instructions.iter().any(|other| command(other).is_some_and(|(_, f)| f == wanted));
    let both = field != ConfigField::Healthcheck && has(ConfigField::Cmd) && has(ConfigField::Entrypoint);
    !both && words(text, field == ConfigField::Healthcheck).is_some()
}

/// The same text with the commands of its last stage in the form that starts no shell, and what changes by that.
pub(super) fn without_shell(text: &str) -> (String, Vec<ConfigChange>) {
    let sheet = Sheet::of(text);
    let from = sheet.stages().last().copied().unwrap_or_default();
    let mut edits = Vec::new();
    let mut changes = Vec::new();
    for (_, instruction) in sheet.instructions().skip(from + 1) {
        let Some((Command::Shell(shown), field)) = command(instruction) else { continue };
        let Some((command, _)) = command(instruction).filter(|_| can_be(&sheet.file, instruction)) else { continue };
        let Some(words) = words(command, field == ConfigField::Healthcheck) else { continue };
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        edits.push(Edit::replace(shown.range(0..shown.text.len()), format!("[{}]", quoted.join(", "))));
        changes.push(ConfigChange { field, key: None, why: "it starts the program without a shell".to_owned() });
    }
    (splice(text, &edits), changes)
}

fn quote(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_commands_lose_their_shell() {
        let of = |text: &str| without_shell(&format!("FROM x\n{text}\n")).0.trim_start_matches("FROM x\n").to_owned();
        assert_eq!(of("CMD ./server --name 'a b'"), "CMD [\"./server\", \"--name\", \"a b\"]\n");
        assert_eq!(of("ENTRYPOINT exec  java -jar \\\n  app.jar"), "ENTRYPOINT [\"java\", \"-jar\", \"app.jar\"]\n");
        assert_eq!(
            of("HEALTHCHECK --interval=3s CMD curl -f http://localhost/ || exit 1"),
            "HEALTHCHECK --interval=3s CMD [\"curl\", \"-f\", \"http://localhost/\"]\n"
        );
        for kept in [
            "CMD ./server $PORT",
            "CMD a && b",
            "CMD a | b",
            "CMD cd /x",
            "CMD A=1 b",
            "CMD ls *.txt",
            "CMD a || exit 1",
            "CMD a > /dev/null",
            "ENTRYPOINT a\nCMD b",
            "CMD a ~/b",
        ] {
            assert_eq!(of(kept), format!("{kept}\n"));
        }
    }
}
