//! `dnf`, `microdnf`, `yum` and `zypper`.

use super::effect::{Effect, Manager, install, operands};
use super::{Arg, Cmd};

/// Options of them whose value is the next word.
const VALUED: [&str; 12] = [
    "-c",
    "--config",
    "-x",
    "--exclude",
    "--setopt",
    "--releasever",
    "--installroot",
    "--enablerepo",
    "--disablerepo",
    "--repo",
    "-r",
    "--from",
];

/// The manager of that name.
#[must_use]
pub fn manager(command: &Cmd<'_>) -> Option<Manager> {
    match command.program() {
        "dnf" | "microdnf" => Some(Manager::Dnf),
        "yum" => Some(Manager::Yum),
        "zypper" => Some(Manager::Zypper),
        _ => None,
    }
}

/// What such a command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let Some(manager) = manager(command) else { return };
    let mut words = operands(&command.args, &VALUED).into_iter();
    let Some(verb) = words.next() else { return };
    match verb.text.as_ref() {
        "install" | "in" | "localinstall" | "groupinstall" | "reinstall" => {
            each(Effect::Install(install(manager, words.collect())));
        }
        "upgrade" | "update" | "up" | "dist-upgrade" | "dup" => each(Effect::Upgrade(manager)),
        "makecache" | "refresh" | "ref" => each(Effect::Update(manager)),
        "clean" | "cc" => each(Effect::Clean(manager)),
        _ => {}
    }
}

/// The plain words of a command but for the verb `skip`.
#[must_use]
pub fn packages<'m>(command: &Cmd<'m>, skip: &[&str]) -> Vec<Arg<'m>> {
    command.plain().filter(|word| !skip.contains(&word.text.as_ref())).cloned().collect()
}
