//! What layer order is about: how long a build takes again after one line of the sources was changed.

use super::Job;
use crate::builder::Builder;
use crate::report::ladder::{BuiltIn, Rebuild};
use miette::{IntoDiagnostic, Result, WrapErr};
use plimsoll_analyzer::context::{Entry, EntryKind, Listing};
use plimsoll_optimizer::Files;
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::syntax::Kind;
use plimsoll_runtime::build::Built;
use plimsoll_runtime::digest::Digest;
use std::collections::BTreeSet;
use std::path::Path;

/// A context above this is not copied to try it.
const LARGEST: u64 = 512 << 20;

/// Endings of files that people change every day, the likeliest first.
const SOURCES: &[&str] =
    &["py", "rb", "js", "ts", "go", "rs", "java", "php", "c", "cc", "cpp", "cs", "kt", "ex", "pl", "sh", "html", "css"];

/// What a build's steps made, each with all that lies below it.
pub(super) fn made(built: &Built) -> BTreeSet<Digest> {
    built.steps.iter().filter_map(|step| Some(step.layer.as_ref()?.chain_id)).collect()
}

/// Builds both texts again with one source file changed. Nothing where no file of the context is one, or the context is
/// too large to be copied.
pub(super) fn measure(
    job: &Job<'_>,
    builder: &mut Builder<'_>,
    listing: &Listing,
    files: &Files,
    before: [&BTreeSet<Digest>; 2],
) -> Result<Option<Rebuild>> {
    let ignores: Vec<Ignore> = [&job.original, files]
        .iter()
        .filter_map(|files| Some(Ignore::parse(files.dockerignore.as_deref()?).0))
        .collect();
    let reaches = |entry: &Entry, all: bool| {
        let excluded = |ignore: &Ignore| ignore.is_excluded(&entry.path);
        if all { !ignores.iter().any(excluded) } else { ignores.len() < 2 || !ignores.iter().all(excluded) }
    };
    let Some(changed) = source_of(&job.original, listing, &|entry| reaches(entry, true)) else { return Ok(None) };
    let bytes: u64 = listing.entries().iter().filter(|entry| reaches(entry, false)).map(|entry| entry.size).sum();
    if listing.truncated || bytes > LARGEST {
        return Ok(None);
    }
    let copy = tempfile::tempdir().into_diagnostic().wrap_err("failed to make a folder for a copy of the context")?;
    let entries = listing.entries().iter().filter(|entry| reaches(entry, false));
    if copy_tree(job.context, copy.path(), entries, &changed.path).is_err() {
        return Ok(None);
    }
    let kept = std::mem::replace(&mut builder.options_mut().context, copy.path().to_path_buf());
    let mut again = |files: &Files, before: &BTreeSet<Digest>| -> Result<Option<BuiltIn>> {
        let built = builder.try_step(&format!("again with {} changed", changed.path), files)?;
        Ok(built.ok().map(|built| spent(&built, before)))
    };
    let measured = again(&job.original, before[0]).and_then(|original| Ok((original, again(files, before[1])?)));
    builder.options_mut().context = kept;
    let (Some(original), Some(result)) = measured? else { return Ok(None) };
    Ok((original.executed > 0).then(|| Rebuild { changed: changed.path.clone(), original, result }))
}

/// What the steps that are not in `before` took.
fn spent(built: &Built, before: &BTreeSet<Digest>) -> BuiltIn {
    let (mut seconds, mut executed, mut cached) = (0.0, 0, 0);
    for step in &built.steps {
        let Some(layer) = &step.layer else { continue };
        if !before.contains(&layer.chain_id) {
            seconds += step.took.as_secs_f64();
            executed += 1;
        } else {
            cached += 1;
        }
    }
    BuiltIn { seconds, executed, cached }
}

/// The file that a person would most likely change: what the command names, else a source by its ending, near the top.
fn source_of<'l>(files: &Files, listing: &'l Listing, reaches: &dyn Fn(&Entry) -> bool) -> Option<&'l Entry> {
    let file = plimsoll_parser::parse(&files.dockerfile);
    let commands: String = file
        .instructions
        .iter()
        .filter(|instruction| matches!(instruction.kind, Kind::Cmd(_) | Kind::Entrypoint(_)))
        .map(|instruction| instruction.range.of(&files.dockerfile))
        .collect::<Vec<_>>()
        .join("\n");
    let named = |entry: &Entry| commands.split(|c: char| " \"'[],\n/=".contains(c)).any(|word| word == entry.name());
    let rank = |entry: &Entry| {
        let end = entry.name().rsplit_once('.').map(|(_, end)| end)?;
        SOURCES.iter().position(|known| *known == end)
    };
    let plain = |entry: &&Entry| {
        let test =
            entry.path.split('/').any(|part| part.to_ascii_lowercase().contains("test") || part.starts_with('.'));
        entry.kind == EntryKind::File && entry.size > 0 && entry.size < 1 << 20 && !test && reaches(entry)
    };
    let candidates = || listing.entries().iter().filter(plain);
    candidates().find(|entry| named(entry)).or_else(|| {
        candidates()
            .filter_map(|entry| Some((rank(entry)?, entry.path.matches('/').count(), entry)))
            .min_by_key(|(rank, depth, entry)| (*rank, *depth, &entry.path))
            .map(|(_, _, entry)| entry)
    })
}

/// A copy of these entries, with a line more at the end of `changed`.
fn copy_tree<'e>(
    from: &Path,
    to: &Path,
    entries: impl Iterator<Item = &'e Entry>,
    changed: &str,
) -> std::io::Result<()> {
    for entry in entries {
        let (source, target) = (from.join(&entry.path), to.join(&entry.path));
        // An ignored folder may hold files that are not.
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match entry.kind {
            EntryKind::Dir => {
                std::fs::create_dir_all(&target)?;
                std::fs::set_permissions(&target, std::fs::metadata(&source)?.permissions())?;
            }
            EntryKind::Symlink => std::os::unix::fs::symlink(std::fs::read_link(&source)?, &target)?,
            EntryKind::File => drop(std::fs::copy(&source, &target)?),
            EntryKind::Other => {}
        }
    }
    let target = to.join(changed);
    let mut bytes = std::fs::read(&target)?;
    bytes.push(b'\n');
    let permissions = std::fs::metadata(&target)?.permissions();
    std::fs::remove_file(&target)?;
    std::fs::write(&target, bytes)?;
    std::fs::set_permissions(&target, permissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(dockerfile: &str, paths: &[&str]) -> Option<String> {
        let listing = Listing::new(paths.iter().map(|path| Entry::file(*path, 10)));
        let files = Files { dockerfile: dockerfile.to_owned(), dockerignore: None };
        source_of(&files, &listing, &|_| true).map(|entry| entry.path.clone())
    }

    #[test]
    fn the_file_that_starts_is_changed_else_a_source_near_the_top() {
        let text = "FROM x\nCMD [\"python\", \"src/main.py\"]\n";
        assert_eq!(chosen(text, &["app.py", "src/main.py"]).as_deref(), Some("src/main.py"));
        let text = "FROM x\nCMD flask run\n";
        assert_eq!(chosen(text, &["a/deep.py", "tests/a.py", "web.py", "z.js"]).as_deref(), Some("web.py"));
        assert_eq!(chosen(text, &["README.md", "data.csv"]), None);
    }
}
