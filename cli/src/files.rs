//! Reading and writing files: nothing is lost or half-written.

use miette::{IntoDiagnostic, Result, WrapErr, miette};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The name shown for standard input.
pub const STDIN: &str = "-";

/// The bytes of `path`, or of standard input for `-`.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str() == STDIN {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).into_diagnostic().wrap_err("failed to read standard input")?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

/// A path as people would write it from where they are.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    here.as_deref().unwrap_or(path).display().to_string().trim_start_matches("./").to_owned()
}

/// Why a file could not be read and what to do.
pub fn unreadable(path: &Path, error: &std::io::Error) -> miette::Report {
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => "check the path; `-` reads standard input",
        std::io::ErrorKind::PermissionDenied => "the user who runs plimsoll may not read it",
        std::io::ErrorKind::IsADirectory => "name a file, not a folder",
        _ => "the file system answered with this error",
    };
    miette!(help = help, "failed to read {}: {error}", path.display())
}

/// Replaces `path` by `contents` through a temporary file beside it, keeping its mode; a link stays a link.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<()> {
    replace_with(path, |file| Ok(file.write_all(contents)?))
}

/// The same for what is written bit by bit.
pub fn replace_with(path: &Path, write: impl FnOnce(&mut std::fs::File) -> Result<(), Unwritten>) -> Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed =
        |error: &std::io::Error| miette!(help = "nothing was changed", "failed to write {}: {error}", path.display());
    let mut file = tempfile::Builder::new().prefix(".plimsoll-").tempfile_in(folder).map_err(|e| failed(&e))?;
    write(file.as_file_mut()).map_err(|unwritten| match unwritten {
        Unwritten::Io(error) => failed(&error),
        Unwritten::Told(report) => report,
    })?;
    let mode = std::fs::metadata(&target).map_or_else(|_| default_mode(), |meta| meta.permissions());
    file.as_file().set_permissions(mode).map_err(|e| failed(&e))?;
    file.as_file().sync_all().map_err(|e| failed(&e))?;
    file.persist(&target).map_err(|e| failed(&e.error))?;
    Ok(())
}

/// Why something was not written: by the disk's fault, or by one that is told already.
pub enum Unwritten {
    /// Writing failed.
    Io(std::io::Error),
    /// Something else did.
    Told(miette::Report),
}

impl From<std::io::Error> for Unwritten {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn default_mode() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

/// Whether a file name is one that builders are given by habit.
pub fn is_dockerfile_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(".dockerignore") || lower.ends_with(".md") {
        return false;
    }
    ["dockerfile", "containerfile"].iter().any(|stem| {
        lower == *stem
            || lower.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '-', '_']))
            || lower.strip_suffix(stem).is_some_and(|rest| rest.ends_with('.'))
    })
}

/// Every Dockerfile below `paths`: named files as they are, folders recursively with `.gitignore` respected, sorted.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            found.push(path.clone());
            continue;
        }
        let meta = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !meta.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut below = Vec::new();
        let walk = ignore::WalkBuilder::new(path)
            .hidden(false)
            .require_git(false)
            .filter_entry(|e| e.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry.into_diagnostic().wrap_err_with(|| format!("failed to walk {}", path.display()))?;
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            if is_file && entry.file_name().to_str().is_some_and(is_dockerfile_name) {
                let path = entry.into_path();
                below.push(path.strip_prefix("./").map_or_else(|_| path.clone(), Path::to_path_buf));
            }
        }
        below.sort();
        found.extend(below);
    }
    Ok(found)
}

/// The Dockerfile of a context folder, as `docker build` looks for it, or the one that was named.
pub fn dockerfile_of(context: &Path, named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        // As docker does, the name is taken from the working directory, then from the context.
        let inside = context.join(named);
        return match (named.exists(), inside.exists()) {
            (true, _) => Ok(named.to_path_buf()),
            (false, true) => Ok(inside),
            _ => Err(miette!(
                help = "name an existing file with -f",
                "failed to find the Dockerfile {}",
                named.display()
            )),
        };
    }
    if !context.is_dir() {
        return Err(miette!(
            help = "give the folder that holds the Dockerfile and the files it copies",
            "failed to read the build context {}: it is not a folder",
            context.display()
        ));
    }
    for name in ["Dockerfile", "Containerfile", "dockerfile"] {
        let path = context.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    Err(miette!(
        help = "create one there, or name another with -f FILE",
        "failed to find a Dockerfile in {}",
        context.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_dockerfiles() {
        for name in
            ["Dockerfile", "Dockerfile.dev", "api.Dockerfile", "Containerfile", "Containerfile-alpine", "dockerfile"]
        {
            assert!(is_dockerfile_name(name), "{name}");
        }
        for name in ["Dockerfile.dockerignore", "Dockerfile.md", "DockerfileParser", "MyDockerfile", "README"] {
            assert!(!is_dockerfile_name(name), "{name}");
        }
    }

    #[test]
    fn a_write_replaces_the_whole_file_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Dockerfile");
        std::fs::write(&path, "FROM a\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        write_atomically(&path, b"FROM b\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"FROM b\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
