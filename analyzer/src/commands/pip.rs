//! `pip`, under all its names, and `pipx`.

use super::effect::{Effect, Install, Manager, install, operands};
use super::{Arg, Cmd};

/// Options of `pip install` whose value is the next word.
pub const VALUED: [&str; 46] = [
    "--abi",
    "-b",
    "--build",
    "-c",
    "--constraint",
    "-d",
    "--download",
    "-e",
    "--editable",
    "--extra-index-url",
    "-f",
    "--find-links",
    "-i",
    "--index-url",
    "--implementation",
    "--no-binary",
    "--only-binary",
    "--platform",
    "--prefix",
    "--progress-bar",
    "--proxy",
    "--python-version",
    "--root",
    "--root-user-action",
    "--src",
    "-t",
    "--target",
    "--trusted-host",
    "--upgrade-strategy",
    "--timeout",
    "--retries",
    "--cache-dir",
    "--cert",
    "--client-cert",
    "--exists-action",
    "--global-option",
    "--install-option",
    "--config-settings",
    "-C",
    "--log",
    "--python",
    "--use-feature",
    "--use-deprecated",
    "--keyring-provider",
    "--report",
    "--group",
];

/// Whether the command is pip: `pip`, `pip3`, `pip3.11`, `/venv/bin/pip`, `python -m pip`.
#[must_use]
pub fn is_pip(command: &Cmd<'_>) -> bool {
    let program = command.program();
    if let Some(version) = program.strip_prefix("pip") {
        return version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    }
    let is_python =
        program.strip_prefix("python").is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    is_python && module_at(command).is_some()
}

/// Of `python -m pip …`, the index of the word `pip`.
fn module_at(command: &Cmd<'_>) -> Option<usize> {
    let at = command.args.iter().position(|arg| arg.text == "-m")?;
    command.args.get(at + 1).filter(|arg| arg.text == "pip").map(|_| at + 1)
}

/// The arguments of pip itself.
#[must_use]
pub fn args<'c, 'm>(command: &'c Cmd<'m>) -> &'c [Arg<'m>] {
    let skip = if command.program().starts_with("python") { module_at(command).map_or(0, |at| at + 1) } else { 0 };
    command.args.get(skip..).unwrap_or_default()
}

/// What a pip command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let own = args(command);
    let mut words = operands(own, &[&VALUED[..], &["-r", "--requirement"]].concat()).into_iter();
    let Some(verb) = words.next() else { return };
    match verb.text.as_ref() {
        "install" | "wheel" => {
            let mut found: Install<'m> = install(Manager::Pip, words.collect());
            let mut rest = own.iter();
            while let Some(arg) = rest.next() {
                match arg.text.as_ref() {
                    "-r" | "--requirement" | "-c" | "--constraint" | "-e" | "--editable" => {
                        found.manifests.extend(rest.next().cloned());
                    }
                    text => {
                        if let Some(file) = text.strip_prefix("--requirement=").or_else(|| text.strip_prefix("-r")) {
                            let text = std::borrow::Cow::Owned(file.to_owned());
                            found.manifests.push(Arg { text, ..arg.clone() });
                        }
                    }
                }
            }
            found.known &= found.manifests.iter().all(|file| file.known);
            each(Effect::Install(found));
        }
        "cache" => each(Effect::Clean(Manager::Pip)),
        _ => {}
    }
}

/// Whether the command is `pip install` in any of its forms.
#[must_use]
pub fn is_install(command: &Cmd<'_>) -> bool {
    is_pip(command) && args(command).iter().any(|arg| arg.text == "install")
}
