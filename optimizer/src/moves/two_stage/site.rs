//! Sites that a script of the project builds and a web server hands out: Node, modules and sources stay.

use super::{Around, Does, Ecosystem, Prelude, command_line};
use crate::bases::{BaseImage, BaseKind};
use crate::chain::{Chain, Link};
use crate::moves::unneeded::packages;
use crate::moves::{ConfigChange, ConfigField, NotApplicable};
use crate::place::places;
use crate::sheet::Sheet;
use plimsoll_parser::syntax::{Command, Kind};
use std::collections::BTreeSet;

pub(super) struct Site;

/// Web servers that read files and nothing else.
const SERVERS: &[&str] =
    &["nginx", "nginx-light", "busybox", "busybox-static", "lighttpd", "apache2", "darkhttpd", "webfs", "caddy"];

impl Ecosystem for Site {
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable> {
        let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
        let global = args.iter().any(|arg| matches!(*arg, "-g" | "--global" | "global"));
        match link.program() {
            "npm" | "yarn" | "pnpm" if global => Ok(Does::Other),
            "npm" | "yarn" | "pnpm" => match link.verb() {
                "run" | "build" | "run-script" => builds(around),
                _ => Ok(Does::Serves),
            },
            "npx" | "tsc" | "webpack" | "vite" | "ng" => builds(around),
            // What was built is put where the server looks.
            "cp" | "mv" => {
                let mut paths = args.iter().filter(|arg| !arg.starts_with('-')).copied();
                let (Some(from), Some(to), None) = (paths.next(), paths.next(), paths.next()) else {
                    return Ok(Does::Other);
                };
                let from = around.place.absolute(from.trim_end_matches(['*', '.']));
                let built = from.is_some_and(|from| inside(&from, around) && !in_context(&from, around));
                match around.place.absolute(to).filter(|to| built && to != "/") {
                    Some(to) => Ok(Does::Installs(vec![to])),
                    None => Ok(Does::Other),
                }
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
    fn leaves(&self, package: &str) -> bool {
        matches!(package, "nodejs" | "npm" | "yarnpkg" | "git")
    }
    fn only_last(&self, chain: &Chain) -> bool {
        let mut installed = false;
        let apt = chain.links.iter().all(|link| {
            let install = matches!(link.program(), "apt-get" | "apt") && link.verb() == "install";
            installed |= install;
            let servers = packages(link)
                .iter()
                .filter_map(|at| link.words.get(*at))
                .all(|word| SERVERS.contains(&word.text.as_str()));
            super::Apt::is_part(link) && (!install || servers)
        });
        apt && installed
    }
    fn keeps_sources(&self) -> bool {
        true
    }
    fn comment(&self) -> &'static str {
        "the built site; what built it stays behind"
    }
    fn variables(&self) -> &'static [&'static str] {
        &["NPM_", "npm_", "NODE_", "YARN_", "VITE_", "REACT_APP_"]
    }

    fn last_base(&self, base: &BaseImage, available: &dyn Fn(&str) -> bool) -> Option<String> {
        match base.kind {
            BaseKind::Node => {
                let releases = base.release().map_or_else(|| vec!["bookworm", "trixie"], |release| vec![release]);
                releases.into_iter().map(|release| format!("debian:{release}-slim")).find(|name| available(name))
            }
            _ => base.slimmest(available),
        }
    }

    fn base_changes(&self, base: &BaseImage) -> Vec<ConfigChange> {
        if base.kind != BaseKind::Node {
            return Vec::new();
        }
        let why = "of Node's image; the site is served without it";
        let env = ["NODE_VERSION", "YARN_VERSION", "PATH"].map(|name| ConfigChange {
            field: ConfigField::Env,
            key: Some(name.to_owned()),
            why: why.to_owned(),
        });
        let rest = [ConfigField::Entrypoint, ConfigField::Cmd];
        env.into_iter().chain(rest.map(|field| ConfigChange { field, key: None, why: why.to_owned() })).collect()
    }

    fn objection(&self, sheet: &Sheet<'_>, _products: &BTreeSet<String>) -> Option<String> {
        let line = starts(sheet);
        let mut words = line.trim_start().trim_start_matches("exec ").split([' ', ';']).filter(|word| !word.is_empty());
        let program = words.next().and_then(|program| program.rsplit('/').next()).unwrap_or_default();
        let serves = match program {
            "busybox" => words.next() == Some("httpd"),
            program => SERVERS.contains(&program),
        };
        if !serves {
            return Some(match line.trim().lines().next().unwrap_or_default() {
                "" => "nothing says what starts".to_owned(),
                line => format!("what starts is not a web server of the distribution: {line}"),
            });
        }
        sheet.instructions().find_map(|(_, instruction)| match &instruction.kind {
            Kind::User(user) if user.starts_with("node") => Some("the user node is of Node's image".to_owned()),
            _ => None,
        })
    }
}

/// What the image starts: the last ENTRYPOINT with the last CMD as its arguments, or that CMD alone.
fn starts(sheet: &Sheet<'_>) -> String {
    let mut entrypoint = None;
    let mut cmd = None;
    for (_, instruction) in sheet.instructions() {
        match &instruction.kind {
            Kind::Entrypoint(command) => entrypoint = Some(command),
            Kind::Cmd(command) => cmd = Some(command),
            _ => {}
        }
    }
    let arguments = cmd.map(command_line).unwrap_or_default();
    match entrypoint {
        // The shell of this form takes no arguments.
        Some(command @ Command::Shell(_)) => command_line(command),
        Some(command @ Command::Exec { .. }) => format!("{} {arguments}", command_line(command)),
        None => arguments,
    }
}

/// The folder that the program serves, when it lies in the project and is none of the context's: what the script builds.
fn builds(around: &Around<'_>) -> Result<Does, NotApplicable> {
    let sheet = Sheet::of(&around.input.files.dockerfile);
    let places = places(&sheet.file, around.input.base);
    let served = sheet.instructions().find_map(|(index, instruction)| match &instruction.kind {
        Kind::Cmd(command) | Kind::Entrypoint(command) => {
            let line = command_line(command);
            let place = places.get(index)?;
            line.split([' ', '"', '\'', '=', ';']).filter(|word| !word.is_empty() && !word.starts_with('-')).find_map(
                |word| {
                    let path = place.absolute(word).filter(|path| inside(path, around) && !in_context(path, around))?;
                    // A word that is no path at all looks like one of this directory.
                    let named = word.contains('/')
                        || ["dist", "build", "public", "out", "_site", "www", "html"].contains(&word);
                    named.then_some(path)
                },
            )
        }
        _ => None,
    });
    Ok(served.map_or(Does::Serves, |path| Does::Installs(vec![path])))
}

fn inside(path: &str, around: &Around<'_>) -> bool {
    let workdir = around.place.workdir.as_deref().filter(|path| path.len() > 1);
    workdir.is_some_and(|workdir| path.starts_with(&format!("{}/", workdir.trim_end_matches('/'))))
}

/// Whether the path in the project is a file that the context brings.
fn in_context(path: &str, around: &Around<'_>) -> bool {
    let workdir = around.place.workdir.as_deref().unwrap_or_default();
    let relative = path.strip_prefix(workdir).unwrap_or(path).trim_start_matches('/');
    around.input.listing.get(relative).is_some()
}
