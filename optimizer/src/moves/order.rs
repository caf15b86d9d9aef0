//! Sources copied after what does not need them.

use super::{Input, Move, NotApplicable, Step, made_anew};
use crate::apply::Level;
use crate::chain::{Chain, Link, dialects};
use crate::files::Files;
use crate::place::{Place, places};
use crate::sheet::{Draft, Sheet};
use plimsoll_analyzer::context::clean;
use plimsoll_parser::syntax::{Instruction, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// `COPY . /app` moves down behind the commands that install dependencies; what these read is copied before them.
pub(crate) struct SourcesLast;

impl Move for SourcesLast {
    fn name(&self) -> &'static str {
        "sources-last"
    }
    fn title(&self) -> &'static str {
        "sources copied after dependencies"
    }
    fn explain(&self) -> &'static str {
        "A change of the sources no longer installs the dependencies anew. Relies on installers reading nothing but the \
         manifests that they name."
    }
    fn level(&self) -> Level {
        Level::Safe
    }
    fn for_rebuilds(&self) -> bool {
        true
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        if let Some(error) = sheet.file.errors.first() {
            return Err(NotApplicable::because(format!("the file does not parse: {}", error.message)));
        }
        let places = places(&sheet.file, input.base);
        let copy = find(&sheet, &places)
            .ok_or_else(|| NotApplicable::because("no COPY of the whole context stands before a RUN"))?;
        let moved = follow(&sheet, &places, &copy, input)?;
        Ok(Step {
            may_change: made_anew(),
            ..Step::of(Files {
                dockerfile: write(&sheet, &places, &copy, &moved),
                dockerignore: input.files.dockerignore.clone(),
            })
        })
    }
}

/// The COPY to be moved.
struct Sources {
    index: usize,
    /// The directory it fills, absolute, without a slash at the end.
    into: String,
}

/// Where it goes, and what is copied instead of it.
struct Moved {
    after: usize,
    /// The RUN before which manifests are copied, and these.
    manifests: Vec<(usize, Vec<String>)>,
}

fn find(sheet: &Sheet<'_>, places: &[Place]) -> Option<Sources> {
    let mut found = None;
    for (index, instruction) in sheet.instructions() {
        match &instruction.kind {
            Kind::From(_) => found = None,
            Kind::Copy(copy) | Kind::Add(copy) => {
                let whole = copy.sources.len() == 1 && copy.sources.iter().all(|source| clean(source).is_empty());
                let plain = copy.from.is_none()
                    && copy.chown.is_none()
                    && copy.chmod.is_none()
                    && !copy.link
                    && copy.exclude.is_empty();
                if whole && plain && instruction.heredocs.is_empty() && found.is_none() {
                    let place = places.get(index)?;
                    let into = place.expand(&copy.destination, sheet.file.escape).and_then(|to| place.absolute(&to));
                    found = into.filter(|into| into != "/").map(|into| Sources { index, into });
                }
            }
            _ => {}
        }
    }
    found
}

/// How a RUN stands to the sources.
enum Needs {
    Nothing,
    Manifests(Vec<String>),
    /// It reads or changes them, or nobody knows.
    Sources,
}

fn follow(sheet: &Sheet<'_>, places: &[Place], copy: &Sources, input: &Input<'_>) -> Result<Moved, NotApplicable> {
    let dialects = dialects(&sheet.file.instructions);
    let mut moved = Moved { after: copy.index, manifests: Vec::new() };
    let mut here: BTreeSet<String> = BTreeSet::new();
    let mut pending: BTreeSet<String> = BTreeSet::new();
    let mut why = "no RUN after it does without the sources".to_owned();
    for (index, instruction) in sheet.instructions().skip(copy.index + 1) {
        match &instruction.kind {
            Kind::Run(_) => {
                let chain = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default());
                let place = places.get(index).cloned().unwrap_or_default();
                match needs(instruction, chain.as_ref(), &place, copy, input) {
                    Needs::Nothing => {}
                    Needs::Manifests(files) => {
                        let new: Vec<String> = files.into_iter().filter(|file| !here.contains(file)).collect();
                        here.extend(new.iter().cloned());
                        pending.extend(new.iter().cloned());
                        moved.manifests.push((index, new));
                    }
                    Needs::Sources => {
                        why = format!("`{}` may need the sources", first_line(&sheet.bare(index)));
                        break;
                    }
                }
                moved.after = index;
            }
            Kind::Workdir(path) => {
                // A directory inside the sources is made by WORKDIR before they come: the same directory in the end.
                let place = places.get(index).cloned().unwrap_or_default();
                if place.expand(path, sheet.file.escape).is_none() {
                    break;
                }
            }
            // A later file of the context may replace one of the sources, or the other way round.
            Kind::Copy(_)
            | Kind::Add(_)
            | Kind::From(_)
            | Kind::User(_)
            | Kind::Onbuild(_)
            | Kind::Unknown(_)
            | Kind::Broken(_)
            | Kind::Volume(_) => break,
            _ => {}
        }
    }
    if moved.after == copy.index { Err(NotApplicable::because(why)) } else { Ok(moved) }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches('\\').trim_end()
}

fn needs(
    instruction: &Instruction<'_>,
    chain: Option<&Chain>,
    place: &Place,
    copy: &Sources,
    input: &Input<'_>,
) -> Needs {
    let Some(chain) = chain else { return Needs::Sources };
    let Kind::Run(run) = &instruction.kind else { return Needs::Sources };
    if run.mounts().iter().any(|mount| mount.kind() == "bind") {
        return Needs::Sources;
    }
    let inside =
        place.workdir.as_deref().is_some_and(|dir| dir == copy.into || dir.starts_with(&format!("{}/", copy.into)));
    let mut files = Vec::new();
    for link in &chain.links {
        match link_needs(link, place, copy, inside, input) {
            Needs::Nothing => {}
            Needs::Manifests(found) => files.extend(found),
            Needs::Sources => return Needs::Sources,
        }
    }
    if files.is_empty() { Needs::Nothing } else { Needs::Manifests(files) }
}

fn link_needs(link: &Link, place: &Place, copy: &Sources, inside: bool, input: &Input<'_>) -> Needs {
    let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
    let mentions_sources = args.iter().any(|arg| arg.starts_with(&copy.into) || arg.starts_with("./") || *arg == ".");
    let decorated_into = link.decorated;
    match link.program() {
        "apt-get" | "apt"
            if !decorated_into
                && !mentions_sources
                && !args.iter().any(|arg| arg.contains('/') && !arg.starts_with('-')) =>
        {
            Needs::Nothing
        }
        "rm" if !mentions_sources && args.iter().all(|arg| arg.starts_with('-') || arg.starts_with('/')) => {
            Needs::Nothing
        }
        "set" | "true" | "useradd" | "groupadd" | "addgroup" | "adduser" if !mentions_sources => Needs::Nothing,
        "mkdir"
            if args
                .iter()
                .all(|arg| arg.starts_with('-') || (arg.starts_with('/') && !arg.starts_with(&copy.into))) =>
        {
            Needs::Nothing
        }
        "pip" | "pip3" if link.verb() == "cache" => Needs::Nothing,
        "pip" | "pip3" | "python" | "python3" => pip_needs(link, &args, place, copy, inside, input),
        "bundle" | "bundler" if matches!(link.verb(), "install" | "config" | "") => {
            let gemspec = input.listing.entries().iter().any(|entry| entry.path.ends_with(".gemspec"));
            let gemfile = (input.read)("Gemfile").unwrap_or_default();
            if gemspec || gemfile.contains("path:") || gemfile.contains("eval_gemfile") || !inside {
                return Needs::Sources;
            }
            manifests(&["Gemfile", "Gemfile.lock"], &["Gemfile"], input)
        }
        "gem" if link.verb() == "install" && !args.iter().any(|arg| arg.ends_with(".gem") || arg.contains('/')) => {
            Needs::Nothing
        }
        // An installer's own cache, which some fix before this one empties.
        "npm" | "yarn" | "pnpm" | "composer" if matches!(link.verb(), "cache" | "clear-cache") => Needs::Nothing,
        "npm" if matches!(link.verb(), "install" | "ci" | "i") => npm_needs(link, &args, inside, input),
        "yarn" if matches!(link.verb(), "install" | "") && inside => {
            if has_scripts(input) {
                Needs::Sources
            } else {
                manifests(&["package.json", "yarn.lock", ".yarnrc", ".npmrc"], &["package.json"], input)
            }
        }
        "go" if link.verb() == "mod" && link.has("download") && inside => {
            let text = (input.read)("go.mod").unwrap_or_default();
            let local = text.lines().any(|line| line.contains("=> ./") || line.contains("=> ../"));
            if local { Needs::Sources } else { manifests(&["go.mod", "go.sum"], &["go.mod"], input) }
        }
        _ => Needs::Sources,
    }
}

/// Those of `names` that the context has; all of `required` must be there.
fn manifests(names: &[&str], required: &[&str], input: &Input<'_>) -> Needs {
    if required.iter().any(|name| input.listing.get(name).is_none()) {
        return Needs::Sources;
    }
    let there = names.iter().filter(|name| input.listing.get(name).is_some());
    Needs::Manifests(there.map(|name| (*name).to_owned()).collect())
}

fn pip_needs(link: &Link, args: &[&str], place: &Place, copy: &Sources, inside: bool, input: &Input<'_>) -> Needs {
    let python = link.program().starts_with("python");
    let rest: Vec<&str> = if python {
        match args {
            ["-m", "pip", rest @ ..] => rest.to_vec(),
            ["-m", "venv", path] if path.starts_with('/') && !path.starts_with(&copy.into) => return Needs::Nothing,
            _ => return Needs::Sources,
        }
    } else {
        args.to_vec()
    };
    if rest.first() != Some(&"install") || !link.is_known() {
        return Needs::Sources;
    }
    let mut files = Vec::new();
    let mut words = rest.iter().skip(1);
    while let Some(word) = words.next() {
        let file = match *word {
            "-r" | "--requirement" | "-c" | "--constraint" => words.next().copied(),
            "-e" | "--editable" | "." => return Needs::Sources,
            word => match word
                .strip_prefix("--requirement=")
                .or_else(|| word.strip_prefix("-r").filter(|tail| !tail.is_empty()))
            {
                Some(file) => Some(file),
                None if word.starts_with('-') => None,
                None if word.contains('/') && !word.contains("://") => return Needs::Sources,
                None => None,
            },
        };
        let Some(file) = file else { continue };
        let Some(absolute) = place.absolute(file) else { return Needs::Sources };
        let Some(relative) = absolute.strip_prefix(&format!("{}/", copy.into)) else {
            if inside {
                return Needs::Sources;
            }
            continue;
        };
        let Some(text) = (input.read)(relative) else { return Needs::Sources };
        // Another file, a path of the context, or an option that leads to one.
        let plain = text.lines().map(str::trim).all(|line| {
            line.is_empty()
                || line.starts_with('#')
                || (!line.starts_with(['-', '.', '/']) && !line.contains("file:") && !line.contains(" @ ./"))
        });
        if !plain {
            return Needs::Sources;
        }
        files.push(relative.to_owned());
    }
    if files.is_empty() { Needs::Nothing } else { Needs::Manifests(files) }
}

fn has_scripts(input: &Input<'_>) -> bool {
    let text = (input.read)("package.json").unwrap_or_default();
    let lifecycle = ["preinstall", "install", "postinstall", "prepare", "prepublish"];
    let unknown =
        text.is_empty() || text.contains("\"file:") || text.contains("\"link:") || text.contains("\"workspaces\"");
    unknown || lifecycle.iter().any(|name| text.contains(&format!("\"{name}\"")))
}

fn npm_needs(link: &Link, args: &[&str], inside: bool, input: &Input<'_>) -> Needs {
    if args.iter().any(|arg| matches!(*arg, "-g" | "--global")) {
        let local = args.iter().any(|arg| arg.starts_with('.') || arg.starts_with('/'));
        return if local { Needs::Sources } else { Needs::Nothing };
    }
    let names_packages = args.iter().filter(|arg| !arg.starts_with('-')).count() > 1;
    if !inside || has_scripts(input) || names_packages || !link.is_known() {
        return Needs::Sources;
    }
    manifests(&["package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"], &["package.json"], input)
}

fn write(sheet: &Sheet<'_>, places: &[Place], copy: &Sources, moved: &Moved) -> String {
    let mut draft = Draft::default();
    let mut gap = "";
    for (index, _) in sheet.instructions() {
        if index == copy.index {
            gap = sheet.lead(index);
            continue;
        }
        // The blank line above the COPY stays where it parted what now stands together.
        let lead = sheet.lead(index);
        draft.push(if lead.is_empty() { gap } else { lead });
        gap = "";
        if let Some((_, files)) = moved.manifests.iter().find(|(at, files)| *at == index && !files.is_empty()) {
            // A COPY puts all of its files into one folder: each folder has its own.
            let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for file in files {
                let folder = file.rfind('/').and_then(|at| file.get(..=at)).unwrap_or_default();
                folders.entry(folder).or_default().insert(file);
            }
            let here = places.get(index).is_some_and(|place| place.workdir.as_deref() == Some(copy.into.as_str()));
            let into = if here { "." } else { &copy.into };
            for (folder, files) in folders {
                let files: Vec<&str> = files.into_iter().collect();
                draft.push(&format!("COPY {} {into}/{folder}\n", files.join(" ")));
            }
        }
        draft.push(&sheet.body(index));
        if index == moved.after {
            draft.blank().push(&sheet.body(copy.index));
        }
    }
    draft.push(sheet.tail());
    draft.finish()
}
