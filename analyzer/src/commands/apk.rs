//! `apk`.

use super::effect::{Effect, Manager, install, operands};
use super::{Arg, Cmd};

/// Options of apk whose value is the next word.
pub const VALUED: [&str; 8] =
    ["-t", "--virtual", "-X", "--repository", "--repositories-file", "-p", "--root", "--keys-dir"];

/// What an apk command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let mut words = operands(&command.args, &VALUED).into_iter();
    let Some(verb) = words.next() else { return };
    match verb.text.as_ref() {
        "update" => each(Effect::Update(Manager::Apk)),
        "add" => each(Effect::Install(install(Manager::Apk, words.collect()))),
        "upgrade" => each(Effect::Upgrade(Manager::Apk)),
        _ => {}
    }
}

/// Whether the command is `apk add`.
#[must_use]
pub fn is_add(command: &Cmd<'_>) -> bool {
    command.is("apk") && command.has_arg("add")
}

/// The words of `apk add` that are packages.
#[must_use]
pub fn packages<'m>(command: &Cmd<'m>) -> Vec<Arg<'m>> {
    operands(&command.args, &VALUED).into_iter().filter(|word| word.text != "add").collect()
}
