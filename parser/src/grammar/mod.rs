//! Instructions: a keyword, its flags and its arguments, over their logical text.
//!
//! BuildKit reads an instruction in two steps, and so does this module: the line is split by the rules of its keyword
//! ([`split`]; what fails there is a [`ErrorStage::Syntax`] error and ends the build before anything else is looked
//! at), then flags and arguments are checked ([`ErrorStage::Instruction`]).

mod arguments;
mod copy;
mod flags;
mod from;
mod healthcheck;
pub(crate) mod json;
mod onbuild;
mod pairs;
mod run;
mod simple;
pub(crate) mod words;

pub(crate) use arguments::arguments as arguments_of;
pub use arguments::{Arguments, Trigger};
pub(crate) use run::{device, go_bool};

use crate::logical::Logical;
use crate::suggest;
use crate::syntax::{Command, ErrorStage, Flag, Instruction, Kind, SyntaxError};
use crate::text::TextRange;
use std::ops::Range;

/// The instructions of the Dockerfile reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
}

/// Every keyword in upper case.
pub(crate) const KEYWORDS: [(&str, Keyword); 18] = [
    ("ADD", Keyword::Add),
    ("ARG", Keyword::Arg),
    ("CMD", Keyword::Cmd),
    ("COPY", Keyword::Copy),
    ("ENTRYPOINT", Keyword::Entrypoint),
    ("ENV", Keyword::Env),
    ("EXPOSE", Keyword::Expose),
    ("FROM", Keyword::From),
    ("HEALTHCHECK", Keyword::Healthcheck),
    ("LABEL", Keyword::Label),
    ("MAINTAINER", Keyword::Maintainer),
    ("ONBUILD", Keyword::Onbuild),
    ("RUN", Keyword::Run),
    ("SHELL", Keyword::Shell),
    ("STOPSIGNAL", Keyword::Stopsignal),
    ("USER", Keyword::User),
    ("VOLUME", Keyword::Volume),
    ("WORKDIR", Keyword::Workdir),
];

impl Keyword {
    /// Keywords are not case-sensitive (Dockerfile reference, "Format").
    pub(crate) fn of(word: &str) -> Option<Self> {
        let bytes = word.as_bytes();
        if bytes.len() > 7 {
            let long = [
                ("ENTRYPOINT", Self::Entrypoint),
                ("HEALTHCHECK", Self::Healthcheck),
                ("MAINTAINER", Self::Maintainer),
                ("STOPSIGNAL", Self::Stopsignal),
            ];
            return long.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, keyword)| keyword);
        }
        Some(match packed(bytes) {
            RUN => Self::Run,
            COPY => Self::Copy,
            FROM => Self::From,
            ENV => Self::Env,
            ADD => Self::Add,
            ARG => Self::Arg,
            CMD => Self::Cmd,
            USER => Self::User,
            LABEL => Self::Label,
            SHELL => Self::Shell,
            EXPOSE => Self::Expose,
            VOLUME => Self::Volume,
            WORKDIR => Self::Workdir,
            ONBUILD => Self::Onbuild,
            _ => return None,
        })
    }

    /// Whether `<<` opens a heredoc in it (Dockerfile reference, "Here-Documents").
    pub(crate) fn takes_heredocs(self) -> bool {
        matches!(self, Self::Add | Self::Copy | Self::Run)
    }
}

const RUN: u64 = packed(b"RUN");
const COPY: u64 = packed(b"COPY");
const FROM: u64 = packed(b"FROM");
const ENV: u64 = packed(b"ENV");
const ADD: u64 = packed(b"ADD");
const ARG: u64 = packed(b"ARG");
const CMD: u64 = packed(b"CMD");
const USER: u64 = packed(b"USER");
const LABEL: u64 = packed(b"LABEL");
const SHELL: u64 = packed(b"SHELL");
const EXPOSE: u64 = packed(b"EXPOSE");
const VOLUME: u64 = packed(b"VOLUME");
const WORKDIR: u64 = packed(b"WORKDIR");
const ONBUILD: u64 = packed(b"ONBUILD");

/// A word of up to seven letters in upper case as one number; the leading one tells its length.
const fn packed(mut word: &[u8]) -> u64 {
    let mut number = 1;
    while let [first, rest @ ..] = word {
        number = number << 8 | first.to_ascii_uppercase() as u64;
        word = rest;
    }
    number
}

/// What an instruction is read with.
pub(crate) struct Reader<'e> {
    /// The escape character.
    pub(crate) escape: char,
    pub(crate) errors: &'e mut Vec<SyntaxError>,
    pub(crate) warnings: &'e mut Vec<SyntaxError>,
    /// Inside an ONBUILD: BuildKit checks the trigger's arguments only in the stage that runs it.
    pub(crate) trigger: bool,
}

impl Reader<'_> {
    /// The line cannot be split: BuildKit stops reading the file here.
    pub(crate) fn syntax(&mut self, code: &'static str, range: TextRange, message: impl Into<String>, help: &str) {
        self.errors.push(SyntaxError::new(code, ErrorStage::Syntax, range, message).with_help(help));
    }

    /// Flags or arguments are wrong.
    pub(crate) fn wrong(&mut self, code: &'static str, range: TextRange, message: impl Into<String>, help: &str) {
        if !self.trigger {
            self.errors.push(SyntaxError::new(code, ErrorStage::Instruction, range, message).with_help(help));
        }
    }

    /// The builder takes it, but nobody can have meant it.
    pub(crate) fn warn(&mut self, code: &'static str, range: TextRange, message: impl Into<String>, help: &str) {
        self.warnings.push(SyntaxError::new(code, ErrorStage::Instruction, range, message).with_help(help));
    }
}

/// An instruction's line, taken apart as far as that goes without knowing the keyword.
pub(crate) struct Head<'s> {
    pub(crate) keyword: Range<usize>,
    pub(crate) flags: Vec<Flag<'s>>,
    /// The arguments without blanks around them.
    pub(crate) args: Range<usize>,
}

/// Splits `logical` into keyword, flags and arguments.
#[inline]
pub(crate) fn head<'s>(logical: &Logical<'s>) -> Head<'s> {
    let text = &*logical.text;
    let start = text.len() - words::trim_start(text).len();
    let end = words::trim_end(text).len().max(start);
    let bytes = text.as_bytes().get(..end).unwrap_or_default();
    let keyword_end = words::blank(bytes, start);
    let rest = words::blanks(bytes, keyword_end);
    let keyword = start..keyword_end;
    if matches!(bytes.get(rest), Some(b'.'..=b'~' | b'!'..=b',')) {
        return Head { keyword, flags: Vec::new(), args: rest..end };
    }
    let (flags, args) = flags::read(logical, rest..end);
    Head { keyword, flags, args: args..end }
}

/// Reads one instruction. `range` is where it stands, heredocs not yet included.
pub(crate) fn instruction<'s>(logical: Logical<'s>, range: TextRange, reader: &mut Reader<'_>) -> Instruction<'s> {
    let Head { keyword: place, flags, args } = head(&logical);
    let keyword = logical.slice(place);
    let kind = match Keyword::of(&keyword) {
        Some(known) => {
            let line = Line { keyword: known, word: keyword.range, logical: &logical, flags: &flags, args };
            kind(&line, reader).unwrap_or_else(|| Kind::Broken(logical.slice(line.args.clone())))
        }
        None => {
            let place = if keyword.range.is_empty() { range } else { keyword.range };
            unknown(&keyword, place, reader);
            Kind::Unknown(logical.slice(args))
        }
    };
    let (comments_above, heredocs, in_onbuild) = (0..0, Vec::new(), reader.trigger);
    Instruction { keyword, range, comments_above, logical, flags, kind, heredocs, in_onbuild }
}

fn kind<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    match line.keyword {
        Keyword::From => from::read(line, reader),
        Keyword::Run => run::run(line, reader),
        Keyword::Cmd => run::command(line, reader).map(Kind::Cmd),
        Keyword::Entrypoint => run::command(line, reader).map(Kind::Entrypoint),
        Keyword::Shell => run::shell(line, reader),
        Keyword::Copy | Keyword::Add => copy::read(line, reader),
        Keyword::Env => pairs::pairs(line, reader).map(Kind::Env),
        Keyword::Label => pairs::pairs(line, reader).map(Kind::Label),
        Keyword::Arg => pairs::arg(line, reader),
        Keyword::Healthcheck => healthcheck::read(line, reader),
        Keyword::Onbuild => onbuild::read(line, reader),
        Keyword::Workdir => simple::one(line, reader).map(Kind::Workdir),
        Keyword::User => simple::one(line, reader).map(Kind::User),
        Keyword::Maintainer => simple::one(line, reader).map(Kind::Maintainer),
        Keyword::Stopsignal => simple::one(line, reader).map(Kind::Stopsignal),
        Keyword::Expose => simple::expose(line, reader),
        Keyword::Volume => simple::volume(line, reader),
    }
}

fn unknown(word: &str, range: TextRange, reader: &mut Reader<'_>) {
    let meant = suggest::keyword(word, KEYWORDS.iter().map(|(name, _)| *name));
    let message = match &meant {
        Some(meant) => format!("unknown instruction: {word} (did you mean {meant}?)"),
        None => format!("unknown instruction: {word}"),
    };
    let glued = KEYWORDS.iter().find(|(name, _)| {
        let head = word.get(..name.len()).unwrap_or_default();
        let next = word.get(name.len()..).and_then(|rest| rest.chars().next());
        head.eq_ignore_ascii_case(name) && next.is_some_and(|c| !c.is_alphanumeric())
    });
    let help = match (meant, glued) {
        (Some(meant), _) => format!("write {meant}"),
        (None, Some((name, _))) => format!("put a blank after {name}"),
        (None, None) if matches!(word, "&&" | "||" | "|" | ";") || word.starts_with('-') => {
            format!("the line before has to end with {} for this one to belong to it", reader.escape)
        }
        (None, None) => "an instruction begins with a keyword such as FROM, RUN or COPY".to_owned(),
    };
    reader.wrong("unknown-instruction", range, message, &help);
}

/// What the reader of a keyword's arguments works on.
pub(crate) struct Line<'i, 's> {
    pub(crate) keyword: Keyword,
    /// Where the keyword stands.
    pub(crate) word: TextRange,
    pub(crate) logical: &'i Logical<'s>,
    pub(crate) flags: &'i [Flag<'s>],
    /// The arguments in the logical text, flags and blanks around them left out.
    pub(crate) args: Range<usize>,
}

impl<'i, 's> Line<'i, 's> {
    pub(crate) fn logical(&self) -> &'i Logical<'s> {
        self.logical
    }

    /// The keyword in upper case, as messages name it.
    pub(crate) fn name(&self) -> &'static str {
        KEYWORDS.iter().find(|(_, keyword)| *keyword == self.keyword).map_or("", |(name, _)| name)
    }

    /// The arguments as the builder reads them.
    pub(crate) fn text(&self) -> &str {
        self.logical().text.get(self.args.clone()).unwrap_or_default()
    }

    /// The arguments' place, or the keyword's when there are none.
    pub(crate) fn place(&self) -> TextRange {
        if self.args.is_empty() { self.word } else { self.logical().range(self.args.clone()) }
    }

    /// The arguments as a command in one of its forms.
    pub(crate) fn command(&self, args: Range<usize>, reader: &mut Reader<'_>) -> Option<Command<'s>> {
        match json::array(self.logical(), args.clone(), reader)? {
            json::Array::Words { words, range } => Some(Command::Exec { words, range }),
            json::Array::No => Some(Command::Shell(self.logical().sub(args))),
        }
    }

    /// Refuses a line for having no argument.
    pub(crate) fn missing_argument<T>(&self, reader: &mut Reader<'_>) -> Option<T> {
        let name = self.name();
        let message = format!("{name} requires at least one argument");
        let help = format!("write what {name} is for, or take the line out");
        reader.wrong("missing-argument", self.place(), message, &help);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_known_in_any_case() {
        for (name, keyword) in KEYWORDS {
            assert_eq!(Keyword::of(name), Some(keyword));
            assert_eq!(Keyword::of(&name.to_lowercase()), Some(keyword));
        }
        for word in ["", "R", "RUNN", "RAN", "FORM", "COPY:", "healthchecks", "\0RUN", "\u{1}WORKDIR"] {
            assert_eq!(Keyword::of(word), None, "{word}");
        }
    }
}
