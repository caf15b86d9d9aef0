//! `gem` and `bundle`.

use super::Cmd;
use super::effect::{Effect, Manager, install, operands};

/// Options of gem whose value is the next word.
pub const VALUED: [&str; 12] = [
    "-v",
    "--version",
    "-i",
    "--install-dir",
    "-n",
    "--bindir",
    "-s",
    "--source",
    "--platform",
    "-P",
    "--trust-policy",
    "--target-rbconfig",
];

/// What such a command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let gem = command.program() == "gem";
    let own = command.args.split(|arg| arg.text == "--").next().unwrap_or_default();
    let mut words = operands(own, &VALUED).into_iter();
    let verb = words.next();
    match verb.as_ref().map(|verb| verb.text.as_ref()) {
        Some("install" | "i") if gem => each(Effect::Install(install(Manager::Gem, words.collect()))),
        Some("cleanup") if gem => each(Effect::Clean(Manager::Gem)),
        Some("install") | None if !gem => each(Effect::Install(install(Manager::Bundler, Vec::new()))),
        Some("clean") if !gem => each(Effect::Clean(Manager::Bundler)),
        _ => {}
    }
}
