//! The general case: what the layers of a built image say that its commands wrote goes on, whoever wrote it.

use super::{Around, Does, Ecosystem, Found, Prelude, command_line, compiled, from_context};
use crate::bases::{BaseImage, BaseKind};
use crate::chain::{Chain, Link, dialects};
use crate::moves::{ConfigChange, Input, Made, MadeKind, NotApplicable};
use crate::place::Place;
use crate::sheet::Sheet;
use plimsoll_parser::syntax::{Healthcheck, Kind};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Products;

/// Commands that change the distribution itself: the last stage has one of its own, so they run there too.
const SYSTEM: &[&str] = &[
    "apt-get",
    "apt",
    "apt-key",
    "add-apt-repository",
    "dpkg",
    "dpkg-reconfigure",
    "debconf-set-selections",
    "useradd",
    "groupadd",
    "adduser",
    "addgroup",
    "usermod",
    "groupmod",
    "passwd",
    "chpasswd",
    "locale-gen",
    "localedef",
    "update-locale",
    "update-ca-certificates",
    "update-alternatives",
    "update-rc.d",
    "a2enmod",
    "a2dismod",
    "a2ensite",
    "a2dissite",
    "a2enconf",
    "a2disconf",
    "phpenmod",
    "phpdismod",
    "lighttpd-enable-mod",
    "lighty-enable-mod",
    "setcap",
    "systemctl",
    "service",
    "curl",
    "wget",
    "gpg",
];

/// What the distribution's own commands keep for themselves, caches, and what only compiles.
fn is_junk(path: &str) -> bool {
    const BELOW: &[&str] = &[
        "/tmp/",
        "/var/tmp/",
        "/var/cache/",
        "/var/log/",
        "/var/lib/apt/",
        "/var/lib/dpkg/",
        "/root/",
        "/run/",
        "/go/pkg/",
        "/usr/local/include/",
        "/usr/local/man/",
        "/usr/local/share/man/",
        "/usr/local/share/doc/",
        "/usr/local/share/info/",
        "/usr/local/lib/pkgconfig/",
        "/usr/local/lib/cmake/",
        "/usr/local/cargo/registry/",
        "/usr/local/cargo/git/",
        "/usr/local/rustup/",
    ];
    const FILES: &[&str] = &["passwd", "group", "shadow", "gshadow", "subuid", "subgid", "ld.so.cache", ".pwd.lock"];
    let etc = path.strip_prefix("/etc/").is_some_and(|name| FILES.contains(&name.trim_end_matches('-')));
    BELOW.iter().any(|folder| path.starts_with(folder) || folder.trim_end_matches('/') == path)
        || etc
        || path.contains("/__pycache__/")
        || (path.contains("/lib") && [".a", ".la"].iter().any(|end| path.ends_with(end)))
}

/// Where a layer that also installed packages holds what no package brought.
fn is_nobodys(path: &str) -> bool {
    const DISTRIBUTION: &[&str] =
        &["bin", "boot", "etc", "lib", "lib32", "lib64", "libx32", "run", "sbin", "usr", "var", "root"];
    let top = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    path.starts_with("/usr/local/") || path.starts_with("/var/www/") || !DISTRIBUTION.contains(&top)
}

/// What compilers leave on their way to a program.
fn is_intermediate(path: &str) -> bool {
    const ENDINGS: &[&str] = &[
        ".o",
        ".d",
        ".a",
        ".lo",
        ".la",
        ".gch",
        ".rlib",
        ".rmeta",
        ".log",
        ".status",
        ".m4",
        ".in",
        ".cmake",
        ".ninja",
        ".make",
        ".class.uniqueId0",
        ".am",
        ".obj",
        ".dwo",
        ".gcno",
        ".pc",
        ".marks",
        ".internal",
        ".txt.check",
    ];
    const FOLDERS: &[&str] = &[
        "/CMakeFiles/",
        "/autom4te.cache/",
        "/.deps/",
        "/.git/",
        "/target/release/deps/",
        "/target/release/build/",
        "/target/release/incremental/",
        "/target/release/.fingerprint/",
        "/target/debug/deps/",
        "/target/debug/build/",
        "/target/debug/incremental/",
        "/target/debug/.fingerprint/",
        "/target/debug/examples/",
        "/meson-private/",
        "/meson-logs/",
        "/meson-info/",
        ".p/",
    ];
    const NAMES: &[&str] = &[
        "CMakeCache.txt",
        "Makefile",
        "configure",
        "config.h",
        "config.guess",
        "config.sub",
        "libtool",
        "stamp-h1",
        "install_manifest.txt",
        "ltmain.sh",
        "install-sh",
        "missing",
        "depcomp",
        "compile",
        "ar-lib",
        "test-driver",
        "compile_commands.json",
        ".ninja_deps",
        ".ninja_log",
        "CACHEDIR.TAG",
        ".rustc_info.json",
        ".cargo-lock",
        "Cargo.lock",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    NAMES.contains(&name)
        || ENDINGS.iter().any(|end| name.ends_with(end))
        || FOLDERS.iter().any(|folder| path.contains(folder))
}

/// What a context has for compilers alone.
fn is_source(path: &str) -> bool {
    const ENDINGS: &[&str] = &[
        ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".rs", ".go", ".java", ".kt", ".s", ".S", ".f90", ".zig",
        ".am", ".ac", ".m4", ".in", ".cmake", ".mk",
    ];
    const NAMES: &[&str] = &[
        "Makefile",
        "makefile",
        "GNUmakefile",
        "CMakeLists.txt",
        "configure",
        "meson.build",
        "Cargo.toml",
        "Cargo.lock",
        "go.mod",
        "go.sum",
        "pom.xml",
        "build.gradle",
        "autogen.sh",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    NAMES.contains(&name) || ENDINGS.iter().any(|end| name.ends_with(end))
}

fn below(path: &str, folder: &str) -> bool {
    path == folder || path.strip_prefix(folder.trim_end_matches('/')).is_some_and(|tail| tail.starts_with('/'))
}

/// What a RUN is to this move.
enum Kinds {
    /// All of it changes the distribution, or nothing of it is about what was compiled.
    Stays,
    /// Compiles, or goes on with what was compiled; whether it also installs packages.
    Works { installs_packages: bool },
}

fn kind_of(sheet: &Sheet<'_>, index: usize, chain: Option<&Chain>, place: &Place, works: &[String]) -> Kinds {
    let Some(chain) = chain else {
        let text = sheet.bare(index);
        return if works_text(&text, works) { Kinds::Works { installs_packages: false } } else { Kinds::Stays };
    };
    let installs_packages = chain.links.iter().any(|link| matches!(link.program(), "apt-get" | "apt" | "dpkg"));
    let mut place = place.clone();
    for link in &chain.links {
        if is_build(link) || touches(link, &place, works) {
            return Kinds::Works { installs_packages };
        }
        if let ("cd", [to]) = (link.program(), link.args()) {
            place.workdir = place.absolute(&to.text);
        }
    }
    Kinds::Stays
}

/// Programs that write programs.
const COMPILERS: &[&str] = &[
    "make",
    "cmake",
    "gcc",
    "g++",
    "cc",
    "c++",
    "clang",
    "clang++",
    "ld",
    "autoconf",
    "automake",
    "autoreconf",
    "libtool",
    "autogen.sh",
    "configure",
    "meson",
    "ninja",
    "cargo",
    "rustc",
    "rustup",
    "go",
    "javac",
    "jar",
    "mvn",
    "mvnw",
    "gradle",
    "gradlew",
    "ant",
];

fn is_build(link: &Link) -> bool {
    COMPILERS.contains(&link.program())
}

fn works_text(text: &str, works: &[String]) -> bool {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || "+._-/".contains(c)));
    words.any(|word| {
        let program = word.rsplit('/').next().unwrap_or_default();
        COMPILERS.contains(&program) || works.iter().any(|path| word.starts_with('/') && below(word, path))
    })
}

/// Whether a command is about a path that compiling wrote, or that it read.
fn touches(link: &Link, place: &Place, works: &[String]) -> bool {
    if SYSTEM.contains(&link.program()) {
        return false;
    }
    link.args().iter().filter(|word| !word.text.starts_with('-')).any(|word| {
        let plain = word.text.split(['*', '$', '{']).next().unwrap_or_default();
        let absolute = place.absolute(if plain.is_empty() { "." } else { plain });
        absolute.is_some_and(|path| works.iter().any(|work| below(&path, work)))
    })
}

/// Where compiling took place up to each instruction: directories that commands ran in, and what they wrote.
fn working(sheet: &Sheet<'_>, places: &[Place], input: &Input<'_>, until: usize) -> Vec<String> {
    let dialects = dialects(&sheet.file.instructions);
    let mut works: Vec<String> = consumed(sheet, places, input);
    for (index, instruction) in sheet.instructions().take(until) {
        let Kind::Run(_) = &instruction.kind else { continue };
        let place = places.get(index).cloned().unwrap_or_default();
        let chain = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default());
        if let Kinds::Works { installs_packages } = kind_of(sheet, index, chain.as_ref(), &place, &works) {
            let here = place.workdir.clone().filter(|path| path != "/");
            works.extend(here.filter(|path| sources(sheet, places, index).iter().any(|to| below(path, to))));
            let made = (input.made)(index).unwrap_or_default();
            let files = made
                .into_iter()
                .filter(|made| matches!(made.kind, MadeKind::File | MadeKind::Link) && !is_junk(&made.path));
            works.extend(files.map(|made| made.path).filter(|path| !installs_packages || is_nobodys(path)));
        }
    }
    works
}

/// What COPYs brought and a later command removed again: whoever reads it does so for the build.
fn consumed(sheet: &Sheet<'_>, places: &[Place], input: &Input<'_>) -> Vec<String> {
    let copied: Vec<usize> = sheet
        .instructions()
        .filter(|(index, instruction)| {
            let place = places.get(*index).cloned().unwrap_or_default();
            let to = from_context(instruction).and_then(|copy| place.expand(&copy.destination, sheet.file.escape));
            to.and_then(|to| place.absolute(&to)).is_some()
        })
        .map(|(index, _)| index)
        .collect();
    let files: BTreeSet<String> = copied
        .iter()
        .flat_map(|index| (input.made)(*index).unwrap_or_default())
        .filter(|made| matches!(made.kind, MadeKind::File | MadeKind::Link | MadeKind::NewDir))
        .map(|made| made.path)
        .collect();
    let runs = sheet.instructions().filter(|(_, instruction)| matches!(instruction.kind, Kind::Run(_)));
    let gone = runs.flat_map(|(index, _)| (input.made)(index).unwrap_or_default());
    gone.filter(|made| made.kind == MadeKind::Gone && files.contains(&made.path)).map(|made| made.path).collect()
}

/// Where COPYs before `until` bring files of the context to.
fn sources(sheet: &Sheet<'_>, places: &[Place], until: usize) -> Vec<String> {
    let copies = sheet.instructions().take(until).filter_map(|(index, instruction)| {
        let copy = from_context(instruction)?;
        let place = places.get(index)?;
        place.absolute(&place.expand(&copy.destination, sheet.file.escape)?)
    });
    copies.filter(|path| path != "/").collect()
}

impl Ecosystem for Products {
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable> {
        if matches!(link.program(), "apt-get" | "apt")
            && matches!(link.verb(), "purge" | "remove" | "autoremove" | "autopurge")
        {
            // What it removes is not in the last stage.
            return Ok(Does::Serves);
        }
        let cleans =
            |path: &str| ["/tmp/", "/var/tmp/", "/var/lib/apt/", "/var/cache/"].iter().any(|own| path.starts_with(own));
        let mut paths = link.args().iter().filter(|word| !word.text.starts_with('-'));
        if link.program() == "rm"
            && paths.clone().any(|word| word.text.starts_with("/tmp/"))
            && paths.all(|word| cleans(&word.text))
        {
            // Nothing of it is in the last stage.
            return Ok(Does::Serves);
        }
        if link.program() == "ldconfig" {
            return Ok(Does::Serves);
        }
        if SYSTEM.contains(&link.program()) || super::apt::Apt::is_part(link) {
            return Ok(Does::Other);
        }
        let sheet = Sheet::of(&around.input.files.dockerfile);
        let places = crate::place::places(&sheet.file, around.input.base);
        let chain = sheet
            .instruction(around.index)
            .and_then(|run| Chain::of(run, dialects(&sheet.file.instructions).get(around.index).copied()?));
        let works = working(&sheet, &places, around.input, around.index);
        let place = places.get(around.index).cloned().unwrap_or_default();
        Ok(match kind_of(&sheet, around.index, chain.as_ref(), &place, &works) {
            Kinds::Works { .. } => Does::Installs(Vec::new()),
            Kinds::Stays => Does::Other,
        })
    }

    fn text(&self, index: usize, text: &str, around: &Around<'_>) -> Result<Option<Does>, NotApplicable> {
        let sheet = Sheet::of(&around.input.files.dockerfile);
        let places = crate::place::places(&sheet.file, around.input.base);
        let works = working(&sheet, &places, around.input, index);
        if !works_text(text, &works) {
            return Ok(None);
        }
        let mut words = text.split(|c: char| !(c.is_alphanumeric() || "+._-".contains(c)));
        match words.find(|word| SYSTEM.contains(word) && !matches!(*word, "curl" | "wget" | "gpg" | "service")) {
            Some(word) => Err(NotApplicable::because(format!(
                "a RUN that compiles and has {word} is more than commands joined by &&"
            ))),
            None => Ok(Some(Does::Installs(Vec::new()))),
        }
    }

    fn found(
        &self,
        sheet: &Sheet<'_>,
        places: &[Place],
        input: &Input<'_>,
        base: &BaseImage,
    ) -> Result<Option<Found>, NotApplicable> {
        look(sheet, places, input, base).map(Some)
    }

    fn knows_owners(&self) -> bool {
        true
    }
    fn prelude(&self, products: &BTreeSet<String>, around: &Around<'_>) -> Prelude {
        // Where the compiler's image looks for programs, and no other does.
        let path = around.place.env.get("PATH").map(String::as_str).unwrap_or_default();
        let own = ["/go/bin", "/usr/local/cargo/bin"].into_iter().filter(|folder| {
            path.split(':').any(|known| known == *folder) && products.iter().any(|path| below(path, folder))
        });
        let last = own.map(|folder| format!("ENV PATH={folder}:$PATH\n")).collect();
        Prelude { last, ..Prelude::default() }
    }
    fn implied(&self, _package: &str) -> Option<&'static str> {
        None
    }
    fn behind(&self, link: &Link, around: &Around<'_>) -> Vec<String> {
        compiled::Compiler.behind(link, around)
    }
    fn comment(&self) -> &'static str {
        "what was built; compilers, headers and sources stay behind"
    }
    fn variables(&self) -> &'static [&'static str] {
        &["GO", "CGO", "CARGO", "RUST", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "JAVA_", "MAVEN_", "CMAKE_"]
    }
    fn last_base(&self, base: &BaseImage, available: &dyn Fn(&str) -> bool) -> Option<String> {
        compiled::Compiler.last_base(base, available)
    }
    fn base_changes(&self, base: &BaseImage) -> Vec<ConfigChange> {
        compiled::Compiler.base_changes(base)
    }
    fn objection(&self, sheet: &Sheet<'_>, products: &BTreeSet<String>) -> Option<String> {
        compiled::Compiler.objection(sheet, products)
    }
}

/// Files by path with who owns them.
type Owned = BTreeMap<String, (u32, u32)>;

fn look(sheet: &Sheet<'_>, places: &[Place], input: &Input<'_>, base: &BaseImage) -> Result<Found, NotApplicable> {
    let dialects = dialects(&sheet.file.instructions);
    let mut files: Owned = Owned::new();
    let mut folders: BTreeSet<String> = BTreeSet::new();
    let mut empty: BTreeSet<String> = BTreeSet::new();
    let mut links: BTreeSet<String> = BTreeSet::new();
    let mut gone: Vec<String> = Vec::new();
    let mut ldconfig = false;
    let mut builds = false;
    let from = sheet.stages().first().copied().unwrap_or_default();
    for (index, instruction) in sheet.instructions().skip(from + 1) {
        let layered = matches!(instruction.kind, Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) | Kind::Workdir(_));
        if !layered {
            continue;
        }
        // An instruction that changed nothing has no layer.
        let made = (input.made)(index).unwrap_or_default();
        let chain = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default());
        ldconfig |= chain.iter().flat_map(|chain| &chain.links).any(|link| link.program() == "ldconfig");
        let place = places.get(index).cloned().unwrap_or_default();
        let works = working(sheet, places, input, index);
        let kind = match &instruction.kind {
            Kind::Run(_) => kind_of(sheet, index, chain.as_ref(), &place, &works),
            _ => Kinds::Stays,
        };
        let Kinds::Works { installs_packages } = kind else {
            let new = made.iter().filter(|made| made.kind == MadeKind::NewDir && is_nobodys(&made.path));
            folders.extend(new.map(|made| made.path.clone()));
            continue;
        };
        builds = true;
        if made.is_empty() && (input.made)(index).is_none() && !chain.as_ref().is_some_and(only_looks) {
            // Nothing written by one of several commands is fine; nothing known of any is not.
            continue;
        }
        for Made { path, kind, owner } in made {
            let wanted = !is_junk(&path) && (!installs_packages || is_nobodys(&path));
            match kind {
                MadeKind::Gone => {
                    files.retain(|file, _| !below(file, &path));
                    empty.retain(|folder| !below(folder, &path));
                    gone.push(path);
                }
                MadeKind::File if wanted => drop(files.insert(path, owner)),
                MadeKind::Link if wanted => {
                    links.insert(path.clone());
                    files.insert(path, owner);
                }
                MadeKind::NewDir if wanted => {
                    folders.insert(path.clone());
                    empty.insert(path);
                }
                _ => {}
            }
        }
    }
    if !builds {
        return Err(NotApplicable::because("nothing here is compiled"));
    }
    if files.is_empty() {
        return Err(NotApplicable::because("what its commands wrote is not known: the file was not built here"));
    }
    let context = sources(sheet, places, usize::MAX);
    let in_sources = |path: &str| context.iter().any(|to| below(path, to));
    let all: Vec<String> = files.keys().chain(&empty).cloned().collect();
    files.retain(|path, _| !in_sources(path) || !(is_intermediate(path) || is_source(path)));
    let started = what_starts(sheet, input);
    let outside: BTreeSet<String> = files.keys().filter(|path| !in_sources(path)).map(|path| name_of(path)).collect();
    let named = files.keys().filter(|path| in_sources(path)).any(|path| {
        // A bare name is looked for where programs are installed.
        let installed = outside.contains(&name_of(path));
        started.iter().any(|word| (!installed || word.contains('/')) && is_started(path, word))
    });
    let outside = !outside.is_empty();
    if outside && !named {
        files.retain(|path, _| !in_sources(path));
    }
    if files.is_empty() {
        return Err(NotApplicable::because("its commands left nothing that the program could be"));
    }
    if let Some(path) =
        files.keys().find(|path| ["/lib/x86_64-linux-gnu/libc.", "/bin/sh"].iter().any(|own| path.contains(own)))
    {
        return Err(NotApplicable::because(format!("{path} of the distribution is changed")));
    }
    empty.retain(|folder| !in_sources(folder) && !files.keys().any(|path| below(path, folder)));
    empty.retain(|folder| !is_intermediate(&format!("{folder}/")));
    let (products, owners) = collapse(&files, &empty, &folders, &links, &context, base);
    if let Some(link) = products.iter().find(|path| links.contains(*path)) {
        return Err(NotApplicable::because(format!("{link} is a symbolic link among files of the distribution")));
    }
    if products.len() > 24 {
        return Err(NotApplicable::because(format!(
            "what was built lies in {} places; install it into a folder of its own",
            products.len()
        )));
    }
    // What stays behind: folders of which nothing goes on as such, other files one by one.
    let kept = |path: &str| files.keys().chain(&empty).any(|file| below(file, path) || below(path, file));
    let mut behind: BTreeSet<String> = BTreeSet::new();
    for path in all.iter().filter(|path| !kept(path)) {
        let ancestors = path.match_indices('/').skip(1).filter_map(|(at, _)| path.get(..at));
        let whole = ancestors
            .into_iter()
            .find(|folder| folders.contains(*folder) && !kept(folder) && !context.iter().any(|to| below(to, folder)));
        let whole = whole.unwrap_or(path);
        behind.extend([whole.to_owned(), format!("{whole}/**")]);
    }
    let libraries = files
        .keys()
        .any(|path| path.starts_with("/usr/local/lib/") && path.matches('/').count() == 4 && path.contains(".so"));
    let sources_only = sources_alone(sheet, places, input);
    for index in &sources_only {
        let made = (input.made)(*index).unwrap_or_default();
        behind.extend(
            made.into_iter().filter(|made| made.kind != MadeKind::Dir && !kept(&made.path)).map(|made| made.path),
        );
    }
    Ok(Found { products, owners, gone, behind, ldconfig: ldconfig || libraries, sources: sources_only })
}

/// Whether none of the commands writes anything.
fn only_looks(chain: &Chain) -> bool {
    chain.links.iter().all(|link| link.args().iter().any(|word| word.text.contains("version")))
}

/// COPYs that bring nothing but what compilers read.
fn sources_alone(sheet: &Sheet<'_>, places: &[Place], input: &Input<'_>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let ignore = input.files.dockerignore.as_deref().map(|text| plimsoll_parser::dockerignore::Ignore::parse(text).0);
    for (index, instruction) in sheet.instructions() {
        let Some(copy) = from_context(instruction) else { continue };
        let Some(place) = places.get(index) else { continue };
        let mut any = false;
        let all = copy.sources.iter().all(|source| {
            let Some(source) = place.expand(source, sheet.file.escape) else { return false };
            let source = plimsoll_analyzer::context::clean(&source);
            if source.contains(['*', '?', '[']) {
                any = true;
                return is_source(&source);
            }
            let mut entries = input.listing.kept(ignore.as_ref()).filter(|entry| {
                entry.kind == plimsoll_analyzer::context::EntryKind::File
                    && (source.is_empty() || below(&format!("/{}", entry.path), &format!("/{source}")))
                    && !entry.name().starts_with("Dockerfile")
                    && !entry.name().starts_with('.')
                    && !matches!(entry.name(), "README.md" | "README" | "LICENSE" | "plimsoll.toml")
            });
            entries.all(|entry| {
                any = true;
                is_source(&entry.path)
            })
        });
        if all && any {
            found.insert(index);
        }
    }
    found
}

/// The words of what an image starts, and of the shell scripts of the context.
fn what_starts(sheet: &Sheet<'_>, input: &Input<'_>) -> Vec<String> {
    let mut words = Vec::new();
    let mut take = |text: &str| {
        let split = text.split(|c: char| c.is_whitespace() || "\"'=:;&|()[],`".contains(c));
        words.extend(split.filter(|word| word.len() > 1).map(str::to_owned));
    };
    for (_, instruction) in sheet.instructions() {
        match &instruction.kind {
            Kind::Cmd(command) | Kind::Entrypoint(command) => take(&command_line(command)),
            Kind::Healthcheck(Healthcheck::Cmd { command, .. }) => take(&command_line(command)),
            Kind::Env(pairs) => pairs.iter().for_each(|pair| take(&pair.value)),
            _ => {}
        }
    }
    for entry in input.listing.entries().iter().filter(|entry| entry.size < 1 << 16) {
        if [".sh", ".conf", ".ini", ".service"].iter().any(|end| entry.path.ends_with(end))
            && let Some(text) = (input.read)(&entry.path)
        {
            take(&text);
        }
    }
    words
}

fn is_started(path: &str, word: &str) -> bool {
    let word = word.trim_start_matches("./");
    word == path
        || path.ends_with(&format!("/{word}"))
        || (!word.starts_with('/') && word.ends_with(&format!("/{}", name_of(path))))
        || (word.starts_with('/') && word.len() > 4 && below(path, word))
}

fn name_of(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The fewest paths that hold these files and nothing of the distribution: folders that did not exist before, or files.
fn collapse(
    files: &Owned,
    empty: &BTreeSet<String>,
    folders: &BTreeSet<String>,
    links: &BTreeSet<String>,
    context: &[String],
    base: &BaseImage,
) -> (BTreeSet<String>, BTreeMap<String, String>) {
    let mut products: BTreeMap<String, BTreeSet<(u32, u32)>> = BTreeMap::new();
    for (path, owner) in files.iter().map(|(path, owner)| (path, *owner)).chain(empty.iter().map(|path| (path, (0, 0))))
    {
        let ancestors = path.match_indices('/').skip(1).filter_map(|(at, _)| path.get(..at));
        // A folder with what the context brought is more than what was built.
        let mixed = |folder: &str| context.iter().any(|to| below(folder, to) || below(to, folder));
        let whole = ancestors.into_iter().find(|folder| folders.contains(*folder) && !mixed(folder));
        products.entry(whole.unwrap_or(path).to_owned()).or_default().insert(owner);
    }
    // COPY follows a link that it is given by name, and keeps those of a folder.
    let compilers = |folder: &str| {
        matches!(base.kind, BaseKind::Golang | BaseKind::Rust) && ["/usr/local", "/usr/local/bin"].contains(&folder)
    };
    let mut gather = |folder: &str, when: &dyn Fn(&[String]) -> bool| {
        let inside: Vec<String> = products.keys().filter(|path| below(path, folder)).cloned().collect();
        if when(&inside) && !compilers(folder) {
            let owners = inside.iter().filter_map(|path| products.remove(path)).flatten().collect();
            products.insert(folder.to_owned(), owners);
        }
    };
    for folder in ["/usr/local/bin", "/usr/local/lib", "/usr/local/sbin"] {
        gather(folder, &|inside| inside.iter().any(|path| links.contains(path)));
    }
    gather("/usr/local", &|inside| inside.len() > 4);
    let owners = products
        .iter()
        .filter_map(|(path, owners)| {
            let [(uid, gid)] = owners.iter().copied().collect::<Vec<_>>()[..] else { return None };
            ((uid, gid) != (0, 0)).then(|| (path.clone(), format!("{uid}:{gid}")))
        })
        .collect();
    (products.into_keys().collect(), owners)
}
