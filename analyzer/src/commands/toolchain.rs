//! Compilers and the package managers of languages that compile: cargo, go, composer, conda, maven, gradle, make.

use super::Cmd;
use super::effect::{Effect, Manager, install, operands};

/// What such a command does.
pub fn effects<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    let valued: &[&str] = match command.program() {
        "conda" | "mamba" | "micromamba" => &["-n", "--name", "-c", "--channel", "-p", "--prefix", "-f", "--file"],
        "mvn" | "mvnw" => &["-f", "--file", "-pl", "--projects", "-s", "--settings"],
        "go" => &["-o", "-ldflags", "-tags", "-mod"],
        _ => &[],
    };
    let mut words = operands(&command.args, valued).into_iter();
    let verb = words.next();
    let verb = verb.as_ref().map_or("", |verb| verb.text.as_ref());
    match (command.program(), verb) {
        ("cargo", "install") => each(Effect::Install(install(Manager::Cargo, words.collect()))),
        ("cargo", "fetch") => each(Effect::Install(install(Manager::Cargo, Vec::new()))),
        ("cargo", "build" | "b") => {
            each(Effect::Install(install(Manager::Cargo, Vec::new())));
            each(Effect::Build);
        }
        ("go", "install" | "get") => each(Effect::Install(install(Manager::Go, words.collect()))),
        ("go", "mod") if words.next().is_some_and(|word| word.text == "download") => {
            each(Effect::Install(install(Manager::Go, Vec::new())));
        }
        ("go", "build") => each(Effect::Build),
        ("go", "clean") => each(Effect::Clean(Manager::Go)),
        ("composer", "install" | "require" | "update") => {
            each(Effect::Install(install(Manager::Composer, words.collect())));
        }
        ("composer", "clear-cache" | "clearcache" | "cc") => each(Effect::Clean(Manager::Composer)),
        ("conda" | "mamba" | "micromamba", "install" | "create" | "update") => {
            each(Effect::Install(install(Manager::Conda, words.collect())));
        }
        ("conda" | "mamba" | "micromamba", "clean") => each(Effect::Clean(Manager::Conda)),
        ("mvn" | "mvnw", _) => each(Effect::Install(install(Manager::Maven, Vec::new()))),
        ("gradle" | "gradlew", _) => each(Effect::Install(install(Manager::Gradle, Vec::new()))),
        ("make" | "cmake" | "gcc" | "g++" | "cc" | "ninja" | "meson", _) | ("dotnet", "build" | "publish") => {
            each(Effect::Build);
        }
        _ => {}
    }
}
