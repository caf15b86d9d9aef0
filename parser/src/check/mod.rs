//! What BuildKit refuses while it resolves stages, names, variables and mounts, as far as the file alone tells:
//! without build arguments, and without what base images set.
//!
//! A value that hangs on a variable this file does not set is never judged.

mod mounts;
mod platform;
mod scope;
mod stages;
mod steps;
mod values;

use crate::syntax::{Dockerfile, ErrorStage, Instruction, Kind, SyntaxError};
use crate::text::{Text, TextRange};
use crate::word::{self, WordError};
use scope::Global;

/// BuildKit goes through the file several times; an error of a later time is not reached while an earlier one stands.
pub(crate) fn phase(code: &str) -> u8 {
    match code {
        "check-option" => 0,
        "no-stages" => 1,
        "global-arg" => 2,
        "base-name" | "base-platform" => 3,
        "copy-from-variable" | "stage-index" => 4,
        "circular-stages" => 5,
        "image-reference" => 6,
        "onbuild-in-child" => 7,
        _ => 8,
    }
}

/// What the checks have found so far, and what they read.
struct Checker<'f, 's> {
    file: &'f Dockerfile<'s>,
    errors: Vec<SyntaxError>,
}

impl Checker<'_, '_> {
    fn refuse(&mut self, code: &'static str, range: TextRange, message: impl Into<String>, help: &str) {
        self.errors.push(SyntaxError::new(code, ErrorStage::Build, range, message).with_help(help));
    }

    fn bad_word(&mut self, code: &'static str, word: &Text<'_>, error: &WordError) {
        let message = format!("failed to process {}: {}", crate::quote::quote(word), error.message);
        let help = match error.about_value {
            true => "give the variable a default, or set it where this is built",
            false => "close the quote or brace, or escape the sign",
        };
        self.refuse(code, word.range, message, help);
    }
}

/// What is noted of each instruction while it is read, so that the file need not be gone through again.
#[derive(Debug)]
pub(crate) struct Notes {
    /// Where the FROMs are among the instructions, and those that hold something to judge: nearly all do not.
    open: Vec<u32>,
    /// How many of them are FROMs.
    froms: usize,
}

impl Default for Notes {
    fn default() -> Self {
        Self { open: Vec::with_capacity(16), froms: 0 }
    }
}

impl Notes {
    /// Notes an instruction that is complete with its heredocs.
    pub(crate) fn take(&mut self, index: u32, instruction: &Instruction<'_>, escape: char) {
        let text = instruction.logical.text.as_bytes();
        let special = || word::special(text, escape as u8).is_some();
        let open = match &instruction.kind {
            Kind::From(_) => {
                self.froms += 1;
                true
            }
            Kind::Run(run) => !run.mounts().is_empty(),
            Kind::Copy(copy) | Kind::Add(copy) => {
                copy.from.is_some()
                    || copy.chmod.is_some()
                    || copy.checksum.is_some()
                    || !instruction.heredocs.is_empty()
                    || memchr::memchr2(b':', b'@', text).is_some()
                    || special()
            }
            Kind::Env(_) | Kind::Label(_) | Kind::Arg(_) | Kind::Workdir(_) | Kind::User(_) => special(),
            Kind::Volume(_) | Kind::Stopsignal(_) | Kind::Expose(_) | Kind::Onbuild(_) => true,
            _ => false,
        };
        if open {
            self.open.push(index);
        }
    }
}

/// The errors of a file's stages, names, variables and mounts.
pub(crate) fn errors(file: &Dockerfile<'_>, notes: &Notes) -> Vec<SyntaxError> {
    let mut checker = Checker { file, errors: Vec::new() };
    check_option(&mut checker);
    let mut global = Global::default();
    let metas = file.instructions.iter().take_while(|instruction| !matches!(instruction.kind, Kind::From(_)));
    for instruction in metas {
        if let Kind::Arg(declarations) = &instruction.kind {
            steps::global_args(&mut checker, &mut global, declarations);
        }
    }
    // Stages are told apart only when every FROM could be read; what stands in them is looked at in any case.
    let graph = match file.errors.is_empty() {
        true => stages::resolve(&mut checker, &global, notes),
        false => stages::flat(file, notes),
    };
    steps::stages(&mut checker, &global, &graph);
    checker.errors
}

/// The options of `# check=` (`skip`, `error`, `experimental`).
fn check_option(checker: &mut Checker<'_, '_>) {
    let file = checker.file;
    let Some(directive) = file.directives.iter().find(|directive| directive.name.value == "check") else { return };
    // What follows a blank is no part of the option.
    let value = directive.value.split(' ').next().unwrap_or_default();
    let help = "write skip=RuleName,…, skip=all, or error=true; options are joined with a semicolon";
    for option in value.split(';').filter(|_| !value.is_empty()) {
        let why = match option.split_once('=') {
            Some((key, _)) if matches!(key.trim(), "skip" | "experimental") => continue,
            Some((key, value)) if key.trim() == "error" => {
                if crate::grammar::go_bool(value.trim()).is_some() {
                    continue;
                }
                format!("failed to parse check option {}", crate::quote::quote(option))
            }
            Some((key, _)) => format!("invalid check option {}", crate::quote::quote(key)),
            None => format!("invalid check option {}", crate::quote::quote(option)),
        };
        checker.refuse("check-option", directive.value.range, format!("failed to parse check options: {why}"), help);
        return;
    }
}
