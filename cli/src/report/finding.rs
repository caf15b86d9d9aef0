//! Findings as reports show them: lines and columns, no ranges. These types are the output's contract; the model's may move.

use plimsoll_analyzer::diagnostic::{Diagnostic, Severity};
use plimsoll_parser::{LineIndex, TextRange};
use serde::Serialize;

/// A place in a file, counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The file as it was named.
    pub file: String,
    /// First character.
    pub start: Place,
    /// Just after the last character.
    pub end: Place,
    /// The rule's id.
    pub rule: String,
    /// Its names in other linters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// `error`, `warning`, `info` or `style`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What it costs, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What would mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<FixOut>,
    /// Bytes of the file it is about.
    #[serde(skip)]
    pub range: TextRange,
    /// The instruction it is in.
    #[serde(skip)]
    pub instruction: TextRange,
    /// Where other linters put it.
    #[serde(skip)]
    pub anchor: Place,
    /// Other places with what is there.
    #[serde(skip)]
    pub labels: Vec<(TextRange, String)>,
}

/// A fix as tools read it.
#[derive(Clone, Debug, Serialize)]
pub struct FixOut {
    /// What it does.
    pub title: String,
    /// `safe`, `unsafe` or `manual`.
    pub applicability: &'static str,
    /// The edits, sorted and disjoint.
    pub edits: Vec<EditOut>,
}

/// One edit.
#[derive(Clone, Debug, Serialize)]
pub struct EditOut {
    /// First character that goes.
    pub start: Place,
    /// Just after the last one.
    pub end: Place,
    /// What comes.
    pub text: String,
}

/// One file with what was found in it.
pub struct Checked {
    /// The file as it was named.
    pub file: String,
    /// Its text.
    pub text: String,
    /// What was found, in the order of the file.
    pub findings: Vec<Finding>,
}

fn place(index: &LineIndex<'_>, offset: u32) -> Place {
    let (line, column) = index.line_col(offset);
    Place { line, column }
}

impl Finding {
    /// A diagnostic with its places looked up.
    pub fn new(file: &str, index: &LineIndex<'_>, diagnostic: &Diagnostic, instruction: TextRange) -> Self {
        let fix = diagnostic.fix.as_ref().map(|fix| FixOut {
            title: fix.title().to_owned(),
            applicability: fix.applicability().as_str(),
            edits: fix
                .edits()
                .iter()
                .map(|edit| EditOut {
                    start: place(index, edit.range.start),
                    end: place(index, edit.range.end),
                    text: edit.text.clone(),
                })
                .collect(),
        });
        Self {
            file: file.to_owned(),
            start: place(index, diagnostic.range.start),
            end: place(index, diagnostic.range.end),
            rule: diagnostic.rule.to_owned(),
            aliases: diagnostic.aliases.iter().map(|&a| a.to_owned()).collect(),
            severity: diagnostic.severity.as_str(),
            message: diagnostic.message.to_string(),
            help: diagnostic.help.as_ref().map(ToString::to_string),
            bytes: diagnostic.bytes,
            fix,
            range: diagnostic.range,
            instruction,
            anchor: place(index, diagnostic.anchor.unwrap_or(diagnostic.range.start)),
            labels: diagnostic.labels.iter().map(|l| (l.range, l.text.to_string())).collect(),
        }
    }

    /// Its severity as an order: 0 is the gravest.
    pub fn rank(&self) -> Severity {
        self.severity.parse().unwrap_or(Severity::Info)
    }

    /// The rule with the names people may know it by: `apt-lists-kept (DL3009)`.
    pub fn rule_with_aliases(&self) -> String {
        if self.aliases.is_empty() { self.rule.clone() } else { format!("{} ({})", self.rule, self.aliases.join(", ")) }
    }
}
