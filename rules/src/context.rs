//! What stands in the build context.

use plimsoll_analyzer::diagnostic::Diagnostic;
use plimsoll_analyzer::model::Model;
use std::collections::BTreeMap;

/// Why no image needs a path, by one of its elements.
pub(crate) fn kind_of(path: &str) -> Option<&'static str> {
    path.split('/').find_map(|part| match part {
        ".git" | ".hg" | ".svn" | ".bzr" => Some("version control"),
        "node_modules" | "venv" | ".venv" | "env.bak" | "bower_components" | ".bundle" | ".tox" | ".nox" => {
            Some("installed dependencies")
        }
        "__pycache__" | ".pytest_cache" | ".mypy_cache" | ".ruff_cache" | ".cache" | ".gradle" | ".parcel-cache"
        | ".next" | ".nuxt" | ".terraform" => Some("build output"),
        ".idea" | ".vscode" | ".DS_Store" | "Thumbs.db" => Some("editor and desktop files"),
        part if part.ends_with(".pyc") || part.ends_with(".swp") || part.ends_with(".log") => Some("leftovers"),
        _ => None,
    })
}

/// One finding for each COPY that takes such paths, with their bytes.
pub(crate) fn tell_unneeded(rule: &'static str, model: &Model<'_>, why: &str, found: &mut Vec<Diagnostic>) {
    for copy in model.copies() {
        let mut roots: BTreeMap<String, u64> = BTreeMap::new();
        for entry in model.taken(copy).unwrap_or_default() {
            if kind_of(&entry.path).is_none() {
                continue;
            }
            let depth = entry.path.split('/').take_while(|part| kind_of(part).is_none()).count() + 1;
            let root = entry.path.split('/').take(depth).collect::<Vec<_>>().join("/");
            *roots.entry(root).or_default() += entry.size;
        }
        if roots.is_empty() {
            continue;
        }
        let bytes = roots.values().sum::<u64>();
        let mut by_size: Vec<_> = roots.iter().collect();
        by_size.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let shown: Vec<String> =
            by_size.iter().take(4).map(|(path, size)| format!("{path} ({})", crate::words::bytes(**size))).collect();
        let more = if by_size.len() > shown.len() { ", …" } else { "" };
        let message = format!("{why}: {}{more} would be copied", shown.join(", "));
        found.push(Diagnostic::new(rule, copy.instruction.range, message).with_bytes(bytes));
    }
}
