//! `apt-get`, `apt` and `aptitude`.

use super::effect::{Effect, Manager, install, operands};
use super::{Arg, Cmd};

/// Options of apt whose value is the next word.
pub const VALUED: [&str; 10] = [
    "-t",
    "--target-release",
    "--default-release",
    "-o",
    "--option",
    "-c",
    "--config-file",
    "-a",
    "--host-architecture",
    "--solver",
];

/// What an apt command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let mut words = operands(&command.args, &VALUED).into_iter();
    let Some(verb) = words.next() else { return };
    match verb.text.as_ref() {
        "update" => each(Effect::Update(Manager::Apt)),
        "install" => each(Effect::Install(install(Manager::Apt, words.collect()))),
        "upgrade" | "dist-upgrade" | "full-upgrade" => each(Effect::Upgrade(Manager::Apt)),
        "clean" | "distclean" => each(Effect::Clean(Manager::Apt)),
        _ => {}
    }
}

/// Whether the command is `apt-get install` or `apt install`.
#[must_use]
pub fn is_install(command: &Cmd<'_>) -> bool {
    command.is_any(&["apt-get", "apt"]) && command.has_arg("install")
}

/// The words of `apt-get install` that are packages.
#[must_use]
pub fn packages<'m>(command: &Cmd<'m>) -> Vec<Arg<'m>> {
    let words = operands(&command.args, &VALUED);
    words.into_iter().filter(|word| word.text != "install").collect()
}

/// Whether recommended packages stay out, by option or by configuration on the command line.
#[must_use]
pub fn refuses_recommends(command: &Cmd<'_>) -> bool {
    command.has_flag("no-install-recommends")
        || command.args.iter().any(|arg| {
            let option = arg.text.strip_prefix("-o").unwrap_or(&arg.text);
            let option = option.to_ascii_lowercase();
            ["false", "0", "no", "off"].iter().any(|no| option == format!("apt::install-recommends={no}"))
        })
}

/// Whether it asks nothing.
#[must_use]
pub fn assumes_yes(command: &Cmd<'_>) -> bool {
    command.has_any_flag(&["y", "yes", "assume-yes"])
        || command.count_flag('q') > 1
        || command.args.iter().filter(|arg| arg.text == "--quiet").count() > 1
        || command.args.iter().any(|arg| matches!(arg.text.as_ref(), "-q=2" | "--quiet=2"))
}
