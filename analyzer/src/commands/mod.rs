//! What the commands of a RUN do: one file per family of programs, over one flat list of the simple commands.

pub mod apk;
pub mod apt;
pub mod effect;
pub mod files;
pub mod node;
pub mod pip;
pub mod rpm;
pub mod ruby;
pub mod toolchain;
pub mod transfer;
pub mod users;

pub use effect::{Effect, Install, Manager, Package};

use plimsoll_parser::TextRange;
use plimsoll_parser::shell::{self, AndOrOp, AssignedValue, EnclosureKind, Failure, Placed, Script, Word, WordPart};
use std::borrow::Cow;

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg<'m> {
    /// What it says: quotes and escapes removed, expansions as `${name}` and `$(…)`.
    pub text: Cow<'m, str>,
    /// Whether nothing in it is expanded, so that the text is what the program gets.
    pub known: bool,
    /// Whether any of it stands in quotes.
    pub quoted: bool,
    /// Whether an unquoted pattern stands in it.
    pub glob: bool,
    /// Where it stands.
    pub range: TextRange,
}

impl Arg<'_> {
    /// Whether it is written as an option: a dash and something after it.
    #[must_use]
    pub fn is_flag(&self) -> bool {
        self.text.len() > 1 && self.text.starts_with('-')
    }
}

/// Where a command stands in its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How many compounds, functions and substitutions it stands in.
    pub depth: usize,
    /// Which item of the list that holds it.
    pub item: usize,
    /// Which pipeline of its and-or list.
    pub link: usize,
    /// Which command of its pipeline.
    pub stage: usize,
    /// Whether its pipeline has more than one command.
    pub piped: bool,
    /// The operator before its pipeline.
    pub before: Option<AndOrOp>,
    /// The operator after its pipeline.
    pub after: Option<AndOrOp>,
    /// What becomes of its failure.
    pub failure: Failure,
    /// Whether a `!` stands before it.
    pub negated: bool,
    /// Whether it runs in the background.
    pub background: bool,
    /// Whether it may not run at all, or more than once: in a branch, a loop, a function, after `||`.
    pub conditional: bool,
    /// Whether what it changes in the shell (directory, variables) ends with it: subshells, substitutions, pipelines.
    pub contained: bool,
}

/// One simple command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmd<'m> {
    /// The program as written; what follows `exec`, `command`, `builtin` and `busybox` where these come first.
    pub name: Cow<'m, str>,
    /// Whether nothing in the name is expanded.
    pub name_known: bool,
    /// Where the name stands.
    pub name_range: TextRange,
    /// What follows the name.
    pub args: Vec<Arg<'m>>,
    /// `NAME=value` in front of it.
    pub assignments: Vec<(Cow<'m, str>, Cow<'m, str>)>,
    /// From its first word (a wrapper's too) to its last.
    pub words_range: TextRange,
    /// All of it with assignments and redirections.
    pub range: TextRange,
    /// Whether it redirects its standard output.
    pub redirected: bool,
    /// Where it stands in its script.
    pub place: Place,
}

impl<'m> Cmd<'m> {
    /// Reads a command of a script; nothing for one without words (`A=b`, `> file`).
    fn read(placed: &Placed<'_, 'm>) -> Option<Self> {
        let simple = placed.command;
        let mut words = simple.words.iter();
        let first = words.next()?;
        let mut name = first;
        if matches!(first.raw.as_ref(), "exec" | "command" | "builtin" | "busybox") {
            match words.clone().next() {
                Some(next) if !next.raw.starts_with('-') => {
                    name = next;
                    words.next();
                }
                _ => {}
            }
        }
        let (text, known) = text_of(name);
        let args = words.map(arg_of).collect();
        let mut conditional = placed.before == Some(AndOrOp::Or);
        let mut contained = placed.pipeline.commands.len() > 1 || placed.background;
        for enclosure in placed.inside.iter() {
            match enclosure.kind {
                EnclosureKind::Brace => {}
                EnclosureKind::Subshell
                | EnclosureKind::CommandSubstitution
                | EnclosureKind::ProcessSubstitution
                | EnclosureKind::HereDoc
                | EnclosureKind::Coproc => contained = true,
                _ => conditional = true,
            }
        }
        // `a || b && c`: c runs whichever of a and b did; but `a && b || c` makes everything before uncertain only for c.
        let words_range = match simple.words.last() {
            Some(last) => first.range.cover(last.range),
            None => first.range,
        };
        let assignments = simple
            .assignments
            .iter()
            .map(|assignment| {
                let value = match &assignment.value {
                    AssignedValue::Word(word) => text_of(word).0,
                    AssignedValue::Array(_) => Cow::Borrowed(""),
                };
                (assignment.name.value.clone(), value)
            })
            .collect();
        Some(Self {
            name: text,
            name_known: known,
            name_range: name.range,
            args,
            assignments,
            words_range,
            range: simple.range,
            redirected: simple.redirects.iter().any(|redirect| {
                use shell::RedirectOp::{Append, AppendBoth, Clobber, Output, OutputBoth};
                matches!(redirect.op, Output | Append | Clobber | OutputBoth | AppendBoth)
                    && redirect.fd.as_ref().is_none_or(|fd| fd.as_str() == "1")
            }),
            place: Place {
                depth: placed.inside.len(),
                item: placed.item,
                link: placed.link,
                stage: placed.stage,
                piped: placed.pipeline.commands.len() > 1,
                before: placed.before,
                after: placed.after,
                failure: placed.failure,
                negated: placed.negated,
                background: placed.background,
                conditional,
                contained,
            },
        })
    }

    /// The one command of an exec form, whose words no shell touches.
    pub(crate) fn of_words(words: &[plimsoll_parser::Text<'m>], range: TextRange) -> Option<Self> {
        let (name, rest) = words.split_first()?;
        Some(Self {
            name: name.value.clone(),
            name_known: true,
            name_range: name.range,
            args: rest
                .iter()
                .map(|word| Arg { text: word.value.clone(), known: true, quoted: true, glob: false, range: word.range })
                .collect(),
            assignments: Vec::new(),
            words_range: range,
            range,
            redirected: false,
            place: Place {
                depth: 0,
                item: 0,
                link: 0,
                stage: 0,
                piped: false,
                before: None,
                after: None,
                failure: Failure::Counts,
                negated: false,
                background: false,
                conditional: false,
                contained: false,
            },
        })
    }

    /// Whether the program is called `name`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }
    /// Whether the program is one of `names`.
    #[must_use]
    pub fn is_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.name == *name)
    }
    /// The program's name without its directory.
    #[must_use]
    pub fn program(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
    /// The arguments that are not written as options.
    pub fn plain(&self) -> impl Iterator<Item = &Arg<'m>> {
        self.args.iter().filter(|arg| !arg.text.starts_with('-'))
    }
    /// Whether an argument is exactly `text`.
    #[must_use]
    pub fn has_arg(&self, text: &str) -> bool {
        self.args.iter().any(|arg| arg.text == text)
    }
    /// Whether an argument is one of `texts`.
    #[must_use]
    pub fn has_any_arg(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.has_arg(text))
    }
    /// Whether the option of this name is there: one letter (`y`, also within `-qy`) or a long name (`--yes`, `--yes=…`).
    #[must_use]
    pub fn has_flag(&self, name: &str) -> bool {
        self.args.iter().any(|arg| flag_is(&arg.text, name))
    }
    /// Whether one of these options is there.
    #[must_use]
    pub fn has_any_flag(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has_flag(name))
    }
    /// How often the one-letter option stands there.
    #[must_use]
    pub fn count_flag(&self, letter: char) -> usize {
        let short = |arg: &&Arg<'m>| arg.text.starts_with('-') && !arg.text.starts_with("--");
        self.args.iter().filter(short).map(|arg| arg.text.chars().skip(1).filter(|c| *c == letter).count()).sum()
    }
    /// The value of a long or short option, after `=` or as the next word.
    #[must_use]
    pub fn value_of(&self, names: &[&str]) -> Option<&Arg<'m>> {
        let at = self.args.iter().position(|arg| names.iter().any(|name| arg.text == *name))?;
        self.args.get(at + 1)
    }
    /// The first argument that is no option: `install` of `apt-get -y install`.
    #[must_use]
    pub fn subcommand(&self) -> Option<&Arg<'m>> {
        self.plain().next()
    }
    /// Whether the first argument that is no option is `name`.
    #[must_use]
    pub fn does(&self, name: &str) -> bool {
        self.subcommand().is_some_and(|arg| arg.text == name)
    }
    /// Where its last word ends.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.words_range.end
    }
}

fn flag_is(text: &str, name: &str) -> bool {
    match text.strip_prefix("--") {
        Some(long) => name.len() > 1 && long.split('=').next() == Some(name),
        None => match text.strip_prefix('-') {
            Some(short) => name.len() == 1 && short.contains(name),
            None => false,
        },
    }
}

/// All simple commands of a script, in the order of the text.
#[must_use]
pub fn read<'m>(script: &Script<'m>) -> Vec<Cmd<'m>> {
    script.simple_commands().iter().filter_map(Cmd::read).collect()
}

fn arg_of<'m>(word: &Word<'m>) -> Arg<'m> {
    let (text, known) = text_of(word);
    Arg { text, known, quoted: word.is_quoted(), glob: word.has_glob(), range: word.range }
}

/// What a word says, and whether that is all it says.
#[must_use]
pub fn text_of<'m>(word: &Word<'m>) -> (Cow<'m, str>, bool) {
    if let Some(literal) = word.literal() {
        return (literal, true);
    }
    let mut text = String::new();
    push_parts(&word.parts, &mut text);
    (Cow::Owned(text), false)
}

fn push_parts(parts: &[WordPart<'_>], text: &mut String) {
    for part in parts {
        match part {
            WordPart::Literal(part) | WordPart::Glob(part) | WordPart::Single(part) | WordPart::AnsiC(part) => {
                text.push_str(&part.value);
            }
            WordPart::Double(double) => push_parts(&double.parts, text),
            WordPart::Parameter(parameter) => {
                text.push_str("${");
                text.push_str(&parameter.name);
                text.push('}');
            }
            WordPart::Command(_) | WordPart::Process(_) => text.push_str("$(…)"),
            WordPart::Arithmetic(_) => text.push_str("$((…))"),
            _ => text.push('…'),
        }
    }
}
