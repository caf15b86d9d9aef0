//! Go: one binary on the smallest base, with the files it reads.

use super::{command_line, from_context, head, only_stage};
use crate::apply::Level;
use crate::bases::{BaseKind, static_base};
use crate::chain::{Chain, Link, dialects};
use crate::files::Files;
use crate::moves::direct;
use crate::moves::{ConfigChange, ConfigField, Input, Move, NotApplicable, Step};
use crate::place::{Place, places};
use crate::sheet::{Draft, Sheet};
use plimsoll_analyzer::context::{Entry, EntryKind, clean};
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::syntax::Kind;
use plimsoll_parser::{Edit, TextRange};

/// Two stages for programs of Go.
pub(crate) struct GoBinary;

/// One `go build` or `go install`.
struct Build {
    instruction: usize,
    link: Link,
    /// Absolute path of the binary.
    binary: String,
    place: Place,
}

impl Move for GoBinary {
    fn name(&self) -> &'static str {
        "two-stage-go"
    }
    fn title(&self) -> &'static str {
        "multi-stage: the binary on a minimal base"
    }
    fn explain(&self) -> &'static str {
        "The compiler and the sources stay in a first stage. The binary is linked without C and without symbols and stands \
         on an image without shell and libraries, beside every file of the context that the sources name. Relies on \
         the program starting no other program and on its file names being written in the sources."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        let (from, base) = only_stage(&sheet)?;
        if base.kind != BaseKind::Golang {
            return Err(NotApplicable::because(format!("{} is no image of Go", base.name())));
        }
        let places = places_of_go(&sheet, from, input);
        let build = find_build(&sheet, &places, input)?;
        check_sources(input)?;
        let shell_needed = sheet.instructions().find_map(|(_, instruction)| {
            (!direct::can_be(&sheet.file, instruction)).then_some(match &instruction.kind {
                Kind::Cmd(_) => "CMD",
                Kind::Entrypoint(_) => "ENTRYPOINT",
                _ => "HEALTHCHECK",
            })
        });
        let minimal = match shell_needed {
            // busybox has a shell and needs no library either.
            Some(_) if (input.available)("busybox:latest") => "busybox:latest",
            Some(what) => {
                return Err(NotApplicable::because(format!(
                    "{what} needs a shell, and no small image with one can be had"
                )));
            }
            None => static_base(input.available).unwrap_or("scratch"),
        };
        write(input, &sheet, from, &places, &build, minimal)
    }
}

/// Places where the base's own directory is known: images of Go begin in /go.
fn places_of_go(sheet: &Sheet<'_>, from: usize, input: &Input<'_>) -> Vec<Place> {
    let mut places = places(&sheet.file, input.base);
    let mut set = false;
    for (index, instruction) in sheet.instructions() {
        if let Some(place) = places.get_mut(index).filter(|_| index > from && !set) {
            place.workdir = Some("/go".to_owned());
            place.env.entry("GOPATH".to_owned()).or_insert_with(|| "/go".to_owned());
        }
        if let Kind::Workdir(path) = &instruction.kind {
            // A relative one stands on /go.
            set = path.starts_with('/') || path.contains('$');
            if !set {
                let joined = format!("/go/{}", path.as_str());
                for place in places.iter_mut().skip(index + 1) {
                    place.workdir.get_or_insert_with(|| format!("/{}", clean(&joined)));
                }
                set = true;
            }
        }
    }
    places
}

fn find_build(sheet: &Sheet<'_>, places: &[Place], input: &Input<'_>) -> Result<Build, NotApplicable> {
    let dialects = dialects(&sheet.file.instructions);
    let mut found: Option<Build> = None;
    for (index, instruction) in sheet.instructions() {
        let Kind::Run(_) = &instruction.kind else { continue };
        let place = places.get(index).cloned().unwrap_or_default();
        let Some(chain) = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default()) else {
            if sheet.bare(index).contains("go ") {
                return Err(NotApplicable::because("a RUN with go is more than commands joined by &&"));
            }
            continue;
        };
        for link in &chain.links {
            if link.program() != "go" {
                continue;
            }
            let verb = link.verb().to_owned();
            match verb.as_str() {
                "build" => {}
                "mod" | "version" | "env" | "vet" | "test" | "generate" | "get" | "clean" | "work" => continue,
                "install" => {}
                _ => return Err(NotApplicable::because(format!("what go {verb} makes is not known"))),
            }
            if found.is_some() {
                return Err(NotApplicable::because("several binaries are built"));
            }
            if !link.is_known() {
                return Err(NotApplicable::because("a variable hides what go build makes"));
            }
            let binary = binary_of(link, &verb, &place, input)?;
            found = Some(Build { instruction: index, link: link.clone(), binary, place: place.clone() });
        }
    }
    found.ok_or_else(|| NotApplicable::because("no go build is here"))
}

/// Where the binary is written.
fn binary_of(link: &Link, verb: &str, place: &Place, input: &Input<'_>) -> Result<String, NotApplicable> {
    let unknown = || NotApplicable::because("where go build writes to is not known");
    let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
    let output = args.iter().enumerate().find_map(|(at, arg)| match *arg {
        "-o" => args.get(at + 1).copied(),
        arg => arg.strip_prefix("-o="),
    });
    let target = {
        let mut skip = false;
        let mut plain = args.iter().filter(|arg| {
            if std::mem::take(&mut skip) {
                return false;
            }
            skip = matches!(**arg, "-o" | "-ldflags" | "-tags" | "-mod" | "-p" | "-gcflags");
            !arg.starts_with('-')
        });
        plain.next();
        plain.next().copied()
    };
    let name = match target {
        None | Some("." | "./") => {
            let module = (input.read)("go.mod").unwrap_or_default();
            let line =
                module.lines().find_map(|line| line.trim().strip_prefix("module ")).map(str::trim).map(str::to_owned);
            let directory = place.workdir.as_deref().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
            line.and_then(|path| path.trim_matches('"').rsplit('/').next().map(str::to_owned)).or(directory)
        }
        Some(target) if target.ends_with(".go") => {
            target.rsplit('/').next().map(|file| file.trim_end_matches(".go").to_owned())
        }
        Some("./...") => only_program(input),
        Some(target) if target.contains("...") => None,
        Some(target) => target
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .map(|name| name.split('@').next().unwrap_or(name).to_owned()),
    };
    if verb == "install" {
        return name.map(|name| format!("/go/bin/{name}")).ok_or_else(unknown);
    }
    match output {
        Some(path) if path.ends_with('/') => {
            let name = name.ok_or_else(unknown)?;
            place.absolute(&format!("{path}{name}")).ok_or_else(unknown)
        }
        Some(path) => place.absolute(path).ok_or_else(unknown),
        None => name.and_then(|name| place.absolute(&name)).ok_or_else(unknown),
    }
}

/// What `./...` makes where one folder holds a program: its name, or the module's.
fn only_program(input: &Input<'_>) -> Option<String> {
    let sources = input.listing.entries().iter().filter(|entry| {
        entry.path.ends_with(".go") && !entry.path.ends_with("_test.go") && !entry.path.starts_with("vendor/")
    });
    let main = |text: &str| text.lines().any(|line| line.trim() == "package main");
    let folders: std::collections::BTreeSet<&str> = sources
        .filter(|entry| (input.read)(&entry.path).is_some_and(|text| main(&text)))
        .map(|entry| entry.path.rsplit_once('/').map_or("", |(folder, _)| folder))
        .collect();
    let [folder] = folders.into_iter().collect::<Vec<_>>()[..] else { return None };
    let module = (input.read)("go.mod")?;
    let module =
        module.lines().find_map(|line| line.trim().strip_prefix("module "))?.trim().trim_matches('"').to_owned();
    let path = if folder.is_empty() { module.as_str() } else { folder };
    path.rsplit('/').next().map(str::to_owned)
}

/// Refuses sources that need C or that could not be read.
fn check_sources(input: &Input<'_>) -> Result<(), NotApplicable> {
    let mut seen = false;
    for entry in input.listing.entries().iter().filter(|entry| entry.path.ends_with(".go")) {
        let Some(text) = (input.read)(&entry.path) else { continue };
        seen = true;
        if text.contains("import \"C\"") {
            return Err(NotApplicable::because(format!("{} is linked with C", entry.path)));
        }
        if text.contains("\"plugin\"") || text.contains("\"os/exec\"") {
            return Err(NotApplicable::because(format!("{} starts other programs or loads plugins", entry.path)));
        }
    }
    if seen { Ok(()) } else { Err(NotApplicable::because("no source of Go in the context could be read")) }
}

/// The files of the context that the sources name in string literals: themselves, or by a directory above them.
/// Where the context lies in the image at `roots`, an absolute path that is not below one of these may end in a name of
/// the context and be another file. One that is such a name as a whole counts: the directory may be put before it.
pub(crate) fn files_read<'l>(
    input: &Input<'l>,
    ignore: Option<&Ignore>,
    endings: &[&str],
    roots: &[&str],
) -> Vec<&'l Entry> {
    let is_source = |path: &str| endings.iter().any(|ending| path.ends_with(ending));
    let sources: Vec<String> = input
        .listing
        .entries()
        .iter()
        .filter(|entry| is_source(&entry.path) && !entry.path.ends_with("_test.go"))
        .filter_map(|entry| (input.read)(&entry.path))
        .collect();
    let mut literals: Vec<String> = Vec::new();
    for source in &sources {
        // Every piece between quotes counts; a piece too many only copies a file too many.
        literals.extend(source.split(['"', '`']).map(|piece| piece.trim_start_matches("./").to_owned()));
    }
    let named = |path: &str| {
        literals.iter().any(|literal| {
            let below = |root: &&str| literal.strip_prefix(*root).is_some_and(|tail| tail.starts_with('/'));
            let elsewhere = literal.starts_with('/') && !roots.is_empty() && !roots.iter().any(below);
            let literal = literal.trim_start_matches('/').trim_end_matches(['/', '*']).trim_end_matches('/');
            !literal.is_empty()
                && (literal == path
                    || literal.starts_with(&format!("{path}/"))
                    || (!elsewhere && literal.ends_with(&format!("/{path}"))))
        })
    };
    let source_file = |entry: &Entry| {
        let name = entry.name();
        let manifests = [
            "go.mod",
            "go.sum",
            "go.work",
            "Makefile",
            "CMakeLists.txt",
            "Cargo.toml",
            "Cargo.lock",
            "pom.xml",
            ".dockerignore",
            ".gitignore",
            "plimsoll.toml",
        ];
        is_source(&entry.path)
            || manifests.contains(&name)
            || name.starts_with("Dockerfile")
            || name.starts_with("build.gradle")
    };
    let mut taken: Vec<&'l Entry> = Vec::new();
    for entry in input.listing.entries() {
        let excluded = ignore.is_some_and(|ignore| ignore.is_excluded(&entry.path));
        let below = taken
            .iter()
            .any(|root| entry.path.strip_prefix(root.path.as_str()).is_some_and(|tail| tail.starts_with('/')));
        let hidden = entry.path.starts_with(".git");
        if excluded || below || hidden || source_file(entry) {
            continue;
        }
        let holds_sources =
            entry.kind == EntryKind::Dir && input.listing.below(&entry.path).iter().any(|inner| is_source(&inner.path));
        if named(&entry.path) && !holds_sources {
            taken.push(entry);
        }
    }
    taken
}

fn write(
    input: &Input<'_>,
    sheet: &Sheet<'_>,
    from: usize,
    places: &[Place],
    build: &Build,
    minimal: &str,
) -> Result<Step, NotApplicable> {
    let ignore = input.files.dockerignore.as_deref().map(|text| Ignore::parse(text).0);
    let files = files_read(input, ignore.as_ref(), &[".go"], &[]);
    let mut first = Draft::default();
    let mut last = Draft::default();
    let mut notes = Vec::new();
    let workdir_written = sheet.instructions().any(|(_, instruction)| matches!(instruction.kind, Kind::Workdir(_)));
    let end_workdir = {
        let place = places.last().cloned().unwrap_or_default();
        let last_is = sheet.instructions().last().and_then(|(_, instruction)| match &instruction.kind {
            Kind::Workdir(path) => place.expand(path, sheet.file.escape).and_then(|path| place.absolute(&path)),
            _ => place.workdir.clone(),
        });
        last_is.ok_or_else(|| NotApplicable::because("the image's directory is not known"))?
    };
    let mut copied_to: Option<String> = None;
    for (index, instruction) in sheet.instructions() {
        if index < from {
            first.push(sheet.lead(index)).push(&sheet.body(index));
            continue;
        }
        let gap = if sheet.lead(index).contains('\n') { "\n" } else { "" };
        match &instruction.kind {
            Kind::From(written) => {
                head(sheet, from, instruction, "build", &mut first);
                let name = written.name.as_ref().map(|name| format!(" AS {}", name.as_str())).unwrap_or_default();
                last.push(&format!("FROM {minimal}{name}\n"));
                if !workdir_written {
                    last.push(&format!("\nWORKDIR {end_workdir}\n"));
                }
            }
            Kind::Run(_) if index == build.instruction => {
                let mut edits = static_flags(build, sheet.file.text);
                if !edits.is_empty() {
                    edits.insert(0, Edit::insert(instruction.range.start, STATIC));
                }
                first.push(sheet.lead(index)).push(&sheet.edited(index, &edits));
                last.push(gap).push(&format!("COPY --from=build {0} {0}\n", build.binary));
                let path = format!("CMD [\"{0}\"", build.binary);
                if build.binary.starts_with("/go/bin/") && !sheet.file.text.contains(&path) {
                    // Images of Go look for programs there, and no other does.
                    last.push("ENV PATH=/go/bin:$PATH\n");
                }
                if minimal == "scratch" {
                    last.push("# certificates, for whatever the program asks of others over TLS\n");
                    last.push("COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\n");
                }
                if let Some(root) = &copied_to {
                    if !files.is_empty() {
                        last.push("# what the program reads from its directory while it runs\n");
                    }
                    for entry in &files {
                        let to = format!("{}/{}", root.trim_end_matches('/'), entry.path);
                        last.push(&format!("COPY {} {to}\n", entry.path));
                    }
                } else if !files.is_empty() {
                    return Err(NotApplicable::because(
                        "the files that the program reads are copied in a way that is not understood",
                    ));
                }
            }
            Kind::Run(_) => {
                let text = sheet.bare(index);
                let harmless = ["go mod", "go vet", "go test", "go get", "go generate", "apt-get", "mkdir"];
                if !harmless.iter().any(|known| text.contains(known)) {
                    return Err(NotApplicable::because(format!("what `{}` is for is not known", text.trim_end())));
                }
                if text.contains("apt-get") && text.contains("install") {
                    notes.push("packages of apt are in the first stage only".to_owned());
                }
                first.push(sheet.lead(index)).push(&sheet.body(index));
            }
            Kind::Copy(_) | Kind::Add(_) => {
                let Some(copy) = from_context(instruction) else {
                    return Err(NotApplicable::because("files of another image are copied"));
                };
                if index > build.instruction {
                    last.push(sheet.lead(index)).push(&sheet.body(index));
                    continue;
                }
                let place = places.get(index).cloned().unwrap_or_default();
                if copy.sources.iter().any(|source| clean(source).is_empty()) {
                    let to = place.expand(&copy.destination, sheet.file.escape);
                    copied_to = to.and_then(|to| place.absolute(&to));
                }
                first.push(sheet.lead(index)).push(&sheet.body(index));
            }
            Kind::Workdir(_) => {
                first.push(gap).push(&sheet.bare(index));
                last.push(sheet.lead(index)).push(&sheet.body(index));
            }
            Kind::Arg(_) | Kind::Env(_) if index < build.instruction => {
                first.push(gap).push(&sheet.bare(index));
                last.push(sheet.lead(index)).push(&sheet.body(index));
            }
            Kind::User(user)
                if minimal != "busybox:latest"
                    && user.chars().any(|c| !(c.is_ascii_digit() || c == ':'))
                    && user.as_str() != "root"
                    && (user.as_str() != "nobody" || minimal == "scratch") =>
            {
                return Err(NotApplicable::because(format!("the user {} is made by a command", user.as_str())));
            }
            Kind::Onbuild(_) | Kind::Unknown(_) | Kind::Broken(_) => {
                return Err(NotApplicable::because("an instruction is not understood"));
            }
            _ => drop(last.push(sheet.lead(index)).push(&sheet.body(index))),
        }
    }
    check_command(sheet, build)?;
    let mut text = first;
    text.blank().push(last.finish().trim_start_matches('\n')).push(sheet.tail());
    let (dockerfile, direct) =
        if minimal == "busybox:latest" { (text.finish(), Vec::new()) } else { direct::without_shell(&text.finish()) };
    if direct.iter().any(|change| change.field != ConfigField::Healthcheck) {
        notes.push(direct::NOTE.to_owned());
    }
    for entry in &files {
        notes.push(format!("{} is named in the sources and copied", entry.path));
    }
    let change =
        |field, key: Option<&str>, why: &str| ConfigChange { field, key: key.map(str::to_owned), why: why.to_owned() };
    let env = |key| change(ConfigField::Env, Some(key), "of the image of Go; the program does not need it");
    Ok(Step {
        files: Files { dockerfile, dockerignore: input.files.dockerignore.clone() },
        title: None,
        may_change: vec!["/**".to_owned()],
        config_changes: vec![
            env("GOLANG_VERSION"),
            env("GOPATH"),
            env("GOTOOLCHAIN"),
            env("PATH"),
            change(ConfigField::Env, Some("SSL_CERT_FILE"), "of the minimal base: where its certificates are"),
            change(ConfigField::User, None, "the minimal base writes root as 0"),
            change(ConfigField::Cmd, None, "images of Go have bash as command where none is written"),
        ]
        .into_iter()
        .chain(direct)
        .collect(),
        programs: vec![build.binary.clone()],
        notes,
    })
}

/// The binary must be what CMD or ENTRYPOINT starts, or a path on the way.
fn check_command(sheet: &Sheet<'_>, build: &Build) -> Result<(), NotApplicable> {
    let lines: Vec<String> = sheet
        .instructions()
        .filter_map(|(_, instruction)| match &instruction.kind {
            Kind::Cmd(command) | Kind::Entrypoint(command) => Some(command_line(command)),
            _ => None,
        })
        .collect();
    let name = build.binary.rsplit('/').next().unwrap_or_default();
    if lines.iter().any(|line| line.contains("go run")) {
        return Err(NotApplicable::because("the program is compiled when it starts"));
    }
    let starts = lines.iter().any(|line| line.split([' ', '/', '"', '\'']).any(|word| word == name));
    if starts { Ok(()) } else { Err(NotApplicable::because(format!("nothing starts {}", build.binary))) }
}

/// Why the flags are there.
const STATIC: &str = "# static and without symbols, since the last image has no libraries and no debugger\n";

/// Edits that make the build one without C, paths and symbols.
fn static_flags(build: &Build, text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    // Assignments in front of the command.
    let first = build.link.words.first().map_or(build.link.range.start, |word| word.range.start);
    let set = TextRange { start: build.link.range.start, end: first }.of(text).contains("CGO_ENABLED=");
    let in_env = build.place.env.contains_key("CGO_ENABLED");
    if !set && !in_env {
        edits.push(Edit::insert(build.link.range.start, "CGO_ENABLED=0 "));
    }
    let has = |flag: &str| build.link.words.iter().any(|word| word.text.starts_with(flag));
    let verb = build.link.words.iter().find(|word| matches!(word.text.as_str(), "build" | "install"));
    if let Some(verb) = verb {
        let mut flags = String::new();
        if !has("-trimpath") {
            flags.push_str(" -trimpath");
        }
        if !has("-ldflags") {
            flags.push_str(" -ldflags='-s -w'");
        }
        if !flags.is_empty() {
            edits.push(Edit::replace(TextRange { start: verb.range.end, end: verb.range.end }, flags));
        }
    }
    edits
}
