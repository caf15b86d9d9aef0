//! Packages of languages: pip's `dist-info`, npm's `node_modules`, gem's specifications.

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

use super::{Kept, Owned, Package, Seen};

pub(super) fn knows(path: &str) -> bool {
    let ends = |end: &str| path.ends_with(end);
    ends(".dist-info/METADATA")
        || ends(".dist-info/RECORD")
        || ends(".egg-info/PKG-INFO")
        || ends(".egg-info")
        || (ends("/package.json") && module_of(path).is_some_and(|(_, rest)| rest == "package.json"))
}

pub(super) fn find(kept: &Kept<'_>, seen: &Seen<'_>, owned: &mut Owned) -> Vec<Package> {
    let system = |path: &str, owned: &Owned| seen.find(path).is_some_and(|at| owned.0.contains(&at));
    let mut found = Vec::new();
    let mut paths: Vec<&str> = kept.keys().copied().collect();
    paths.sort_unstable();
    for path in &paths {
        let is_metadata = path.ends_with("/METADATA") || path.ends_with("/PKG-INFO") || path.ends_with(".egg-info");
        if is_metadata && !system(path, owned) {
            found.extend(python(path, kept, seen, owned));
        }
    }
    let mut modules: BTreeMap<&str, Module> = BTreeMap::new();
    for path in &paths {
        if let Some((folder, "package.json")) = module_of(path)
            && !system(path, owned)
            && let Some(module) = kept.get(path).and_then(|bytes| serde_json::from_slice::<Module>(bytes).ok())
        {
            modules.insert(folder, module);
        }
    }
    found.extend(node(&modules, seen, owned));
    found.extend(gems(seen, owned));
    found
}

fn python(path: &str, kept: &Kept<'_>, seen: &Seen<'_>, owned: &mut Owned) -> Option<Package> {
    let text = String::from_utf8_lossy(kept.get(path)?);
    let field = |name: &str| {
        let head = text.lines().take_while(|line| !line.is_empty());
        head.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim).next().map(str::to_owned)
    };
    let (name, version) = (field("Name")?, field("Version").unwrap_or_default());
    let folder = if path.ends_with(".egg-info") { path } else { path.rsplit_once('/')?.0 };
    let site = folder.rsplit_once('/').map_or("", |(site, _)| site);
    let mut files: Vec<usize> = seen.below(&format!("{folder}/")).collect();
    match kept.get(format!("{folder}/RECORD").as_str()) {
        Some(record) => {
            let record = String::from_utf8_lossy(record);
            for line in record.lines() {
                // `path,hash,size`; a path with a comma stands in quotes.
                let path = match line.strip_prefix('"') {
                    Some(quoted) => quoted.split('"').next(),
                    None => line.split(',').next(),
                };
                let path = crate::export::load::normal(site, path.unwrap_or_default());
                files.extend(seen.find(&path));
                // What Python compiled from it goes with it.
                if let Some((folder, name)) = path.rsplit_once('/')
                    && let Some(stem) = name.strip_suffix(".py")
                {
                    let compiled = format!("{folder}/__pycache__/{stem}.");
                    let from = seen.visible.partition_point(|file| *file.path < *compiled);
                    let below = seen.visible.iter().enumerate().skip(from);
                    files.extend(below.take_while(|(_, file)| file.path.starts_with(&compiled)).map(|(at, _)| at));
                }
            }
        }
        None => files.extend(seen.below(&format!("{site}/{}/", name.replace('-', "_")))),
    }
    let files = owned.take(files);
    Some(seen.package("pip", name, version, &files))
}

#[derive(Debug, Deserialize)]
struct Module {
    name: Option<String>,
    version: Option<String>,
}

/// The folder of the innermost module that a path belongs to, and the path inside it.
fn module_of(path: &str) -> Option<(&str, &str)> {
    const MODULES: &str = "node_modules/";
    let at =
        path.match_indices(MODULES).filter(|(at, _)| *at == 0 || path.as_bytes().get(at - 1) == Some(&b'/')).last();
    let start = at?.0 + MODULES.len();
    let rest = path.get(start..)?;
    let slashes = if rest.starts_with('@') { 1 } else { 0 };
    let (end, _) = rest.match_indices('/').nth(slashes)?;
    Some((path.get(..start + end)?, path.get(start + end + 1..)?))
}

fn node(modules: &BTreeMap<&str, Module>, seen: &Seen<'_>, owned: &mut Owned) -> Vec<Package> {
    let mut files: HashMap<&str, Vec<usize>> = HashMap::new();
    if !modules.is_empty() {
        for (at, file) in seen.visible.iter().enumerate() {
            if let Some((folder, _)) = module_of(&file.path)
                && let Some((folder, _)) = modules.get_key_value(folder)
            {
                files.entry(folder).or_default().push(at);
            }
        }
    }
    let mut found = Vec::new();
    for (folder, module) in modules {
        let files = owned.take(files.remove(folder).unwrap_or_default());
        let fallback = folder.rsplit("node_modules/").next().unwrap_or(folder);
        let name = module.name.clone().unwrap_or_else(|| fallback.to_owned());
        found.push(seen.package("npm", name, module.version.clone().unwrap_or_default(), &files));
    }
    found
}

fn gems(seen: &Seen<'_>, owned: &mut Owned) -> Vec<Package> {
    let mut found = Vec::new();
    for file in seen.visible {
        let Some((home, name)) = file.path.rsplit_once("/specifications/") else { continue };
        let Some(full) = name.strip_suffix(".gemspec") else { continue };
        let full = full.strip_prefix("default/").unwrap_or(full);
        if full.contains('/') || seen.find(&file.path).is_some_and(|at| owned.0.contains(&at)) {
            continue;
        }
        let version =
            full.match_indices('-').find(|(at, _)| full.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit));
        let Some((at, _)) = version else { continue };
        let mut files: Vec<usize> = seen.find(&file.path).into_iter().collect();
        files.extend(seen.below(&format!("{home}/gems/{full}/")));
        files.extend(seen.below(&format!("{home}/doc/{full}/")));
        let files = owned.take(files);
        found.push(seen.package("gem", full[..at].to_owned(), full[at + 1..].to_owned(), &files));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_module_owns_a_file() {
        assert_eq!(module_of("app/node_modules/a/lib/x.js"), Some(("app/node_modules/a", "lib/x.js")));
        assert_eq!(module_of("app/node_modules/@s/a/x.js"), Some(("app/node_modules/@s/a", "x.js")));
        assert_eq!(
            module_of("node_modules/a/node_modules/b/package.json"),
            Some(("node_modules/a/node_modules/b", "package.json"))
        );
        assert_eq!(module_of("app/my_node_modules/a/x"), None);
        assert!(knows("app/node_modules/a/package.json"));
        assert!(!knows("app/node_modules/a/lib/package.json"));
    }
}
