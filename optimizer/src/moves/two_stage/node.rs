//! npm, yarn and pnpm.

use super::{Around, Does, Ecosystem, Prelude};
use crate::chain::Link;
use crate::moves::NotApplicable;
use std::collections::BTreeSet;

pub(super) struct Modules;

impl Ecosystem for Modules {
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable> {
        let program = link.program();
        if !matches!(program, "npm" | "yarn" | "pnpm") {
            return match program {
                "npx" | "tsc" | "webpack" | "vite" | "ng" => project(around),
                _ => Ok(Does::Other),
            };
        }
        let global = link.args().iter().any(|word| matches!(word.text.as_str(), "-g" | "--global" | "global"));
        match link.verb() {
            "config" | "set" => Ok(Does::Other),
            "cache" | "prune" | "audit" => Ok(Does::Serves),
            _ if global => Ok(Does::Other),
            "install" | "ci" | "i" | "add" | "clean-install" => modules(around),
            "" if program == "yarn" => modules(around),
            // A script of the project may write anywhere in it.
            "run" | "build" | "run-script" => project(around),
            "test" => Ok(Does::Serves),
            verb => Err(NotApplicable::because(format!("what {program} {verb} leaves behind is not known"))),
        }
    }

    fn prelude(&self, _products: &BTreeSet<String>, _around: &Around<'_>) -> Prelude {
        Prelude::default()
    }
    fn implied(&self, package: &str) -> Option<&'static str> {
        (package == "npm").then_some("nodejs")
    }
    fn comment(&self) -> &'static str {
        "the installed modules; npm's cache and compilers stay behind"
    }
    fn variables(&self) -> &'static [&'static str] {
        &["NPM_", "npm_", "NODE_", "YARN_"]
    }
}

fn project(around: &Around<'_>) -> Result<Does, NotApplicable> {
    let workdir = around.place.workdir.as_deref().filter(|path| path.len() > 1);
    let workdir = workdir
        .ok_or_else(|| NotApplicable::because("a script of the project runs in a directory that is not known"))?;
    Ok(Does::Installs(vec![workdir.to_owned()]))
}

fn modules(around: &Around<'_>) -> Result<Does, NotApplicable> {
    let workdir = around.place.workdir.as_deref();
    let workdir = workdir.ok_or_else(|| NotApplicable::because("npm runs in a directory that is not known"))?;
    Ok(Does::Installs(vec![format!("{}/node_modules", workdir.trim_end_matches('/'))]))
}
