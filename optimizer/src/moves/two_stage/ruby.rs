//! gem and bundler.

use super::{Around, Does, Ecosystem, Prelude};
use crate::bases::BaseKind;
use crate::chain::Link;
use crate::moves::NotApplicable;
use std::collections::BTreeSet;

pub(super) struct Gems;

impl Ecosystem for Gems {
    fn does(&self, link: &Link, around: &Around<'_>) -> Result<Does, NotApplicable> {
        let args: Vec<&str> = link.args().iter().map(|word| word.text.as_str()).collect();
        let (bundler, verb) = match link.program() {
            "bundle" | "bundler" => (true, link.verb()),
            "gem" => (false, link.verb()),
            _ => return Ok(Does::Other),
        };
        match verb {
            "install" | "" if bundler => {}
            "install" => {
                let only_itself = args.iter().skip(1).all(|arg| arg.starts_with('-') || *arg == "bundler");
                if only_itself && args.len() > 1 {
                    return Ok(Does::Other);
                }
            }
            // Kept where the configuration goes, which both stages need.
            "config" if bundler => return Ok(Does::Other),
            "exec" | "binstubs" if bundler => return Ok(Does::Other),
            "update" | "cleanup" | "sources" | "clean" => return Ok(Does::Serves),
            _ => return Ok(Does::Other),
        }
        if args.contains(&"--local") {
            // Installs nothing that is not there already.
            return Ok(Does::Other);
        }
        let mut paths = Vec::new();
        let asked = args.iter().enumerate().find_map(|(at, arg)| match *arg {
            "--path" => args.get(at + 1).copied(),
            arg => arg.strip_prefix("--path="),
        });
        let asked = asked.or_else(|| args.contains(&"--deployment").then_some("vendor/bundle"));
        let configured = around.place.env.get("BUNDLE_PATH").map(String::as_str);
        let home = around.place.env.get("GEM_HOME").map(String::as_str);
        match (asked.or(configured).or(home), around.base.kind) {
            (Some(path), _) => {
                let path = around.place.absolute(path);
                paths.push(path.ok_or_else(|| NotApplicable::because("where bundler installs to is not known"))?);
            }
            (None, BaseKind::Ruby) => paths.push("/usr/local/bundle".to_owned()),
            (None, BaseKind::Debian) => paths.extend(["/var/lib/gems".to_owned(), "/usr/local/bin".to_owned()]),
            _ => return Err(NotApplicable::because(format!("where gems go on {} is not known", around.base.name()))),
        }
        if bundler {
            let workdir = around.place.workdir.as_deref();
            let workdir =
                workdir.ok_or_else(|| NotApplicable::because("bundler runs in a directory that is not known"))?;
            if around.input.listing.get("Gemfile.lock").is_none() {
                paths.push(format!("{workdir}/Gemfile.lock"));
            }
        }
        Ok(Does::Installs(paths))
    }

    fn prelude(&self, _products: &BTreeSet<String>, _around: &Around<'_>) -> Prelude {
        Prelude::default()
    }
    fn implied(&self, package: &str) -> Option<&'static str> {
        package.starts_with("ruby").then_some("ruby")
    }
    fn comment(&self) -> &'static str {
        "the installed gems; compilers and headers stay behind"
    }
    fn variables(&self) -> &'static [&'static str] {
        &["BUNDLE_", "GEM_", "RUBY", "RAILS_ENV", "RACK_ENV"]
    }
}
