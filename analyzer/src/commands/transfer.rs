//! `curl`, `wget`, `git`, `tar` and `unzip`: what comes over the network and what is unpacked.

use super::effect::{Effect, operands};
use super::{Arg, Cmd};

/// What such a command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    match command.program() {
        "curl" => {
            let urls = urls(command);
            let output = command.value_of(&["-o", "--output"]).cloned();
            if !urls.is_empty() {
                each(Effect::Download { urls, output });
            }
        }
        "wget" => {
            let urls = urls(command);
            let output = command.value_of(&["-O", "--output-document"]).cloned();
            if !urls.is_empty() {
                each(Effect::Download { urls, output });
            }
        }
        "git" => {
            let mut words =
                operands(&command.args, &["-C", "-c", "-b", "--branch", "--depth", "-o", "--origin"]).into_iter();
            if words.next().is_some_and(|verb| verb.text == "clone") {
                each(Effect::Clone { url: words.next(), shallow: command.has_flag("depth") });
            }
        }
        "tar" | "bsdtar" if unpacks(command) => {
            each(Effect::Unpack { archive: archive(command) });
        }
        "unzip" => each(Effect::Unpack { archive: command.plain().next().cloned() }),
        _ => {}
    }
}

fn urls<'m>(command: &Cmd<'m>) -> Vec<Arg<'m>> {
    let is_url = |arg: &&Arg<'m>| {
        let text = &arg.text;
        text.contains("://") && !text.starts_with('-')
    };
    command.args.iter().filter(is_url).cloned().collect()
}

/// Whether a `tar` command extracts: `tar xf`, `tar -xzf`, `tar --extract`.
#[must_use]
pub fn unpacks(command: &Cmd<'_>) -> bool {
    let bundled = command
        .args
        .first()
        .is_some_and(|arg| !arg.text.starts_with('-') && arg.text.contains('x') && !arg.text.contains(['/', '.']));
    bundled || command.has_any_flag(&["x", "extract", "get"])
}

fn archive<'m>(command: &Cmd<'m>) -> Option<Arg<'m>> {
    let at = command.args.iter().position(|arg| {
        let short = arg.text.strip_prefix('-').unwrap_or(&arg.text);
        !short.starts_with('-') && short.ends_with('f') && !short.contains(['/', '.']) || arg.text == "--file"
    })?;
    command.args.get(at + 1).filter(|arg| arg.text != "-").cloned()
}
