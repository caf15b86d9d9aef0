//! What is installed for developing stays out.

use super::{Input, Move, NotApplicable, Step};
use crate::apply::{Level, splice};
use crate::chain::{Chain, Link, dialects};
use crate::files::Files;
use crate::sheet::Sheet;
use plimsoll_parser::Edit;

/// `npm install` → `npm install --omit=dev`, `composer install` → `composer install --no-dev`
pub(crate) struct Production;

impl Move for Production {
    fn name(&self) -> &'static str {
        "production-modules"
    }
    fn title(&self) -> &'static str {
        "modules for development left out"
    }
    fn explain(&self) -> &'static str {
        "Test runners, compilers and linters that the manifest names for development are not installed. Relies on the \
         build and the program needing none of them."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        if let Some(error) = sheet.file.errors.first() {
            return Err(NotApplicable::because(format!("the file does not parse: {}", error.message)));
        }
        let dialects = dialects(&sheet.file.instructions);
        let mut edits = Vec::new();
        for (index, instruction) in sheet.instructions() {
            let Some(chain) = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default()) else {
                continue;
            };
            for link in &chain.links {
                let runs_script = matches!(link.program(), "npm" | "yarn" | "pnpm")
                    && matches!(link.verb(), "run" | "build" | "test" | "run-script");
                if runs_script || matches!(link.program(), "npx" | "tsc" | "webpack" | "vite" | "ng" | "jest") {
                    return Err(NotApplicable::because(format!("`{}` may need them", link.line())));
                }
                edits.extend(omission(link));
            }
        }
        if edits.is_empty() {
            return Err(NotApplicable::because("no installer brings modules for development"));
        }
        let section = |file: &str, name: &str| {
            let text = (input.read)(file).unwrap_or_default();
            let after = text
                .split_once(&format!("\"{name}\""))
                .map(|(_, after)| after.trim_start_matches([':', ' ', '\n', '\t']));
            after.is_some_and(|after| !after.trim_start_matches(['{', ' ', '\n', '\t', '\r']).starts_with('}'))
        };
        if !section("package.json", "devDependencies") && !section("composer.json", "require-dev") {
            return Err(NotApplicable::because("the manifest names no modules for development"));
        }
        let edits: Vec<Edit> = edits;
        Ok(Step {
            may_change: super::modules(),
            ..Step::of(Files {
                dockerfile: splice(&input.files.dockerfile, &edits),
                dockerignore: input.files.dockerignore.clone(),
            })
        })
    }
}

/// The option that leaves them out, behind the verb of an install command that has none yet and names no package.
fn omission(link: &Link) -> Option<Edit> {
    let decided =
        ["--production", "--omit", "--only", "--include", "--prod", "-P", "--no-dev", "--dev", "-D", "-g", "--global"];
    let asked = |arg: &str| decided.iter().any(|known| arg.split('=').next() == Some(known));
    if link.args().iter().any(|word| asked(&word.text)) {
        return None;
    }
    let plain = link.args().iter().filter(|word| !word.text.starts_with('-')).count();
    let option = match (link.program(), link.verb()) {
        ("npm", "install" | "i" | "ci" | "clean-install") if plain == 1 => " --omit=dev",
        ("yarn", "install") if plain == 1 => " --production",
        ("yarn", "") => " --production",
        ("pnpm", "install" | "i") if plain == 1 => " --prod",
        ("composer", "install") if plain == 1 => " --no-dev",
        _ => return None,
    };
    let verb = link.args().iter().find(|word| !word.text.starts_with('-')).or_else(|| link.words.first())?;
    Some(Edit::insert(verb.range.end, option))
}
