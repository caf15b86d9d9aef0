//! Which Debian packages a program needs while it is built and not while it runs.

use super::libraries::BOOKWORM;
use crate::chain::{Chain, Link, dialects};
use plimsoll_parser::Edit;

/// What a final image has in the place of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// The package itself.
    Same,
    /// Nothing.
    Nothing,
    /// The libraries that what was built against it loads.
    Libraries(&'static [&'static str]),
}

/// Compilers, their tools and package managers of languages.
const TOOLS: &[&str] = &[
    "autoconf",
    "automake",
    "autotools-dev",
    "binutils",
    "bison",
    "build-essential",
    "cargo",
    "clang",
    "cmake",
    "cpp",
    "dh-python",
    "dpkg-dev",
    "fakeroot",
    "flex",
    "g++",
    "gcc",
    "gettext",
    "gfortran",
    "libtool",
    "linux-headers-amd64",
    "linux-libc-dev",
    "ant",
    "gradle",
    "maven",
    "llvm",
    "m4",
    "make",
    "meson",
    "nasm",
    "ninja-build",
    "patch",
    "pkg-config",
    "pkgconf",
    "python3-dev",
    "python3-pip",
    "python3-setuptools",
    "python3-venv",
    "python3-virtualenv",
    "python3-wheel",
    "python-pip",
    "python-dev",
    "python-setuptools",
    "python3-all-dev",
    "rustc",
    "swig",
    "virtualenv",
    "yasm",
    "ruby-dev",
    "ruby-all-dev",
    "libc6-dev",
    "libc-dev",
    "libstdc++-12-dev",
    "golang",
    "golang-go",
    "npm",
];

/// Development kits and what runs what they made, whatever the release.
const KITS: &[(&str, &[&str])] = &[
    ("default-jdk", &["default-jre-headless"]),
    ("default-jdk-headless", &["default-jre-headless"]),
    ("openjdk-8-jdk", &["openjdk-8-jre-headless"]),
    ("openjdk-8-jdk-headless", &["openjdk-8-jre-headless"]),
    ("openjdk-11-jdk", &["openjdk-11-jre-headless"]),
    ("openjdk-11-jdk-headless", &["openjdk-11-jre-headless"]),
    ("openjdk-17-jdk", &["openjdk-17-jre-headless"]),
    ("openjdk-17-jdk-headless", &["openjdk-17-jre-headless"]),
    ("openjdk-21-jdk", &["openjdk-21-jre-headless"]),
    ("openjdk-21-jdk-headless", &["openjdk-21-jre-headless"]),
    ("openjdk-25-jdk", &["openjdk-25-jre-headless"]),
    ("openjdk-25-jdk-headless", &["openjdk-25-jre-headless"]),
];

/// Whether installing the package fails where Debian's slim images leave out the folder of manual pages, because its
/// scripts put a link there.
pub(crate) fn wants_manual_pages(package: &str) -> bool {
    let name = package.split(['=', ':', '/']).next().unwrap_or(package);
    name.starts_with("openjdk-")
        || name.starts_with("default-j")
        || name.starts_with("postgresql-client")
        || matches!(name, "ca-certificates-java" | "maven" | "ant" | "gradle")
}

/// What a final image on this release of Debian has in the place of `package` (its name alone or with `=version`).
pub(crate) fn runtime_of(package: &str, release: Option<&str>) -> Runtime {
    let name = package.split(['=', ':', '/']).next().unwrap_or(package);
    if TOOLS.contains(&name) || is_versioned_tool(name) {
        return Runtime::Nothing;
    }
    if let Some((_, run_times)) = KITS.iter().find(|(kit, _)| *kit == name) {
        return Runtime::Libraries(run_times);
    }
    match BOOKWORM.binary_search_by_key(&name, |(dev, _)| *dev).ok().and_then(|at| BOOKWORM.get(at)) {
        // The libraries' names hold versions that are those of one release.
        Some((_, libraries)) if release == Some("bookworm") => Runtime::Libraries(libraries),
        _ => Runtime::Same,
    }
}

/// `gcc-12`, `python3.11-dev`, `ruby3.1-dev`
fn is_versioned_tool(name: &str) -> bool {
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|tail| !tail.is_empty() && tail.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    let between = |head: &str, tail: &str| {
        name.strip_prefix(head)
            .and_then(|rest| rest.strip_suffix(tail))
            .is_some_and(|version| !version.is_empty() && version.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    ["gcc-", "g++-", "cpp-", "clang-", "llvm-", "gfortran-"].iter().any(|prefix| numbered(prefix))
        || between("python", "-dev")
        || between("python", "-venv")
        || between("ruby", "-dev")
}

/// Programs that come with the packages a final image has not.
pub(crate) fn is_build_tool(program: &str) -> bool {
    const PROGRAMS: &[&str] = &[
        "make",
        "cmake",
        "gcc",
        "g++",
        "cc",
        "c++",
        "ld",
        "pip",
        "pip3",
        "python3-config",
        "autoconf",
        "automake",
        "libtool",
        "cargo",
        "rustc",
        "go",
        "meson",
        "ninja",
        "virtualenv",
        "npm",
        "npx",
        "yarn",
        "pnpm",
        "gem",
        "bundle",
        "bundler",
        "configure",
        "javac",
        "jar",
        "mvn",
        "gradle",
        "ant",
        "pkg-config",
        "pipenv",
        "poetry",
        "uv",
    ];
    PROGRAMS.contains(&program)
}

/// The same text, with the folder of manual pages made before a package is installed whose scripts need it, as they
/// do on slim images.
pub(crate) fn with_manual_pages(text: &str) -> String {
    let file = plimsoll_parser::parse(text);
    let dialects = dialects(&file.instructions);
    let mut edits = Vec::new();
    for (index, instruction) in file.instructions.iter().enumerate() {
        let Some(chain) = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default()) else { continue };
        if chain.links.iter().any(|link| link.program() == "mkdir" && link.has("/usr/share/man/man1")) {
            continue;
        }
        let wants = |link: &&Link| {
            let names = super::unneeded::packages(link);
            matches!(link.program(), "apt-get" | "apt")
                && link.verb() == "install"
                && names.iter().filter_map(|at| link.words.get(*at)).any(|word| wants_manual_pages(&word.text))
        };
        if let Some(link) = chain.links.iter().find(wants) {
            edits.push(Edit::insert(link.range.start, "mkdir -p /usr/share/man/man1 && "));
        }
    }
    crate::apply::splice(text, &edits)
}
