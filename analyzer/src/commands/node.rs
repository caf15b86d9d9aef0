//! `npm`, `yarn` and `pnpm`.

use super::Cmd;
use super::effect::{Effect, Manager, install, operands};

/// Options of npm whose value is the next word.
pub const VALUED: [&str; 8] =
    ["--loglevel", "--registry", "--prefix", "-C", "--cache", "--userconfig", "--network-timeout", "--cwd"];

/// What such a command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let manager = match command.program() {
        "npm" => Manager::Npm,
        "yarn" => Manager::Yarn,
        "pnpm" => Manager::Pnpm,
        _ => return,
    };
    let mut words = operands(&command.args, &VALUED).into_iter();
    let Some(verb) = words.next() else {
        if manager == Manager::Yarn && !command.has_any_flag(&["version", "v", "help", "h"]) {
            each(Effect::Install(install(manager, Vec::new())));
        }
        return;
    };
    match verb.text.as_ref() {
        "install" | "i" | "add" | "ci" | "clean-install" | "install-clean" => {
            each(Effect::Install(install(manager, words.collect())));
        }
        "global" if words.next().is_some_and(|word| word.text == "add") => {
            each(Effect::Install(install(manager, words.collect())));
        }
        "cache" if words.next().is_some_and(|word| matches!(word.text.as_ref(), "clean" | "clear" | "rm")) => {
            each(Effect::Clean(manager));
        }
        "store" => each(Effect::Clean(manager)),
        "run" | "run-script" | "build" => each(Effect::Build),
        _ => {}
    }
}
