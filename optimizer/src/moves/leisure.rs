//! Packages of the last stage that are for people who look around in it, and those that a first stage has compiled with.

use super::packages::{Runtime, runtime_of};
use super::unneeded::packages;
use super::{Input, Move, NotApplicable, Step, system_paths};
use crate::apply::{Level, splice};
use crate::bases::BaseImage;
use crate::chain::{Chain, Link, Word, dialects};
use crate::files::Files;
use crate::sheet::Sheet;
use plimsoll_analyzer::context::EntryKind;
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::syntax::Kind;
use plimsoll_parser::{Edit, TextRange};
use std::collections::BTreeSet;

/// Takes such packages out of the lists of the last stage.
pub(crate) struct Leisure;

/// Packages by the words that speak of them where somebody uses them.
const TOOLS: &[(&str, &[&str])] = &[
    ("apt-transport-https", &[]),
    ("apt-utils", &[]),
    ("bash-completion", &[]),
    ("bind9-dnsutils", &["dig", "nslookup", "host"]),
    ("curl", &["curl"]),
    ("dialog", &["dialog"]),
    ("dnsutils", &["dig", "nslookup", "host"]),
    ("emacs", &["emacs"]),
    ("gdb", &["gdb"]),
    ("git", &["git", "composer"]),
    ("htop", &["htop"]),
    ("iproute2", &["ip", "ss"]),
    ("iputils-ping", &["ping"]),
    ("less", &["less"]),
    ("lsb-release", &["lsb_release", "add-apt-repository"]),
    ("lsof", &["lsof"]),
    ("man-db", &["man"]),
    ("mc", &["mc"]),
    ("nano", &["nano"]),
    ("net-tools", &["netstat", "ifconfig", "route", "arp"]),
    ("netcat", &["nc", "netcat"]),
    ("netcat-openbsd", &["nc", "netcat"]),
    ("netcat-traditional", &["nc", "netcat"]),
    ("procps", &["ps", "top", "pgrep", "pkill", "free", "watch", "sysctl", "uptime", "w"]),
    ("screen", &["screen"]),
    ("software-properties-common", &["add-apt-repository"]),
    ("strace", &["strace"]),
    ("sudo", &["sudo"]),
    ("telnet", &["telnet"]),
    ("tmux", &["tmux"]),
    ("tree", &["tree"]),
    ("unzip", &["unzip", "composer"]),
    ("vim", &["vim", "vi", "view"]),
    ("vim-tiny", &["vim", "vi", "view"]),
    ("wget", &["wget"]),
    ("zip", &["zip", "composer"]),
];

impl Move for Leisure {
    fn name(&self) -> &'static str {
        "unused-tools"
    }
    fn title(&self) -> &'static str {
        "tools that nothing calls left out"
    }
    fn explain(&self) -> &'static str {
        "Editors, downloaders and what people look around with, where neither the Dockerfile nor a file of the context \
         names them; in the last of several stages, compilers too, and libraries in the place of headers. Relies on no \
         program starting them under another name."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        if let Some(error) = sheet.file.errors.first() {
            return Err(NotApplicable::because(format!("the file does not parse: {}", error.message)));
        }
        let stages = sheet.stages();
        let from = *stages.last().ok_or_else(|| NotApplicable::because("the file has no FROM"))?;
        let Some(Kind::From(written)) = sheet.instruction(from).map(|instruction| &instruction.kind) else {
            return Err(NotApplicable::because("the file has no FROM"));
        };
        let release = BaseImage::of(&crate::place::image_of(&sheet.file, &written.image)).ok();
        let release = release.as_ref().and_then(BaseImage::release);
        let dialects = dialects(&sheet.file.instructions);
        let several = stages.len() > 1 && !compiles(&sheet, from);
        let mut edits: Vec<Edit> = Vec::new();
        let (mut left_out, mut libraries) = (Vec::new(), Vec::new());
        let own = own_words(&sheet, from);
        let spoken: BTreeSet<String> = words(input).into_iter().chain(own.iter().cloned()).collect();
        for (index, instruction) in sheet.instructions().skip(from + 1) {
            let dialect = dialects.get(index).copied().unwrap_or_default();
            let Some(chain) = Chain::of(instruction, dialect) else { continue };
            for link in chain.links.iter().filter(|link| is_install(link)) {
                let all: Vec<&Word> = packages(link).iter().filter_map(|at| link.words.get(*at)).collect();
                let fate = |word: &Word| -> Option<&'static [&'static str]> {
                    let name = word.text.split(['=', ':', '/']).next().unwrap_or_default();
                    let tool = TOOLS.iter().find(|(tool, _)| *tool == name);
                    match tool {
                        _ if !word.known => None,
                        Some((_, words)) => (!words.iter().any(|word| spoken.contains(*word))).then_some(&[]),
                        None if several => match runtime_of(name, release) {
                            Runtime::Nothing if !own.contains(name) => Some(&[]),
                            Runtime::Libraries(names) => Some(names),
                            _ => None,
                        },
                        None => None,
                    }
                };
                let goes: Vec<(&Word, &[&str])> = all.iter().filter_map(|word| Some((*word, fate(word)?))).collect();
                if goes.len() == all.len() && goes.iter().all(|(_, names)| names.is_empty()) {
                    // Nothing would be installed: the command has to go, which is more than a package out of a list.
                    edits.extend(whole(&chain, link, &sheet, index));
                    left_out.extend(goes.iter().map(|(word, _)| word.text.clone()));
                    continue;
                }
                for (word, names) in goes {
                    let Some(before) = link.words.iter().rev().find(|other| other.range.end <= word.range.start) else {
                        continue;
                    };
                    left_out.push(word.text.clone());
                    let new: Vec<&str> = names
                        .iter()
                        .copied()
                        .filter(|name| !all.iter().any(|word| word.text == *name) && !libraries.contains(name))
                        .collect();
                    edits.push(if new.is_empty() {
                        Edit::delete(TextRange { start: before.range.end, end: word.range.end })
                    } else {
                        Edit::replace(word.range, new.join(" "))
                    });
                    libraries.extend(new);
                }
            }
        }
        if left_out.is_empty() {
            return Err(NotApplicable::because("every tool that the last stage installs is named somewhere"));
        }
        let mut notes = vec![format!("nothing names them: {}", left_out.join(", "))];
        if !libraries.is_empty() {
            notes.push(format!("in place of headers: {}", libraries.join(", ")));
        }
        Ok(Step {
            may_change: system_paths(),
            notes,
            ..Step::of(Files {
                dockerfile: splice(&input.files.dockerfile, &edits),
                dockerignore: input.files.dockerignore.clone(),
            })
        })
    }
}

fn is_install(link: &Link) -> bool {
    matches!(link.program(), "apt-get" | "apt") && link.verb() == "install"
}

/// What takes the whole command out with what only serves it; nothing where the RUN does more than that.
fn whole(chain: &Chain, install: &Link, sheet: &Sheet<'_>, index: usize) -> Vec<Edit> {
    let serves = |link: &Link| {
        matches!(link.program(), "apt-get" | "apt") && !is_install(link)
            || link.program() == "rm"
                && link.args().iter().all(|word| {
                    word.text.starts_with(['-', '/']) && word.text.contains("/var/lib/apt")
                        || word.text.starts_with('-')
                })
    };
    let alone = chain.links.iter().filter(|link| is_install(link)).count() == 1;
    let gone =
        |at: usize| chain.links.get(at).is_some_and(|link| link.range == install.range || (alone && serves(link)));
    chain.without(&gone).unwrap_or_else(|| vec![Edit::delete(sheet.paragraph(index))])
}

/// Whether the last stage compiles something itself.
fn compiles(sheet: &Sheet<'_>, from: usize) -> bool {
    sheet.instructions().skip(from + 1).filter(|(_, other)| matches!(other.kind, Kind::Run(_))).any(|(index, _)| {
        let text = sheet.bare(index);
        let text = text.replace("apt-get install", "").replace("build-essential", "");
        let mut commands = text.split(['&', ';', '|', '\n']).map(|part| part.trim_start_matches("RUN").trim());
        commands.any(|part| super::packages::is_build_tool(part.split([' ', '/']).next().unwrap_or_default()))
    })
}

fn take(found: &mut BTreeSet<String>, text: &str) {
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
    found.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
}

/// Every word of the last stage besides lists of packages.
fn own_words(sheet: &Sheet<'_>, from: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let dialects = dialects(&sheet.file.instructions);
    for (index, instruction) in sheet.instructions().skip(from + 1) {
        let mut text = sheet.bare(index);
        let chain = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default());
        for link in chain.iter().flat_map(|chain| &chain.links).filter(|link| is_install(link)) {
            for word in packages(link).iter().filter_map(|at| link.words.get(*at)) {
                let from = |at: u32| at.checked_sub(instruction.range.start).map_or(0, |at| at as usize);
                let range = from(word.range.start)..from(word.range.end);
                if let Some(blank) = text.get(range.clone()).map(|word| " ".repeat(word.len())) {
                    text.replace_range(range, &blank);
                }
            }
        }
        take(&mut found, &text);
    }
    found
}

/// Every word of the small files that the context has.
fn words(input: &Input<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let ignore = input.files.dockerignore.as_deref().map(|text| Ignore::parse(text).0);
    let prose = |name: &str| {
        name.ends_with(".md")
            || name.starts_with("LICENSE")
            || name.starts_with("Dockerfile")
            || matches!(name, ".dockerignore" | "plimsoll.toml")
    };
    let files = input.listing.kept(ignore.as_ref()).filter(|entry| entry.kind == EntryKind::File);
    for entry in files.filter(|entry| !prose(entry.name())) {
        if let Some(text) = (input.read)(&entry.path) {
            take(&mut found, &text);
        }
    }
    found
}
