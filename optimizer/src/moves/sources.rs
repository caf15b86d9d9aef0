//! Sources that were compiled in a first stage and are read by nothing in the last one.

use super::two_stage::{command_line, files_read, from_context};
use super::{Input, Move, NotApplicable, Step};
use crate::apply::{Level, splice};
use crate::chain::{Chain, dialects};
use crate::files::Files;
use crate::place::{Place, places};
use crate::sheet::Sheet;
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::syntax::{Copy, Healthcheck, Instruction, Kind};
use plimsoll_parser::{Edit, TextRange};

/// The last stage keeps what was compiled and loses what it was compiled from.
pub(crate) struct SourcesBehind;

const SOURCES: &[&str] = &[".go", ".rs", ".java", ".kt", ".c", ".h", ".cc", ".cpp", ".hpp"];
const MANIFESTS: &[&str] = &[
    "Makefile",
    "CMakeLists.txt",
    "go.mod",
    "go.sum",
    "Cargo.toml",
    "Cargo.lock",
    "pom.xml",
    "build.gradle",
    "configure",
    "configure.ac",
    "meson.build",
];
const COMPILERS: &[&str] = &[
    "go", "cargo", "javac", "mvn", "mvnw", "gradle", "gradlew", "gcc", "g++", "cc", "c++", "clang", "clang++", "make",
    "cmake", "ninja",
];

impl Move for SourcesBehind {
    fn name(&self) -> &'static str {
        "sources-behind"
    }
    fn title(&self) -> &'static str {
        "sources left in the first stage"
    }
    fn explain(&self) -> &'static str {
        "What was compiled needs its sources no more: the last stage no longer copies them. Relies on the program reading \
         no file of theirs; where the sources name one in a string, the step is not taken."
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
        let from = stages.last().copied().filter(|_| stages.len() > 1);
        let from = from.ok_or_else(|| NotApplicable::because("there is no first stage that compiles"))?;
        compiles_and_runs(&sheet, from)?;
        let places = places(&sheet.file, input.base);
        let gone = sources(&sheet, &places, from, input);
        if gone.is_empty() {
            return Err(NotApplicable::because("the last stage copies no sources"));
        }
        let products = sheet.instructions().skip(from + 1).any(|(index, instruction)| {
            matches!(&instruction.kind, Kind::Copy(copy) if copy.from.is_some())
                && !gone.iter().any(|(at, _)| *at == index)
        });
        if !products {
            return Err(NotApplicable::because("nothing but the sources goes on to the last stage"));
        }
        starts_none_of_them(&sheet, from, input, &gone)?;
        let ignore = input.files.dockerignore.as_deref().map(|text| Ignore::parse(text).0);
        let roots: Vec<&str> = gone.iter().map(|(_, path)| path.trim_end_matches('/')).collect();
        if let Some(read) = files_read(input, ignore.as_ref(), SOURCES, &roots).first() {
            return Err(NotApplicable::because(format!("{} is named in the sources", read.path)));
        }
        let edits: Vec<Edit> = gone.iter().map(|(index, _)| Edit::delete(what_goes(&sheet, *index))).collect();
        Ok(Step {
            may_change: gone
                .iter()
                .flat_map(|(_, path)| [path.clone(), format!("{}/**", path.trim_end_matches('/'))])
                .collect(),
            ..Step::of(Files {
                dockerfile: splice(&input.files.dockerfile, &edits),
                dockerignore: input.files.dockerignore.clone(),
            })
        })
    }
}

/// The instruction with its comments; without them where they speak of the next one too.
fn what_goes(sheet: &Sheet<'_>, index: usize) -> TextRange {
    let fetches = |index: usize| {
        sheet
            .instruction(index)
            .is_some_and(|instruction| matches!(&instruction.kind, Kind::Copy(copy) if copy.from.is_some()))
    };
    match sheet.instruction(index) {
        Some(instruction) if fetches(index) && fetches(index + 1) && sheet.lead(index + 1).is_empty() => {
            let rest = sheet.file.text.get(instruction.range.end as usize..).unwrap_or_default();
            let line_end = u32::try_from(rest.find('\n').map_or(rest.len(), |at| at + 1)).unwrap_or_default();
            TextRange { start: instruction.range.start, end: instruction.range.end + line_end }
        }
        _ => sheet.paragraph(index),
    }
}

/// Refuses where no earlier stage compiles, or where a RUN of the last one may read what is copied.
fn compiles_and_runs(sheet: &Sheet<'_>, from: usize) -> Result<(), NotApplicable> {
    let dialects = dialects(&sheet.file.instructions);
    let mut compiles = false;
    for (index, instruction) in sheet.instructions() {
        if !matches!(instruction.kind, Kind::Run(_)) {
            continue;
        }
        let chain = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default());
        if index < from {
            compiles |= chain.iter().flat_map(|chain| &chain.links).any(|link| COMPILERS.contains(&link.program()));
            continue;
        }
        let harmless =
            ["apt-get", "apt", "rm", "ldconfig", "mkdir", "useradd", "groupadd", "adduser", "addgroup", "cd"];
        let known = chain.is_some_and(|chain| chain.links.iter().all(|link| harmless.contains(&link.program())));
        if !known {
            let text = sheet.bare(index);
            let line = text.lines().next().unwrap_or_default().to_owned();
            return Err(NotApplicable::because(format!("`{line}` may read the sources")));
        }
    }
    if compiles { Ok(()) } else { Err(NotApplicable::because("no first stage compiles anything")) }
}

/// The COPYs of the last stage that bring sources, and where they bring them to: those of the context that a first stage
/// has word for word, and the folder that they were copied to there.
fn sources(sheet: &Sheet<'_>, places: &[Place], from: usize, input: &Input<'_>) -> Vec<(usize, String)> {
    let into = |index: usize, instruction: &Instruction<'_>| {
        let (Kind::Copy(copy) | Kind::Add(copy)) = &instruction.kind else { return None };
        let place = places.get(index)?;
        place.absolute(&place.expand(&copy.destination, sheet.file.escape)?)
    };
    let earlier: Vec<(String, Option<String>)> = sheet
        .instructions()
        .take(from)
        .filter(|(_, instruction)| from_context(instruction).is_some())
        .map(|(index, instruction)| (sheet.bare(index), into(index, instruction)))
        .collect();
    let mut gone = Vec::new();
    for (index, instruction) in sheet.instructions().skip(from + 1) {
        let Some(to) = into(index, instruction).filter(|to| to != "/") else { continue };
        let same = from_context(instruction).is_some_and(|copy| has_sources(copy, input))
            && earlier.iter().any(|(text, _)| *text == sheet.bare(index));
        let folder = matches!(&instruction.kind, Kind::Copy(copy) if copy.from.is_some()
            && copy.sources.iter().all(|source| source.as_str() == to))
            && earlier.iter().any(|(_, into)| into.as_deref() == Some(to.as_str()));
        if same || folder {
            gone.push((index, to));
        }
    }
    gone
}

/// Whether a COPY brings anything that a compiler reads; what is only data has another reason to be in the image.
fn has_sources(copy: &Copy<'_>, input: &Input<'_>) -> bool {
    let compiled = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        SOURCES.iter().any(|end| name.ends_with(end)) || MANIFESTS.contains(&name)
    };
    copy.sources.iter().any(|source| {
        let source = plimsoll_analyzer::context::clean(source);
        compiled(&source)
            || source.contains(['*', '?', '$'])
            || input.listing.entries().iter().any(|entry| {
                let inside = source.is_empty()
                    || entry.path.strip_prefix(source.as_str()).is_some_and(|tail| tail.starts_with('/'));
                inside && compiled(&entry.path)
            })
    })
}

/// Refuses where a command of the image names a file that would be gone.
fn starts_none_of_them(
    sheet: &Sheet<'_>,
    from: usize,
    input: &Input<'_>,
    gone: &[(usize, String)],
) -> Result<(), NotApplicable> {
    for (index, instruction) in sheet.instructions().skip(from + 1) {
        let command = match &instruction.kind {
            Kind::Cmd(command) | Kind::Entrypoint(command) => command,
            Kind::Healthcheck(Healthcheck::Cmd { command, .. }) => command,
            _ => continue,
        };
        let line = command_line(command);
        for word in line.split([' ', '"', '\'', '=']).filter(|word| !word.is_empty()) {
            let relative = word.trim_start_matches("./");
            let there = input.listing.get(relative).is_some() || gone.iter().any(|(at, to)| {
                let taken =
                    matches!(sheet.instruction(*at).map(|i| &i.kind), Some(Kind::Copy(copy)) if copy.from.is_some());
                let tail = word.strip_prefix(to.as_str()).filter(|tail| tail.starts_with('/'));
                tail.is_some_and(|tail| taken || input.listing.get(tail.trim_start_matches('/')).is_some())
            });
            if there {
                let keyword = sheet.instruction(index).map_or("", |instruction| instruction.keyword.as_str());
                return Err(NotApplicable::because(format!("{keyword} names {word}")));
            }
        }
    }
    Ok(())
}
