//! `useradd` and `adduser`.

use super::effect::{Effect, operands};
use super::{Arg, Cmd};

const VALUED: [&str; 26] = [
    "-u",
    "--uid",
    "-g",
    "--gid",
    "-G",
    "--groups",
    "-d",
    "--home-dir",
    "--home",
    "-s",
    "--shell",
    "-c",
    "--comment",
    "--gecos",
    "-p",
    "--password",
    "-k",
    "--skel",
    "-K",
    "--key",
    "-b",
    "--base-dir",
    "-e",
    "--ingroup",
    "-h",
    "-f",
];

/// What such a command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let name = operands(&command.args, &VALUED).into_iter().next();
    each(Effect::AddUser { name });
}

/// The numeric user ID that the command asks for.
#[must_use]
pub fn uid<'c, 'm>(command: &'c Cmd<'m>) -> Option<&'c Arg<'m>> {
    command.value_of(&["-u", "--uid"])
}
