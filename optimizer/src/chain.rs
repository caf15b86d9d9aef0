//! A RUN that is nothing but commands joined by `&&`: the only kind that moves take apart.

use plimsoll_parser::shell::{self, AndOrOp, Dialect, Separator};
use plimsoll_parser::syntax::{Command, Instruction, Kind};
use plimsoll_parser::{Edit, TextRange};

/// The commands of such a RUN.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) links: Vec<Link>,
}

/// One command of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Its words, quotes removed.
    pub(crate) words: Vec<Word>,
    /// Whether it sets variables in front or redirects.
    pub(crate) decorated: bool,
    pub(crate) range: TextRange,
}

/// One word of a command.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    /// What it says; as written where something in it is expanded.
    pub(crate) text: String,
    /// Whether nothing in it is expanded by the shell.
    pub(crate) known: bool,
    pub(crate) range: TextRange,
}

impl Chain {
    /// The chain of a RUN; nothing for an exec form, a heredoc, or anything else than simple commands and `&&`.
    pub(crate) fn of(instruction: &Instruction<'_>, dialect: Dialect) -> Option<Self> {
        let Kind::Run(run) = &instruction.kind else { return None };
        let Command::Shell(text) = &run.command else { return None };
        if !instruction.heredocs.is_empty() || !dialect.is_unix_shell() {
            return None;
        }
        let script = shell::parse(text, dialect);
        let [item] = script.list.items.as_slice() else { return None };
        if !script.notes.is_empty() || item.separator != Separator::End {
            return None;
        }
        let mut links = Vec::new();
        for (op, pipeline) in item.list.pipelines() {
            let [shell::Command::Simple(simple)] = pipeline.commands.as_slice() else { return None };
            if op == Some(AndOrOp::Or)
                || pipeline.negated.is_some()
                || pipeline.timed.is_some()
                || simple.words.is_empty()
            {
                return None;
            }
            let words = simple
                .words
                .iter()
                .map(|word| {
                    let literal = word.literal();
                    let known = literal.is_some() && (!word.has_glob() || word.is_quoted());
                    let text = literal.map_or_else(|| word.raw.to_string(), std::borrow::Cow::into_owned);
                    Word { text, known, range: word.range }
                })
                .collect();
            let decorated = !simple.assignments.is_empty() || !simple.redirects.is_empty();
            links.push(Link { words, decorated, range: simple.range });
        }
        (!links.is_empty()).then_some(Self { links })
    }

    /// Edits that take the commands out for which `gone` holds, with the `&&` that joins them. Nothing when none is left.
    pub(crate) fn without(&self, gone: &dyn Fn(usize) -> bool) -> Option<Vec<Edit>> {
        let mut edits = Vec::new();
        let mut kept: Option<&Link> = None;
        let mut last_gone: Option<&Link> = None;
        let mut first_gone: Option<&Link> = None;
        for (index, link) in self.links.iter().enumerate() {
            if gone(index) {
                first_gone = first_gone.or(Some(link));
                last_gone = Some(link);
                continue;
            }
            if let (Some(first), Some(last)) = (first_gone.take(), last_gone.take()) {
                edits.push(match kept {
                    Some(before) => Edit::delete(TextRange { start: before.range.end, end: last.range.end }),
                    None => Edit::delete(TextRange { start: first.range.start, end: link.range.start }),
                });
            }
            kept = Some(link);
        }
        let before = kept?;
        if let Some(last) = last_gone {
            edits.push(Edit::delete(TextRange { start: before.range.end, end: last.range.end }));
        }
        Some(edits)
    }
}

impl Link {
    /// The program without its directory.
    pub(crate) fn program(&self) -> &str {
        self.words.first().map_or("", |word| word.text.rsplit('/').next().unwrap_or_default())
    }
    /// The words after the program.
    pub(crate) fn args(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }
    /// Whether nothing in it is expanded.
    pub(crate) fn is_known(&self) -> bool {
        self.words.iter().all(|word| word.known)
    }
    /// Whether some word is exactly `text`.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.words.iter().any(|word| word.text == text)
    }
    /// The first word after the program that is no option.
    pub(crate) fn verb(&self) -> &str {
        self.args().iter().find(|word| !word.text.starts_with('-')).map_or("", |word| word.text.as_str())
    }
    /// All words in one line.
    pub(crate) fn line(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// The shell in force at each instruction, as SHELL sets it; every stage begins with sh.
pub(crate) fn dialects(instructions: &[Instruction<'_>]) -> Vec<Dialect> {
    let mut current = Dialect::Posix;
    instructions
        .iter()
        .map(|instruction| {
            match &instruction.kind {
                Kind::From(_) => current = Dialect::Posix,
                Kind::Shell(words) => {
                    current = words.first().map_or(Dialect::Other, |program| Dialect::of_shell(program));
                }
                _ => {}
            }
            current
        })
        .collect()
}
