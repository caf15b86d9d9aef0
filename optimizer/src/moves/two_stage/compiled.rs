//! Compilers and make: what they write goes on, they stay.

use super::{Around, Does, Ecosystem, Prelude, command_line};
use crate::bases::{BaseImage, BaseKind};
use crate::chain::Link;
use crate::moves::{ConfigChange, ConfigField, NotApplicable};
use crate::sheet::Sheet;
use plimsoll_parser::syntax::Kind;
use std::collections::BTreeSet;

pub(super) struct Compiler;

impl Ecosystem for Compiler {
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable> {
        let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
        match link.program() {
            "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++" => {
                let object = args.contains(&"-c") || args.contains(&"-S") || args.contains(&"--version");
                let output = output(&args).unwrap_or("a.out");
                if object { directory(around) } else { file(output, around) }
            }
            "go" => match link.verb() {
                "build" => match output(&args) {
                    Some(path) if !path.ends_with('/') => file(path, around),
                    _ => Err(NotApplicable::because("where go build writes to is not known")),
                },
                "mod" | "version" | "env" | "vet" | "test" | "generate" | "get" => Ok(Does::Serves),
                verb => Err(NotApplicable::because(format!("where go {verb} writes to is not known"))),
            },
            "cargo" => cargo(&args, around),
            "rustup" => Ok(Does::Serves),
            "make" | "ninja" | "meson" | "cmake" | "configure" => {
                if link.decorated
                    || args.iter().any(|arg| {
                        ["DESTDIR", "PREFIX", "prefix", "--prefix", "-C", "--directory", "-DCMAKE_INSTALL_PREFIX"]
                            .iter()
                            .any(|name| arg.starts_with(name))
                    })
                {
                    return Err(NotApplicable::because(format!("where {} writes to is set by hand", link.program())));
                }
                let installs = args.iter().any(|arg| arg.starts_with("install") || *arg == "--install");
                let Does::Installs(mut paths) = directory(around)? else { return Ok(Does::Other) };
                if installs {
                    paths.push("/usr/local".to_owned());
                }
                Ok(Does::Installs(paths))
            }
            _ => Ok(Does::Other),
        }
    }

    fn prelude(&self, _products: &BTreeSet<String>, _around: &Around<'_>) -> Prelude {
        Prelude::default()
    }
    fn implied(&self, _package: &str) -> Option<&'static str> {
        None
    }
    fn behind(&self, _link: &Link, around: &Around<'_>) -> Vec<String> {
        let folders: &[&str] = match around.base.kind {
            BaseKind::Golang => &["/go", "/go/bin", "/go/src", "/go/pkg"],
            _ => &[],
        };
        folders.iter().map(|path| (*path).to_owned()).collect()
    }
    fn comment(&self) -> &'static str {
        "what was compiled; compilers and headers stay behind"
    }
    fn variables(&self) -> &'static [&'static str] {
        &["GO", "CGO", "CARGO", "RUST", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS"]
    }

    fn last_base(&self, base: &BaseImage, available: &dyn Fn(&str) -> bool) -> Option<String> {
        match base.kind {
            BaseKind::Golang | BaseKind::Rust => {
                // What was linked on an older release runs on a newer one.
                let releases = base.release().map_or_else(|| vec!["trixie", "bookworm"], |release| vec![release]);
                releases.into_iter().map(|release| format!("debian:{release}-slim")).find(|name| available(name))
            }
            BaseKind::Debian => base.slimmest(available),
            _ => None,
        }
    }

    fn base_changes(&self, base: &BaseImage) -> Vec<ConfigChange> {
        let names: &[&str] = match base.kind {
            BaseKind::Golang => &["GOLANG_VERSION", "GOPATH", "GOTOOLCHAIN", "PATH"],
            BaseKind::Rust => &["RUST_VERSION", "RUSTUP_HOME", "CARGO_HOME", "PATH"],
            _ => &[],
        };
        names
            .iter()
            .map(|name| ConfigChange {
                field: ConfigField::Env,
                key: Some((*name).to_owned()),
                why: "of the compiler's image; the program does not need it".to_owned(),
            })
            .collect()
    }

    fn objection(&self, sheet: &Sheet<'_>, products: &BTreeSet<String>) -> Option<String> {
        if products.contains("/") {
            return Some("it is compiled in the root directory".to_owned());
        }
        let interpreters = ["go run", "cargo run", "make ", "mvn "];
        sheet.instructions().find_map(|(_, instruction)| match &instruction.kind {
            Kind::Cmd(command) | Kind::Entrypoint(command) => {
                let line = command_line(command);
                let how = interpreters.iter().find(|how| format!("{line} ").contains(**how))?;
                Some(format!("the program is compiled when it starts ({})", how.trim()))
            }
            _ => None,
        })
    }
}

fn output<'a>(args: &[&'a str]) -> Option<&'a str> {
    args.iter().enumerate().find_map(|(at, arg)| match *arg {
        "-o" => args.get(at + 1).copied(),
        arg => arg
            .strip_prefix("-o")
            .map(|path| path.trim_start_matches('='))
            .filter(|path| !path.is_empty() && arg.starts_with("-o")),
    })
}

fn file(path: &str, around: &Around<'_>) -> Result<Does, NotApplicable> {
    let path = around.place.absolute(path);
    path.map(|path| Does::Installs(vec![path]))
        .ok_or_else(|| NotApplicable::because("where the program is written to is not known"))
}

fn directory(around: &Around<'_>) -> Result<Does, NotApplicable> {
    let path = around.place.workdir.clone();
    path.map(|path| Does::Installs(vec![path]))
        .ok_or_else(|| NotApplicable::because("the directory that it is compiled in is not known"))
}

fn cargo(args: &[&str], around: &Around<'_>) -> Result<Does, NotApplicable> {
    match args.iter().find(|arg| !arg.starts_with(['-', '+'])).copied() {
        Some("build") => {}
        Some("fetch" | "test" | "clippy" | "fmt" | "vendor" | "update") => return Ok(Does::Serves),
        verb => {
            return Err(NotApplicable::because(format!(
                "where cargo {} writes to is not known",
                verb.unwrap_or_default()
            )));
        }
    }
    let other = [
        "--target",
        "--target-dir",
        "--manifest-path",
        "--profile",
        "--workspace",
        "-p",
        "--package",
        "--bin",
        "--example",
    ];
    if args.iter().any(|arg| other.iter().any(|name| arg.split('=').next() == Some(name))) {
        return Err(NotApplicable::because("where cargo build writes to is set by hand"));
    }
    let manifest = (around.input.read)("Cargo.toml").unwrap_or_default();
    let mut package = false;
    let name = manifest.lines().find_map(|line| {
        let line = line.trim();
        if line.starts_with('[') {
            package = matches!(line, "[package]" | "[[bin]]");
        }
        let value = line
            .strip_prefix("name")
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix('='))
            .filter(|_| package)?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    });
    let name = name.ok_or_else(|| NotApplicable::because("Cargo.toml does not say what is built"))?;
    let profile = if args.iter().any(|arg| matches!(*arg, "--release" | "-r")) { "release" } else { "debug" };
    file(&format!("target/{profile}/{name}"), around)
}
