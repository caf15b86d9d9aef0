//! What a command does, told the same way for every program.

use super::{Arg, Cmd, apk, apt, files, node, pip, rpm, ruby, toolchain, transfer, users};

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manager {
    /// `apt-get`, `apt`, `aptitude`
    Apt,
    /// `apk`
    Apk,
    /// `dnf`, `microdnf`
    Dnf,
    /// `yum`
    Yum,
    /// `zypper`
    Zypper,
    /// `pip`
    Pip,
    /// `npm`
    Npm,
    /// `yarn`
    Yarn,
    /// `pnpm`
    Pnpm,
    /// `gem`
    Gem,
    /// `bundle`
    Bundler,
    /// `cargo`
    Cargo,
    /// `go`
    Go,
    /// `composer`
    Composer,
    /// `conda`, `mamba`, `micromamba`
    Conda,
    /// `mvn`
    Maven,
    /// `gradle`
    Gradle,
}

/// A package that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package<'m> {
    /// The word, its version with it.
    pub word: Arg<'m>,
}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install<'m> {
    /// By whom.
    pub manager: Manager,
    /// What is asked for by name. Empty when a file of the project says it.
    pub packages: Vec<Package<'m>>,
    /// The files of the project that say what to install (`requirements.txt`), where the command names them.
    pub manifests: Vec<Arg<'m>>,
    /// Whether the list of packages is whole: no variable hides a part of it.
    pub known: bool,
}

/// One thing a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect<'m> {
    /// Fetches package lists.
    Update(Manager),
    /// Installs packages.
    Install(Install<'m>),
    /// Brings every installed package up to date.
    Upgrade(Manager),
    /// Empties the manager's cache.
    Clean(Manager),
    /// Fetches from the network.
    Download {
        /// The addresses.
        urls: Vec<Arg<'m>>,
        /// The file it goes to, where the command says so.
        output: Option<Arg<'m>>,
    },
    /// Fetches a repository.
    Clone {
        /// The address.
        url: Option<Arg<'m>>,
        /// Whether without its history.
        shallow: bool,
    },
    /// Unpacks an archive.
    Unpack {
        /// The archive; nothing when it comes through a pipe.
        archive: Option<Arg<'m>>,
    },
    /// Removes paths.
    Remove {
        /// What is removed, patterns as written.
        paths: Vec<Arg<'m>>,
        /// With all below.
        recursive: bool,
    },
    /// Changes owners.
    ChangeOwner {
        /// To whom.
        owner: Option<Arg<'m>>,
        /// Of what.
        paths: Vec<Arg<'m>>,
        /// With all below.
        recursive: bool,
    },
    /// Changes modes.
    ChangeMode {
        /// To what.
        mode: Option<Arg<'m>>,
        /// Of what.
        paths: Vec<Arg<'m>>,
        /// With all below.
        recursive: bool,
    },
    /// Makes directories.
    MakeDir {
        /// Which.
        paths: Vec<Arg<'m>>,
    },
    /// Makes a user.
    AddUser {
        /// The name, where it is the last word.
        name: Option<Arg<'m>>,
    },
    /// Compiles or bundles the program.
    Build,
}

/// Tells `each` what `command` does.
pub fn of<'m>(command: &Cmd<'m>, each: &mut dyn FnMut(Effect<'m>)) {
    match command.program() {
        "apt-get" | "apt" | "aptitude" => apt::effects(command, each),
        "apk" => apk::effects(command, each),
        "dnf" | "microdnf" | "yum" | "zypper" => rpm::effects(command, each),
        "npm" | "yarn" | "pnpm" | "npx" => node::effects(command, each),
        "gem" | "bundle" | "bundler" => ruby::effects(command, each),
        "cargo" | "go" | "composer" | "conda" | "mamba" | "micromamba" | "mvn" | "mvnw" | "gradle" | "gradlew"
        | "make" | "cmake" | "gcc" | "g++" | "cc" | "ninja" | "meson" | "dotnet" => toolchain::effects(command, each),
        "curl" | "wget" | "git" | "tar" | "unzip" | "bsdtar" => transfer::effects(command, each),
        "rm" | "chown" | "chgrp" | "chmod" | "mkdir" | "rmdir" => files::effects(command, each),
        "useradd" | "adduser" => users::effects(command, each),
        _ if pip::is_pip(command) => pip::effects(command, each),
        _ => {}
    }
}

/// An installation of the words that are packages.
pub(super) fn install<'m>(manager: Manager, words: Vec<Arg<'m>>) -> Install<'m> {
    let known = words.iter().all(|word| word.known && !word.glob);
    let packages = words.into_iter().map(|word| Package { word }).collect();
    Install { manager, packages, manifests: Vec::new(), known }
}

/// The arguments that are neither options nor values of the options named in `valued`.
pub(super) fn operands<'m>(args: &[Arg<'m>], valued: &[&str]) -> Vec<Arg<'m>> {
    let mut operands = Vec::new();
    let mut args = args.iter();
    let mut options = true;
    while let Some(arg) = args.next() {
        if options && arg.text == "--" {
            options = false;
        } else if options && arg.is_flag() {
            if valued.contains(&arg.text.as_ref()) {
                args.next();
            }
        } else {
            operands.push(arg.clone());
        }
    }
    operands
}
