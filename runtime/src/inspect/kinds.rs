//! What files are, by their paths: what an image could do without, and what it should not hold.

/// A kind of files. A file is of the first that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Of a version control system.
    VersionControl,
    /// Kept by a package manager or tool for its next run.
    Cache,
    /// Logs.
    Log,
    /// Compiled Python and the like, made anew when missing.
    ByteCode,
    /// Manuals, documentation, examples.
    Documentation,
    /// Translations and locale data.
    Locale,
    /// Debug information.
    DebugSymbols,
    /// Headers.
    Header,
    /// Static libraries.
    StaticLibrary,
    /// Certificates.
    Certificate,
    /// Tests of libraries.
    Test,
    /// Source maps.
    SourceMap,
    /// Everything else.
    Other,
}

impl FileKind {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VersionControl => "version control",
            Self::Cache => "caches",
            Self::Log => "logs",
            Self::ByteCode => "byte code",
            Self::Documentation => "documentation",
            Self::Locale => "locales",
            Self::DebugSymbols => "debug symbols",
            Self::Header => "headers",
            Self::StaticLibrary => "static libraries",
            Self::Certificate => "certificates",
            Self::Test => "tests",
            Self::SourceMap => "source maps",
            Self::Other => "other",
        }
    }
}

/// Directories that hold caches, wherever a home may be.
const CACHES: &[&str] = &[
    "/.cache/",
    "/.npm/_cacache/",
    "/.yarn/cache/",
    "/.m2/repository/",
    "/.gradle/caches/",
    "/.cargo/registry/",
    "/.composer/cache/",
    "/.bundle/cache/",
    "/.nuget/packages/",
    "/conda/pkgs/",
    "/pkg/mod/cache/",
    "/.ccache/",
];
const CACHE_ROOTS: &[&str] =
    &["var/cache/", "var/lib/apt/lists/", "usr/local/share/.cache/", "var/lib/dnf/repos/", "tmp/", "var/tmp/"];
const DOCUMENTATION: &[&str] = &[
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/info/",
    "usr/share/gtk-doc/",
    "usr/share/help/",
    "usr/local/share/doc/",
    "usr/local/share/man/",
    "usr/local/man/",
];
const LOCALES: &[&str] = &["usr/share/locale/", "usr/share/i18n/", "usr/lib/locale/", "usr/local/share/locale/"];
/// Folders whose content belongs to libraries, so that tests in them are others'.
const LIBRARIES: &[&str] = &["/site-packages/", "/dist-packages/", "/node_modules/", "/gems/", "/lib/python"];

/// What the file at this path (without leading slash) is.
pub fn kind_of(path: &str) -> FileKind {
    let below = |roots: &[&str]| roots.iter().any(|root| path.starts_with(root));
    let rooted = format!("/{path}");
    let inside = |parts: &[&str]| parts.iter().any(|part| rooted.contains(part));
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if inside(&["/.git/", "/.svn/", "/.hg/", "/.bzr/"]) {
        FileKind::VersionControl
    } else if below(CACHE_ROOTS) || inside(CACHES) {
        FileKind::Cache
    } else if path.starts_with("var/log/") {
        FileKind::Log
    } else if matches!(extension, "pyc" | "pyo" | "elc") || inside(&["/__pycache__/"]) {
        FileKind::ByteCode
    } else if below(DOCUMENTATION) {
        FileKind::Documentation
    } else if below(LOCALES) || (extension == "mo" && inside(&["/LC_MESSAGES/"])) {
        FileKind::Locale
    } else if path.starts_with("usr/lib/debug/") || extension == "debug" {
        FileKind::DebugSymbols
    } else if inside(&["/include/"]) && (matches!(extension, "h" | "hpp" | "hh" | "hxx" | "ipp" | "inc" | "tcc" | "")) {
        FileKind::Header
    } else if matches!(extension, "a" | "la") {
        FileKind::StaticLibrary
    } else if matches!(extension, "crt" | "cer" | "pem") {
        FileKind::Certificate
    } else if inside(LIBRARIES) && inside(&["/test/", "/tests/", "/testing/", "/__tests__/", "/spec/"]) {
        FileKind::Test
    } else if extension == "map" && matches!(name.rsplit('.').nth(1), Some("js" | "css" | "mjs" | "cjs" | "ts")) {
        FileKind::SourceMap
    } else {
        FileKind::Other
    }
}

/// Whether a file of this name usually holds a secret. Examples and public halves are none.
pub fn looks_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let rooted = format!("/{path}");
    let ends = |parts: &[&str]| parts.iter().any(|part| rooted.ends_with(part));
    let env = (name == ".env" || name.starts_with(".env.")) && !ends(&[".example", ".sample", ".template", ".dist"]);
    env || matches!(
        name,
        "id_rsa"
            | "id_dsa"
            | "id_ecdsa"
            | "id_ed25519"
            | ".netrc"
            | "_netrc"
            | ".pgpass"
            | ".git-credentials"
            | ".htpasswd"
            | ".pypirc"
            | "terraform.tfstate"
    ) || ends(&["/.aws/credentials", "/.docker/config.json", "/.kube/config", "/.config/gcloud/credentials.db"])
        || name.ends_with(".kdbx")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_of_the_first_kind_that_fits() {
        for (path, kind) in [
            ("app/.git/objects/pack/x.pack", FileKind::VersionControl),
            ("var/lib/apt/lists/deb.debian.org_x", FileKind::Cache),
            ("root/.cache/pip/http/a", FileKind::Cache),
            ("usr/lib/python3/dist-packages/a/__pycache__/b.cpython-311.pyc", FileKind::ByteCode),
            ("usr/share/doc/bash/README", FileKind::Documentation),
            ("usr/share/locale/de/LC_MESSAGES/bash.mo", FileKind::Locale),
            ("usr/include/stdio.h", FileKind::Header),
            ("usr/lib/x86_64-linux-gnu/libc.a", FileKind::StaticLibrary),
            ("etc/ssl/certs/ca-certificates.crt", FileKind::Certificate),
            ("usr/lib/python3/site-packages/numpy/tests/test_a.py", FileKind::Test),
            ("app/tests/test_a.py", FileKind::Other),
            ("app/static/main.js.map", FileKind::SourceMap),
            ("usr/bin/bash", FileKind::Other),
        ] {
            assert_eq!(kind_of(path), kind, "{path}");
        }
    }

    #[test]
    fn secrets_by_name() {
        for path in ["app/.env", "root/.ssh/id_rsa", "root/.aws/credentials", "app/.env.production"] {
            assert!(looks_secret(path), "{path}");
        }
        for path in ["app/.env.example", "root/.ssh/id_rsa.pub", "etc/environment", "app/credentials"] {
            assert!(!looks_secret(path), "{path}");
        }
    }
}
