//! Which variables are set and used, and whether what they hold can fall apart into words.

use super::{Fact, FactKind};
use plimsoll_parser::TextRange;
use plimsoll_parser::shell::{AssignedValue, Parameter, ParameterOpKind, Simple, Word, WordPart};
use std::collections::BTreeMap;

/// Variables that every shell sets, or that come from outside.
const OUTSIDE: [&str; 8] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy"];

/// What the walk knows of variables.
pub(super) struct Variables {
    /// Whether what a variable holds is one word for certain.
    whole: BTreeMap<String, bool>,
    saved: Vec<BTreeMap<String, bool>>,
    set: Vec<(String, TextRange)>,
    known: Vec<String>,
    used: Vec<(String, TextRange, bool)>,
}

/// Ways that part and come together again.
pub(super) struct Fork {
    here: BTreeMap<String, bool>,
    ends: Option<BTreeMap<String, bool>>,
}

impl Fork {
    /// One way ends here, or leaves the script.
    pub(super) fn end(&mut self, variables: &Variables, leaves: bool) {
        if leaves {
            return;
        }
        match &mut self.ends {
            Some(ends) => merge(ends, &variables.whole),
            None => self.ends = Some(variables.whole.clone()),
        }
    }
}

/// Keeps for certain only what both hold for certain.
fn merge(whole: &mut BTreeMap<String, bool>, other: &BTreeMap<String, bool>) {
    for (name, whole) in whole.iter_mut() {
        *whole &= other.get(name).copied().unwrap_or(false);
    }
}

impl Variables {
    pub(super) fn new(known: &[&str]) -> Self {
        let known: Vec<String> = known.iter().chain(&OUTSIDE).map(|name| (*name).to_owned()).collect();
        let whole = known.iter().map(|name| (name.clone(), true)).collect();
        Self { whole, saved: Vec::new(), set: Vec::new(), known, used: Vec::new() }
    }

    pub(super) fn enter_subshell(&mut self) {
        self.saved.push(self.whole.clone());
    }
    pub(super) fn leave_subshell(&mut self) {
        if let Some(saved) = self.saved.pop() {
            self.whole = saved;
        }
    }
    pub(super) fn enter_branch(&mut self) {
        self.saved.push(self.whole.clone());
    }
    /// Leaves a branch that may not have run.
    pub(super) fn leave_branch(&mut self) {
        let Some(before) = self.saved.pop() else { return };
        merge(&mut self.whole, &before);
    }

    /// The state here, for ways that part.
    pub(super) fn fork(&self) -> Fork {
        Fork { here: self.whole.clone(), ends: None }
    }
    pub(super) fn back_to(&mut self, fork: &Fork) {
        self.whole.clone_from(&fork.here);
    }
    /// Where the ways that do not leave the script come together.
    pub(super) fn join(&mut self, fork: Fork) {
        self.whole = fork.ends.unwrap_or(fork.here);
    }

    fn assign(&mut self, name: &str, range: TextRange, whole: bool) {
        self.whole.insert(name.to_owned(), whole);
        self.set.push((name.to_owned(), range));
    }

    pub(super) fn assign_each(&mut self, name: &plimsoll_parser::Text<'_>, words: &[Word<'_>]) {
        // What is split to be gone through may be split again, whatever is known of its value.
        let split = |word: &Word<'_>| word.parts.iter().any(|part| matches!(part, WordPart::Parameter(_)));
        let whole = !words.is_empty() && words.iter().all(|word| !split(word) && self.is_whole_word(word));
        self.assign(name, name.range, whole);
    }

    /// Takes over what a simple command sets.
    pub(super) fn follow(&mut self, simple: &Simple<'_>) {
        let Some(name) = simple.words.first() else {
            for assignment in &simple.assignments {
                let whole = match &assignment.value {
                    AssignedValue::Word(word) => self.is_whole_word(word) && !assignment.append,
                    AssignedValue::Array(_) => false,
                };
                self.assign(&assignment.name, assignment.range, whole);
            }
            return;
        };
        match name.raw.as_ref() {
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                for word in simple.words.iter().skip(1) {
                    let Some((variable, _)) = word.raw.split_once('=') else {
                        self.used.push((word.raw.to_string(), word.range, true));
                        continue;
                    };
                    let whole = self.is_whole_value(word);
                    self.whole.insert(variable.to_owned(), whole);
                    self.known.push(variable.to_owned());
                }
            }
            "read" => {
                for word in simple.words.iter().skip(1).filter(|word| !word.raw.starts_with('-')) {
                    self.assign(&word.raw, word.range, false);
                }
            }
            "unset" => {
                for word in simple.words.iter().skip(1) {
                    self.whole.insert(word.raw.to_string(), false);
                }
            }
            "getopts" | "mapfile" | "readarray" | "printf" => {
                for word in simple.words.iter().skip(1) {
                    self.known.push(word.raw.to_string());
                }
            }
            _ => {}
        }
    }

    pub(super) fn refer(&mut self, parameter: &Parameter<'_>) {
        let guarded = parameter.op.as_ref().is_some_and(|op| {
            use ParameterOpKind::{Alternative, Assign, Default, Error};
            matches!(op.kind, Default { .. } | Alternative { .. } | Assign { .. } | Error { .. })
        });
        if parameter.op.as_ref().is_some_and(|op| matches!(op.kind, ParameterOpKind::Assign { .. })) {
            self.known.push(parameter.name.to_string());
        }
        self.used.push((parameter.name.to_string(), parameter.range, guarded));
    }

    /// Counts the names in an arithmetic expression as used.
    pub(super) fn mention(&mut self, text: &plimsoll_parser::Text<'_>) {
        let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in names.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')) {
            self.used.push((name.to_owned(), text.range, true));
        }
    }

    /// Whether what the parameter gives can fall apart.
    pub(super) fn may_split(&self, parameter: &Parameter<'_>) -> bool {
        if parameter.length || matches!(parameter.name.as_str(), "?" | "#" | "$" | "!" | "-" | "@" | "_") {
            return false;
        }
        let quoted_alternative = parameter
            .op
            .as_ref()
            .is_some_and(|op| matches!(op.kind, ParameterOpKind::Alternative { .. }) && op.word.is_quoted());
        if quoted_alternative {
            return false;
        }
        let number =
            matches!(parameter.name.as_str(), "RANDOM" | "SECONDS" | "LINENO" | "UID" | "EUID" | "PPID" | "OPTIND");
        !number && !self.whole.get(parameter.name.as_str()).copied().unwrap_or(false)
    }

    fn is_whole_word(&self, word: &Word<'_>) -> bool {
        !word.parts.is_empty() && self.are_whole(&word.parts)
    }

    /// The same of what stands behind the `=` of `export NAME=value`.
    fn is_whole_value(&self, word: &Word<'_>) -> bool {
        let value = word.raw.split_once('=').map_or("", |(_, value)| value);
        !value.is_empty() && value != "\"\"" && value != "''" && self.are_whole(&word.parts)
    }

    fn are_whole(&self, parts: &[WordPart<'_>]) -> bool {
        parts.iter().all(|part| match part {
            WordPart::Literal(part) | WordPart::Single(part) | WordPart::AnsiC(part) => {
                !part.value.is_empty() && !part.value.contains([' ', '\t', '\n', '*', '?', '['])
            }
            WordPart::Glob(_) | WordPart::Command(_) | WordPart::Process(_) => false,
            WordPart::Double(double) => !double.parts.is_empty() && self.are_whole(&double.parts),
            WordPart::Parameter(parameter) => !self.may_split(parameter),
            WordPart::Arithmetic(_) => true,
            _ => false,
        })
    }

    /// Tells what was set and not used, or used and not set.
    pub(super) fn finish(&self, found: &mut Vec<Fact>) {
        for (name, range) in &self.set {
            let used = self.used.iter().any(|(other, _, _)| other == name) || self.known.contains(name);
            let first = self.set.iter().find(|(other, _)| other == name).is_some_and(|(_, place)| place == range);
            if !used
                && first
                && name != "_"
                && !["PATH", "IFS", "PS1", "HOME", "LANG", "LC_ALL", "DEBIAN_FRONTEND"].contains(&name.as_str())
            {
                found.push(Fact { kind: FactKind::UnusedVariable, range: *range, name: name.clone() });
            }
        }
        let mut told: Vec<&str> = Vec::new();
        for (name, range, guarded) in &self.used {
            let set = self.set.iter().any(|(other, _)| other == name) || self.known.contains(name);
            let plain = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if set || *guarded || !plain || told.contains(&name.as_str()) {
                continue;
            }
            let anywhere_guarded = self.used.iter().any(|(other, _, guarded)| other == name && *guarded);
            if anywhere_guarded {
                continue;
            }
            told.push(name);
            let kind = if name.contains(|c: char| c.is_ascii_lowercase()) {
                FactKind::UnsetVariable
            } else if self.known.iter().any(|known| is_misspelling(name, known)) {
                FactKind::MisspelledVariable
            } else {
                continue;
            };
            found.push(Fact { kind, range: *range, name: name.clone() });
        }
    }
}

/// Whether one letter makes the difference, in a name long enough for that to be no chance.
fn is_misspelling(name: &str, known: &str) -> bool {
    name.len() == known.len() && known.len() > 7 && name.bytes().zip(known.bytes()).filter(|(a, b)| a != b).count() == 1
}
