//! Build tools that nothing needs.

use super::packages::{Runtime, runtime_of};
use super::two_stage::only_stage;
use super::{Input, Move, NotApplicable, Step, system_paths};
use crate::apply::{Level, splice};
use crate::bases::BaseImage;
use crate::chain::{Chain, Link, Word, dialects};
use crate::files::Files;
use crate::sheet::Sheet;
use plimsoll_parser::{Edit, TextRange};

/// Takes compilers out of package lists. A build that needs them fails, and so does this move.
pub(crate) struct BuildTools;

/// Package managers of languages: whoever installs them uses them.
const INSTALLERS: &[&str] = &[
    "python3-pip",
    "python-pip",
    "python3-venv",
    "python3-virtualenv",
    "virtualenv",
    "npm",
    "cargo",
    "rustc",
    "golang",
    "golang-go",
    "make",
];

impl Move for BuildTools {
    fn name(&self) -> &'static str {
        "unneeded-packages"
    }
    fn title(&self) -> &'static str {
        "build tools that nothing uses left out"
    }
    fn explain(&self) -> &'static str {
        "Compilers and headers that the author installed just in case. Where something is compiled, the build fails without \
         them and the step is dropped."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        let (_, base) = only_stage(&sheet)?;
        let dialects = dialects(&sheet.file.instructions);
        let mut edits: Vec<Edit> = Vec::new();
        let mut left_out: Vec<String> = Vec::new();
        for (index, instruction) in sheet.instructions() {
            let Some(chain) = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default()) else {
                continue;
            };
            if let Some(tool) = chain
                .links
                .iter()
                .map(Link::program)
                .find(|tool| matches!(*tool, "make" | "gcc" | "g++" | "cc" | "cmake"))
            {
                return Err(NotApplicable::because(format!("{tool} is used")));
            }
            let mut gone = vec![false; chain.links.len()];
            let mut stays = 0;
            let mut local: Vec<Edit> = Vec::new();
            for (at, link) in chain.links.iter().enumerate() {
                if !is_apt_install(link) {
                    continue;
                }
                let packages = packages(link);
                let (out, kept): (Vec<usize>, Vec<usize>) = packages.iter().copied().partition(|word| {
                    link.words.get(*word).is_some_and(|word| word.known && is_unneeded(&word.text, &base))
                });
                left_out.extend(out.iter().filter_map(|at| link.words.get(*at)).map(|word| word.text.clone()));
                if kept.is_empty() && !out.is_empty() {
                    if let Some(gone) = gone.get_mut(at) {
                        *gone = true;
                    }
                    continue;
                }
                stays += 1;
                local.extend(out.iter().filter_map(|at| removal(link, *at)));
            }
            if gone.contains(&true) && stays == 0 {
                for (at, link) in chain.links.iter().enumerate() {
                    let list = |word: &Word| word.text.starts_with('-') || word.text.starts_with("/var/lib/apt/");
                    let serves = matches!(link.program(), "apt-get" | "apt")
                        || (link.program() == "rm" && link.args().iter().all(list));
                    if let (true, Some(gone)) = (serves, gone.get_mut(at)) {
                        *gone = true;
                    }
                }
            }
            match chain.without(&|at| gone.get(at).copied().unwrap_or_default()) {
                Some(removed) => edits.extend(removed),
                None => edits.push(Edit::delete(sheet.paragraph(index))),
            }
            edits.extend(local);
        }
        if left_out.is_empty() {
            return Err(NotApplicable::because("no build tool is installed"));
        }
        let dockerfile = splice(&input.files.dockerfile, &edits);
        Ok(Step {
            may_change: system_paths(),
            notes: vec![format!("left out: {}", left_out.join(", "))],
            ..Step::of(Files { dockerfile, dockerignore: input.files.dockerignore.clone() })
        })
    }
}

fn is_unneeded(package: &str, base: &BaseImage) -> bool {
    let name = package.split(['=', ':', '/']).next().unwrap_or(package);
    !INSTALLERS.contains(&name) && runtime_of(package, base.release()) == Runtime::Nothing
}

fn is_apt_install(link: &Link) -> bool {
    matches!(link.program(), "apt-get" | "apt") && link.verb() == "install"
}

/// The indices of an install command's words that are packages.
pub(super) fn packages(link: &Link) -> Vec<usize> {
    const WITH_VALUE: &[&str] =
        &["-t", "-o", "-c", "--target-release", "--option", "--default-release", "--config-file"];
    let mut verb = false;
    let mut value = false;
    let mut found = Vec::new();
    for (at, word) in link.words.iter().enumerate().skip(1) {
        if std::mem::take(&mut value) {
            continue;
        }
        if word.text.starts_with('-') {
            value = WITH_VALUE.contains(&word.text.as_str());
        } else if verb {
            found.push(at);
        } else {
            verb = true;
        }
    }
    found
}

/// Takes a word out with the blanks before it.
fn removal(link: &Link, at: usize) -> Option<Edit> {
    let before = link.words.get(at.checked_sub(1)?)?;
    let word = link.words.get(at)?;
    Some(Edit::delete(TextRange { start: before.range.end, end: word.range.end }))
}
