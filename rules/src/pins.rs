//! Words of installations: which are packages, and which have a version.

use plimsoll_analyzer::commands::{Arg, Cmd};
use plimsoll_analyzer::diagnostic::Diagnostic;
use plimsoll_analyzer::model::{Model, Run};
use plimsoll_parser::syntax::Kind;

/// One finding for all words of a command that have no version.
pub(crate) fn tell<'w, 'm: 'w>(
    rule: &'static str,
    words: impl Iterator<Item = &'w Arg<'m>>,
    found: &mut Vec<Diagnostic>,
) {
    let words: Vec<_> = words.collect();
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
    let names: Vec<&str> = words.iter().take(4).map(|word| word.text.as_ref()).collect();
    let more = if words.len() > names.len() { ", …" } else { "" };
    let message = format!("no version: {}{more}", names.join(", "));
    found.push(Diagnostic::new(rule, first.range.cover(last.range), message));
}

/// The arguments that are neither options nor values of the options in `valued`.
pub(crate) fn operands<'m>(args: &[Arg<'m>], valued: &[&str]) -> Vec<Arg<'m>> {
    let mut operands = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if !arg.is_flag() {
            operands.push(arg.clone());
        } else if valued.contains(&arg.text.as_ref()) {
            args.next();
        }
    }
    operands
}

/// The arguments that are neither options nor stand behind one: which options of gem take a value is not told from outside.
pub(crate) fn operands_of_eager<'m>(args: &[Arg<'m>]) -> Vec<Arg<'m>> {
    let mut operands = Vec::new();
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        if !arg.is_flag() {
            operands.push(arg.clone());
        } else if arg.text.starts_with("--")
            && !arg.text.contains('=')
            && args.peek().is_some_and(|next| !next.is_flag())
        {
            args.next();
        }
    }
    operands
}

/// Whether a package's name has a version: a part behind a dash that begins with a digit, or of a module a stream.
pub(crate) fn has_rpm_version(text: &str, module: bool) -> bool {
    if module {
        return text.contains(':');
    }
    text.split('-').skip(1).any(|part| part.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether the command removes the cache of that name, or all caches.
pub(crate) fn removes_cache(command: &Cmd<'_>, name: &str) -> bool {
    let cache = |text: &str| {
        let path = text.trim_end_matches(['*', '/']);
        path == "/var/cache" || path.strip_prefix("/var/cache/").is_some_and(|rest| rest == name)
    };
    command.is("rm") && command.args.iter().any(|arg| cache(&arg.text))
}

/// Whether one of the commands takes programs away again: what comes after could miss the one it needs.
pub(crate) fn uninstalls(commands: &[Cmd<'_>]) -> bool {
    let verbs = ["remove", "purge", "autoremove", "del", "erase", "uninstall", "rm"];
    commands.iter().any(|command| command.has_any_arg(&verbs) || command.is_any(&["dpkg", "rpm"]))
}

/// The word with `${name}` replaced by what an ENV or ARG before gives it.
pub(crate) fn with_values(model: &Model<'_>, run: &Run<'_>, text: &str) -> String {
    let mut rest = text;
    let mut whole = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        whole.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        whole.push_str(&value(model, run, name).unwrap_or_default());
        rest = after;
    }
    whole.push_str(rest);
    whole
}

fn value(model: &Model<'_>, run: &Run<'_>, name: &str) -> Option<String> {
    let before = model.steps().get(..run.step)?;
    before.iter().rev().find_map(|step| match &step.instruction.kind {
        Kind::Env(pairs) => pairs.iter().find(|pair| pair.key.as_str() == name).map(|pair| pair.value.to_string()),
        Kind::Arg(args) => args
            .iter()
            .find(|arg| arg.name.as_str() == name)
            .and_then(|arg| arg.default.as_ref())
            .map(|v| v.to_string()),
        _ => None,
    })
}
