//! `rm`, `chown`, `chmod`, `mkdir`.

use super::Cmd;
use super::effect::{Effect, operands};

/// What such a command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let recursive = command.has_any_flag(&["R", "recursive"]);
    match command.program() {
        "rm" | "rmdir" => {
            let recursive = recursive || command.has_flag("r");
            each(Effect::Remove { paths: operands(&command.args, &[]), recursive });
        }
        "mkdir" => each(Effect::MakeDir { paths: operands(&command.args, &["-m", "--mode"]) }),
        "chmod" => {
            let mut words = operands(&command.args, &["--reference"]).into_iter();
            // `chmod -x file`: the mode is written like an option.
            let mode = command.args.iter().find(|arg| is_symbolic(&arg.text)).cloned().or_else(|| words.next());
            let paths = words.filter(|word| Some(word) != mode.as_ref()).collect();
            each(Effect::ChangeMode { mode, paths, recursive });
        }
        _ => {
            let mut words = operands(&command.args, &["--reference", "--from"]).into_iter();
            let owner = if command.has_flag("reference") { None } else { words.next() };
            each(Effect::ChangeOwner { owner, paths: words.collect(), recursive });
        }
    }
}

fn is_symbolic(text: &str) -> bool {
    text.strip_prefix(['-', '+']).is_some_and(|rest| {
        !rest.is_empty() && text.starts_with('-') && rest.bytes().all(|b| b"rwxXst".contains(&b)) && rest != "r"
    })
}
