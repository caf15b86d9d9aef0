//! pip: into the base's own Python where that is Debian's, into a virtual environment where the image brings one.

use super::{Around, Does, Ecosystem, Prelude};
use crate::bases::BaseKind;
use crate::chain::Link;
use crate::moves::{ConfigChange, ConfigField, NotApplicable};
use crate::sheet::Sheet;
use std::collections::BTreeSet;

pub(super) struct Pip;

/// Where the environment goes when the author has none.
const ENVIRONMENT: &str = "/opt/venv";

impl Ecosystem for Pip {
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable> {
        if let Some(path) = virtual_environment(link) {
            let path = around.place.absolute(path);
            return path.map(|path| Does::Installs(vec![path])).ok_or_else(|| hidden(link));
        }
        let Some(args) = pip_args(link) else {
            return match link.program() {
                tool @ ("poetry" | "pipenv" | "uv" | "pdm" | "conda" | "easy_install") => {
                    Err(NotApplicable::because(format!("where {tool} installs to is its own configuration's choice")))
                }
                _ => Ok(Does::Other),
            };
        };
        let verb = args.iter().find(|arg| !arg.starts_with('-')).copied().unwrap_or_default();
        if verb != "install" {
            return Ok(Does::Serves);
        }
        if !link.is_known() && link.words.iter().any(|word| !word.known && word.text.starts_with('-')) {
            return Err(hidden(link));
        }
        if args.iter().any(|arg| matches!(*arg, "-e" | "--editable") || arg.starts_with("--editable=")) {
            return Err(NotApplicable::because("pip installs in editable mode: the sources are the installation"));
        }
        if args.iter().any(|arg| arg.starts_with("--root"))
            && !args.iter().any(|arg| arg.starts_with("--root-user-action"))
        {
            return Err(NotApplicable::because("pip installs below another root"));
        }
        let names: Vec<&str> = positional(&args);
        let only_itself = !names.is_empty()
            && names.iter().all(|name| {
                matches!(name.split(['=', '<', '>', '~', '!']).next(), Some("pip" | "setuptools" | "wheel"))
            })
            && !args.iter().any(|arg| matches!(*arg, "-r" | "--requirement") || arg.starts_with("--requirement="));
        if only_itself {
            return Ok(Does::Serves);
        }
        if let Some(target) = value_of(&args, &["-t", "--target", "--prefix"]) {
            let path = around.place.absolute(target);
            return path.map(|path| Does::Installs(vec![path])).ok_or_else(|| hidden(link));
        }
        if args.contains(&"--user") {
            let home = around.place.env.get("HOME").map_or("/root", String::as_str);
            return Ok(Does::Installs(vec![format!("{home}/.local")]));
        }
        if let Some(environment) = environment_in_force(link, around) {
            return Ok(Does::Installs(vec![environment]));
        }
        match around.base.kind {
            BaseKind::Debian => Ok(Does::Installs(vec!["/usr/local".to_owned()])),
            BaseKind::Python if link.words.first().is_some_and(|word| word.text.starts_with('/')) => {
                Err(NotApplicable::because(format!("{} is called by its path", link.line())))
            }
            BaseKind::Python => Ok(Does::Installs(vec![ENVIRONMENT.to_owned()])),
            _ => Err(NotApplicable::because(format!("where pip installs to on {} is not known", around.base.name()))),
        }
    }

    fn prelude(&self, products: &BTreeSet<String>, around: &Around<'_>) -> Prelude {
        if around.base.kind != BaseKind::Python
            || !products.contains(ENVIRONMENT)
            || around.place.env.contains_key("VIRTUAL_ENV")
        {
            return Prelude::default();
        }
        if around.place.env.get("PATH").is_some_and(|path| path.contains(ENVIRONMENT)) {
            return Prelude::default();
        }
        Prelude {
            build: format!(
                "# an environment of its own, so that everything pip installs is in one place\n\
                 RUN python3 -m venv {ENVIRONMENT}\nENV PATH={ENVIRONMENT}/bin:$PATH\n"
            ),
            last: format!("ENV PATH={ENVIRONMENT}/bin:$PATH\n"),
            config: vec![ConfigChange {
                field: ConfigField::Env,
                key: Some("PATH".to_owned()),
                why: format!("{ENVIRONMENT}/bin comes first"),
            }],
        }
    }

    fn implied(&self, package: &str) -> Option<&'static str> {
        match package {
            _ if package.starts_with("python3") => Some("python3"),
            _ if package.starts_with("python-") => Some("python"),
            _ => None,
        }
    }
    fn comment(&self) -> &'static str {
        "what pip installed; pip itself stays behind"
    }
    fn variables(&self) -> &'static [&'static str] {
        &["PIP_", "PYTHON", "VIRTUAL_ENV"]
    }

    fn objection(&self, sheet: &Sheet<'_>, products: &BTreeSet<String>) -> Option<String> {
        if !products.contains(ENVIRONMENT) {
            return None;
        }
        let fixed = ["/usr/bin/python", "/usr/local/bin/python", "/usr/bin/env -i"];
        let commands = sheet.instructions().map(|(index, _)| sheet.bare(index));
        let mut named = commands.filter_map(|text| fixed.iter().find(|path| text.contains(**path)).copied());
        named.next().map(|path| format!("{path} is called by its path and would not see a virtual environment"))
    }
}

fn hidden(link: &Link) -> NotApplicable {
    NotApplicable::because(format!("a variable hides what `{}` does", link.line()))
}

/// The words after `pip`, however it is called.
fn pip_args(link: &Link) -> Option<Vec<&str>> {
    let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
    let program = link.program();
    if is_numbered(program, "pip") {
        return Some(args);
    }
    if is_numbered(program, "python") {
        let at = args.iter().position(|arg| *arg == "-m")?;
        return (args.get(at + 1) == Some(&"pip")).then(|| args.into_iter().skip(at + 2).collect());
    }
    None
}

/// `pip`, `pip3`, `pip3.11`
fn is_numbered(program: &str, name: &str) -> bool {
    program.strip_prefix(name).is_some_and(|tail| tail.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn virtual_environment(link: &Link) -> Option<&str> {
    let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
    let rest = if link.program() == "virtualenv" {
        args.as_slice()
    } else if is_numbered(link.program(), "python") {
        let at = args.windows(2).position(|pair| matches!(pair, ["-m", "venv" | "virtualenv"]))?;
        args.get(at + 2..)?
    } else {
        return None;
    };
    rest.iter().rev().find(|arg| !arg.starts_with('-')).copied()
}

/// The environment whose pip this is.
fn environment_in_force(link: &Link, around: &Around<'_>) -> Option<String> {
    let program = link.words.first()?.text.as_str();
    if let Some(root) = program.strip_suffix(&format!("/bin/{}", link.program())) {
        let system = matches!(root, "" | "/usr" | "/usr/local");
        return (!system).then(|| around.place.absolute(root)).flatten();
    }
    let first = around.place.env.get("PATH")?.split(':').next()?;
    let root = first.strip_suffix("/bin")?;
    (!matches!(root, "" | "/usr" | "/usr/local")).then(|| root.to_owned())
}

fn value_of<'a>(args: &[&'a str], names: &[&str]) -> Option<&'a str> {
    args.iter().enumerate().find_map(|(at, arg)| {
        if names.contains(arg) {
            return args.get(at + 1).copied();
        }
        names.iter().find_map(|name| arg.strip_prefix(name).and_then(|tail| tail.strip_prefix('=')))
    })
}

/// What pip is asked to install by name.
fn positional<'a>(args: &[&'a str]) -> Vec<&'a str> {
    const WITH_VALUE: &[&str] = &[
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-t",
        "--target",
        "--prefix",
        "-i",
        "--index-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "--trusted-host",
        "--timeout",
        "--retries",
        "--proxy",
        "--cert",
        "--src",
        "--platform",
        "--python-version",
    ];
    let mut names = Vec::new();
    let mut args = args.iter();
    let mut verb = false;
    while let Some(arg) = args.next() {
        if WITH_VALUE.contains(arg) {
            args.next();
        } else if !arg.starts_with('-') {
            if verb {
                names.push(*arg);
            }
            verb = true;
        }
    }
    names
}
