//! composer: the folder of packages goes on, composer and its helpers stay.

use super::{Around, Does, Ecosystem, Prelude};
use crate::chain::Link;
use crate::moves::NotApplicable;
use std::collections::BTreeSet;

pub(super) struct Composer;

/// Events at which an installation runs the manifest's own scripts.
const SCRIPTS: &[&str] = &[
    "pre-install-cmd",
    "post-install-cmd",
    "pre-update-cmd",
    "post-update-cmd",
    "pre-autoload-dump",
    "post-autoload-dump",
    "pre-operations-exec",
    "pre-package-install",
    "post-package-install",
    "pre-package-update",
    "post-package-update",
];

impl Ecosystem for Composer {
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable> {
        let words: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
        let args = match (link.program(), words.as_slice()) {
            ("composer" | "composer.phar", args) => args,
            ("php", [phar, args @ ..]) if phar.ends_with("composer.phar") => args,
            _ => return Ok(Does::Other),
        };
        if let Some(option) = args.iter().find(|arg| arg.starts_with("-d") || arg.starts_with("--working-dir")) {
            return Err(NotApplicable::because(format!("composer runs in the directory that {option} names")));
        }
        let verb = args.iter().copied().find(|arg| !arg.starts_with('-')).unwrap_or_default();
        match verb {
            "config" => match args.iter().find(|arg| matches!(**arg, "vendor-dir" | "bin-dir")) {
                Some(name) => Err(NotApplicable::because(format!("composer config may set {name}"))),
                None if args.iter().any(|arg| matches!(*arg, "-g" | "--global")) => Ok(Does::Serves),
                // It writes to composer.json, which the last stage has too.
                None => Ok(Does::Other),
            },
            "install" | "i" | "update" | "dump-autoload" | "dumpautoload" => packages(around),
            "clear-cache" | "clearcache" | "cc" | "validate" | "audit" | "diagnose" | "self-update" => Ok(Does::Serves),
            verb => Err(NotApplicable::because(format!("what composer {verb} leaves behind is not known"))),
        }
    }

    fn prelude(&self, _products: &BTreeSet<String>, _around: &Around<'_>) -> Prelude {
        Prelude::default()
    }
    fn implied(&self, package: &str) -> Option<&'static str> {
        (package == "composer").then_some("php-cli")
    }
    fn behind(&self, _link: &Link, around: &Around<'_>) -> Vec<String> {
        around.place.absolute("composer.lock").into_iter().collect()
    }
    fn leaves(&self, package: &str) -> bool {
        matches!(package, "composer" | "git" | "unzip" | "zip" | "p7zip-full" | "7zip" | "subversion" | "mercurial")
    }
    fn comment(&self) -> &'static str {
        "what composer installed; composer itself stays behind"
    }
    fn variables(&self) -> &'static [&'static str] {
        &["COMPOSER_"]
    }
}

/// Where the packages are, as long as nothing else is written.
fn packages(around: &Around<'_>) -> Result<Does, NotApplicable> {
    let manifest = (around.input.read)("composer.json");
    let manifest = manifest.ok_or_else(|| NotApplicable::because("composer.json is not at the top of the context"))?;
    if let Some(script) = SCRIPTS.iter().find(|name| manifest.contains(&format!("\"{name}\""))) {
        return Err(NotApplicable::because(format!("composer.json has scripts ({script}) that may write anywhere")));
    }
    if manifest.contains("\"composer/installers\"") {
        return Err(NotApplicable::because(
            "composer.json asks for composer/installers, which puts packages outside of their folder",
        ));
    }
    let folder = value_of(&manifest, "vendor-dir").unwrap_or_else(|| "vendor".to_owned());
    let mut paths: Vec<String> = Vec::new();
    for folder in std::iter::once(folder).chain(value_of(&manifest, "bin-dir")) {
        let path =
            around.place.workdir.as_deref().filter(|path| path.len() > 1).and_then(|_| around.place.absolute(&folder));
        paths.push(path.ok_or_else(|| NotApplicable::because("composer runs in a directory that is not known"))?);
    }
    Ok(Does::Installs(paths))
}

/// The text that a name of a JSON file has as its value.
fn value_of(json: &str, name: &str) -> Option<String> {
    let (_, after) = json.split_once(&format!("\"{name}\""))?;
    let value = after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    value.split_once('"').map(|(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_the_manifest_names() {
        let manifest = r#"{"config": {"vendor-dir" : "lib/php", "sort-packages": true}}"#;
        assert_eq!(value_of(manifest, "vendor-dir").as_deref(), Some("lib/php"));
        assert_eq!(value_of(manifest, "sort-packages"), None);
        assert_eq!(value_of(manifest, "bin-dir"), None);
    }
}
