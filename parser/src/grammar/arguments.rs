//! Arguments as BuildKit's first step leaves them: split by the rules of the keyword, before any check.

use super::{KEYWORDS, Keyword, Line, Reader, head, json, pairs, words};
use crate::syntax::{Dockerfile, Instruction, Pair};
use crate::text::Text;

/// What stands after an instruction's flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arguments<'s> {
    /// Words or one text.
    Words {
        /// The words; a command in the shell form, or a value such as WORKDIR's, is one.
        words: Vec<Text<'s>>,
        /// Whether they were written as a JSON array.
        json: bool,
    },
    /// Names and values of ENV and LABEL.
    Pairs(Vec<Pair<'s>>),
    /// The instruction of an ONBUILD.
    Trigger(Box<Trigger<'s>>),
    /// The keyword is not known, and so is how its arguments would be split.
    Unknown,
}

/// The instruction of an ONBUILD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger<'s> {
    /// Its keyword as written.
    pub keyword: Text<'s>,
    /// Its flags as the builder reads them: `--name=value`.
    pub flags: Vec<String>,
    /// Its arguments.
    pub arguments: Arguments<'s>,
}

impl<'s> Dockerfile<'s> {
    /// The arguments of an instruction as they are split before any check, also where the instruction is broken.
    #[must_use]
    pub fn arguments(&self, instruction: &Instruction<'s>) -> Arguments<'s> {
        arguments(instruction, self.escape)
    }
}

impl<'s> Instruction<'s> {
    /// The flags as BuildKit's first step keeps them: `--name=value`, quotes and escapes removed.
    #[must_use]
    pub fn flag_words(&self) -> Vec<String> {
        let word = |flag: &crate::syntax::Flag<'_>| match &flag.value {
            Some(value) => format!("--{}={}", flag.name.value, value.value),
            None => format!("--{}", flag.name.value),
        };
        self.flags.iter().map(word).collect()
    }
}

pub(crate) fn arguments<'s>(instruction: &Instruction<'s>, escape: char) -> Arguments<'s> {
    let Some((_, keyword)) = KEYWORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&instruction.keyword)) else {
        return Arguments::Unknown;
    };
    let reader = &mut Reader { escape, errors: &mut Vec::new(), warnings: &mut Vec::new(), trigger: true };
    let logical = &instruction.logical;
    let args = head(logical).args;
    let (word, flags) = (instruction.keyword.range, instruction.flags.as_slice());
    let line = Line { keyword: *keyword, word, logical, flags, args: args.clone() };
    let whole = || if args.is_empty() { Vec::new() } else { vec![logical.slice(args.clone())] };
    let plain = |words| Arguments::Words { words, json: false };
    let or_json = |args: std::ops::Range<usize>, reader: &mut Reader<'_>| match json::array(logical, args, reader) {
        Some(json::Array::Words { words, .. }) => Some(words),
        _ => None,
    };
    match keyword {
        Keyword::Workdir | Keyword::User | Keyword::Maintainer | Keyword::Stopsignal => plain(whole()),
        Keyword::From | Keyword::Expose => plain(words::split(logical, args).collect()),
        Keyword::Arg => {
            let places = words::quoted(&logical.text, args, escape);
            plain(places.map(|place| logical.slice(place)).collect())
        }
        Keyword::Env | Keyword::Label => Arguments::Pairs(pairs::split(&line, reader).unwrap_or_default()),
        Keyword::Run | Keyword::Cmd | Keyword::Entrypoint | Keyword::Shell => match or_json(args.clone(), reader) {
            Some(words) => Arguments::Words { words, json: true },
            None => plain(whole()),
        },
        Keyword::Copy | Keyword::Add | Keyword::Volume => match or_json(args.clone(), reader) {
            Some(words) => Arguments::Words { words, json: true },
            None => plain(words::split(logical, args).collect()),
        },
        Keyword::Healthcheck => {
            let text = line.text();
            let word = text.find(|c: char| c.is_ascii_whitespace() || c == '\u{b}').unwrap_or(text.len());
            let rest = text.get(word..).unwrap_or_default();
            let rest = args.end - rest.trim_start().len()..args.end;
            let mut words = Vec::new();
            if word > 0 {
                words.push(logical.slice(args.start..args.start + word));
            }
            match or_json(rest.clone(), reader) {
                Some(command) => {
                    words.extend(command);
                    Arguments::Words { words, json: true }
                }
                None => {
                    words.extend((!rest.is_empty()).then(|| logical.slice(rest)));
                    plain(words)
                }
            }
        }
        Keyword::Onbuild if args.is_empty() || instruction.in_onbuild => plain(whole()),
        Keyword::Onbuild => {
            let logical = logical.sub(args);
            let range = logical.full_range();
            let trigger = super::instruction(logical, range, reader);
            let arguments = arguments(&trigger, escape);
            let flags = trigger.flag_words();
            Arguments::Trigger(Box::new(Trigger { keyword: trigger.keyword, flags, arguments }))
        }
    }
}
