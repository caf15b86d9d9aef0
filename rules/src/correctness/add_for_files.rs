//! `add-for-files`

use crate::rule::{Fixable, Group, Rule};
use crate::words::{has_variable, unquoted};
use plimsoll_analyzer::context::{EntryKind, clean};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::{Copied, Model};
use plimsoll_parser::Edit;

crate::declare_rule! {
    /// ADD is used where COPY would do.
    ///
    /// ADD unpacks archives and fetches from the network; a reader has to find out which of it is meant. For files and
    /// folders of the context COPY says what happens.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ADD app.py /srv/app.py
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// COPY app.py /srv/app.py
    /// ADD rootfs.tar.xz /
    /// ```
    pub AddForFiles {
        id: "add-for-files", aliases: &["DL3020"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Error, fixable: Fixable::Sometimes,
        may_change: &["history"],
    }
}

/// Endings of what ADD unpacks, as hadolint counts them.
pub(crate) const ARCHIVES: [&str; 14] =
    [".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".tb2", ".tbz", ".xz", ".txz", ".zst", ".tzst", ".tpz", ".lzma", ".tlz"];

impl Rule for AddForFiles {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| copy.add) {
            let sources = || copy.syntax.sources.iter().map(|source| unquoted(source));
            let is_special = |source: &str| is_remote(source) || is_archive(source);
            if copy.syntax.sources.is_empty() || sources().all(is_special) {
                continue;
            }
            let fix = certain(model, copy).and_then(|safe| {
                let edit = Edit::replace(copy.instruction.keyword.range, "COPY");
                let fix = if safe { Fix::safe("use COPY", [edit]) } else { Fix::risky("use COPY", [edit]) };
                Some(fix?.changing(Self::META.may_change))
            });
            let keyword = copy.instruction.keyword.range;
            found.push(Diagnostic::new(Self::META.id, keyword, "ADD copies files that COPY could").with_fix(fix));
        }
    }
}

/// Whether COPY would do the same for certain (`true`), most likely (`false`), or not (nothing).
fn certain(model: &Model<'_>, copy: &Copied<'_>) -> Option<bool> {
    let syntax = copy.syntax;
    if syntax.checksum.is_some()
        || syntax.keep_git_dir.is_some()
        || syntax.unpack.is_some()
        || !copy.instruction.heredocs.is_empty()
    {
        return None;
    }
    let mut safe = true;
    for source in &syntax.sources {
        let source = unquoted(source);
        if has_variable(source) || is_remote(source) || is_archive(source) {
            return None;
        }
        let listed = model.inputs.listing.and_then(|listing| listing.get(&clean(source)));
        let folder = source == "." || source.ends_with('/') || listed.is_some_and(|entry| entry.kind == EntryKind::Dir);
        safe &= folder || has_plain_name(source);
    }
    Some(safe)
}

fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|scheme| source.starts_with(scheme))
}

fn is_archive(source: &str) -> bool {
    ARCHIVES.iter().any(|ending| source.ends_with(ending))
}

/// Whether the name says that the file is no archive. ADD looks at the content, not at the name.
fn has_plain_name(source: &str) -> bool {
    let name = source.rsplit('/').next().unwrap_or(source);
    let Some((_, ending)) = name.rsplit_once('.') else {
        return matches!(name, "Gemfile" | "Pipfile" | "Makefile" | "Rakefile" | "Procfile" | "Dockerfile" | "VERSION");
    };
    const PLAIN: [&str; 34] = [
        "py", "rb", "js", "ts", "json", "txt", "md", "sh", "bash", "conf", "cfg", "cnf", "ini", "toml", "yml", "yaml",
        "xml", "html", "css", "go", "rs", "c", "h", "cpp", "java", "jar", "war", "sql", "lock", "env", "php", "pl",
        "list", "pem",
    ];
    PLAIN.contains(&ending)
}
