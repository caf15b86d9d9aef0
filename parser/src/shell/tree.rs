//! The tree of a shell script. Every `range` is one of the author's file; ranges of children lie in those of their parents
//! (but for here-document bodies, which stand after the line that asks for them).

use super::{Dialect, Parts};
use crate::logical::Logical;
use crate::text::{Text, TextRange};
use std::borrow::Cow;

/// What one shell is given to run.
#[derive(Clone, Debug)]
pub struct Script<'s> {
    /// The language it was read as.
    pub dialect: Dialect,
    /// Its commands.
    pub list: List<'s>,
    /// Comments from `#` to the end of their line, in the order of the file.
    pub comments: Vec<TextRange>,
    /// What was not understood, in the order it was met. Empty when every byte has its place in the grammar.
    pub notes: Vec<Note>,
    /// All of it.
    pub range: TextRange,
}

/// Something in the text that the grammar does not explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What kind of thing.
    pub kind: NoteKind,
    /// The bytes it is about.
    pub range: TextRange,
    /// For people.
    pub message: String,
}

/// Why a note was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoteKind {
    /// A quote, bracket, substitution or here-document that is never closed.
    Unclosed,
    /// A word or operator where none can stand.
    Unexpected,
    /// Something is missing (a command after `&&`, a file after `>`, `then` after `if`).
    Missing,
    /// Nested deeper than [`super::MAX_DEPTH`].
    TooDeep,
}

/// Commands one after another.
#[derive(Clone, Debug, Default)]
pub struct List<'s> {
    /// Each with what separates it from the next.
    pub items: Vec<Item<'s>>,
    /// From the first item to the end of the last one's separator; where the list is empty, the place it would stand.
    pub range: TextRange,
}

/// One and-or list and its separator.
#[derive(Clone, Debug)]
pub struct Item<'s> {
    /// The commands.
    pub list: AndOr<'s>,
    /// What ends it.
    pub separator: Separator,
    /// Where the separator stands; empty for [`Separator::End`].
    pub separator_range: TextRange,
}

/// What ends an and-or list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Separator {
    /// The end of the script, or the word or bracket that closes what it stands in.
    End,
    /// `;`
    Semicolon,
    /// A line end.
    Newline,
    /// `&`: runs in the background.
    Background,
}

/// Pipelines joined by `&&` and `||`, which bind equally and from the left.
#[derive(Clone, Debug)]
pub struct AndOr<'s> {
    /// The first pipeline.
    pub first: Pipeline<'s>,
    /// The others, each with the operator before it.
    pub rest: Vec<Link<'s>>,
    /// From the first to the last.
    pub range: TextRange,
}

impl<'s> AndOr<'s> {
    /// Every pipeline with the operator before it.
    pub fn pipelines(&self) -> impl Iterator<Item = (Option<AndOrOp>, &Pipeline<'s>)> {
        std::iter::once((None, &self.first)).chain(self.rest.iter().map(|link| (Some(link.op), &link.pipeline)))
    }
}

/// An operator and the pipeline after it.
#[derive(Clone, Debug)]
pub struct Link<'s> {
    /// Which operator.
    pub op: AndOrOp,
    /// Where it stands.
    pub op_range: TextRange,
    /// What follows it.
    pub pipeline: Pipeline<'s>,
}

/// `&&` or `||`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AndOrOp {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Commands joined by `|` and `|&`; nearly always just one.
#[derive(Clone, Debug)]
pub struct Pipeline<'s> {
    /// The `!` in front of it.
    pub negated: Option<TextRange>,
    /// bash's reserved word `time` in front of a compound command. Before a simple one `time` is read as its first word.
    pub timed: Option<TextRange>,
    /// At least one.
    pub commands: Vec<Command<'s>>,
    /// The operators between, one fewer than commands.
    pub pipes: Vec<Pipe>,
    /// All of it.
    pub range: TextRange,
}

/// `|` or `|&`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipe {
    /// `|&`: standard error too.
    pub stderr: bool,
    /// Where it stands.
    pub range: TextRange,
}

/// One command.
#[derive(Clone, Debug)]
pub enum Command<'s> {
    /// A program or builtin with its words.
    Simple(Simple<'s>),
    /// `if`, `for`, `{ }`, …
    Compound(Box<Compound<'s>>),
    /// `name() { … }`, `function name { … }`
    Function(Box<Function<'s>>),
    /// Not understood.
    Opaque(Opaque<'s>),
}

impl Command<'_> {
    /// Where it stands.
    #[must_use]
    pub fn range(&self) -> TextRange {
        match self {
            Self::Simple(simple) => simple.range,
            Self::Compound(compound) => compound.range,
            Self::Function(function) => function.range,
            Self::Opaque(opaque) => opaque.range,
        }
    }
}

/// A program or builtin with its words.
#[derive(Clone, Debug, Default)]
pub struct Simple<'s> {
    /// `NAME=value` in front; alone they set shell variables.
    pub assignments: Vec<Assignment<'s>>,
    /// The program and its arguments; empty when only assignments or redirections stand there.
    pub words: Vec<Word<'s>>,
    /// Redirections, wherever they stand in it.
    pub redirects: Vec<Redirect<'s>>,
    /// All of it, here-document bodies excluded.
    pub range: TextRange,
}

/// What is kept of a command nobody understood, or of one in PowerShell or cmd.
#[derive(Clone, Debug)]
pub struct Opaque<'s> {
    /// Its words as far as blanks and quotes tell them.
    pub words: Vec<Word<'s>>,
    /// All of it.
    pub range: TextRange,
}

/// `NAME=value`, `NAME+=value`, `NAME[index]=value`, `NAME=(…)`
#[derive(Clone, Debug)]
pub struct Assignment<'s> {
    /// The variable.
    pub name: Text<'s>,
    /// What stands in the brackets.
    pub index: Option<Box<Word<'s>>>,
    /// `+=`
    pub append: bool,
    /// What follows the `=`.
    pub value: AssignedValue<'s>,
    /// From the name to the end of the value.
    pub range: TextRange,
}

/// What an assignment gives.
#[derive(Clone, Debug)]
pub enum AssignedValue<'s> {
    /// A word; empty for `NAME=`.
    Word(Word<'s>),
    /// `(…)`: words, `[key]=value` ones among them as written.
    Array(Vec<Word<'s>>),
}

/// `if`, `for`, `{ }`, … with the redirections behind it.
#[derive(Clone, Debug)]
pub struct Compound<'s> {
    /// Which one.
    pub kind: CompoundKind<'s>,
    /// Redirections of the whole.
    pub redirects: Vec<Redirect<'s>>,
    /// From its first word or bracket to the end of the last redirection.
    pub range: TextRange,
}

/// The compound commands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CompoundKind<'s> {
    /// `{ …; }`
    Brace(List<'s>),
    /// `( … )`
    Subshell(List<'s>),
    /// `if …; then …; elif …; then …; else …; fi`
    If {
        /// Conditions and what they guard: the `if` and each `elif`.
        branches: Vec<Branch<'s>>,
        /// After `else`.
        otherwise: Option<List<'s>>,
    },
    /// `while …; do …; done`, `until …; do …; done`
    While {
        /// `until`
        until: bool,
        /// The condition.
        condition: List<'s>,
        /// Between `do` and `done`.
        body: List<'s>,
    },
    /// `for name in words; do …; done`, and `select`
    For {
        /// `select`
        select: bool,
        /// The variable.
        name: Text<'s>,
        /// The words after `in`; none means the positional parameters.
        words: Option<Vec<Word<'s>>>,
        /// Between `do` and `done`.
        body: List<'s>,
    },
    /// `for ((a; b; c)); do …; done`
    ArithmeticFor {
        /// What stands between the double parentheses.
        header: Arithmetic<'s>,
        /// Between `do` and `done`.
        body: List<'s>,
    },
    /// `case word in pattern) … ;; esac`
    Case {
        /// What is compared.
        word: Word<'s>,
        /// The arms.
        arms: Vec<Arm<'s>>,
    },
    /// `(( … ))`
    Arithmetic(Arithmetic<'s>),
    /// `[[ … ]]`: its words, operators (`&&`, `==`, `(`, `<`) among them as words.
    Test(Vec<Word<'s>>),
    /// `coproc [NAME] command`
    Coproc(Box<Command<'s>>),
}

/// A condition and what it guards.
#[derive(Clone, Debug)]
pub struct Branch<'s> {
    /// Between `if` or `elif` and `then`.
    pub condition: List<'s>,
    /// After `then`.
    pub body: List<'s>,
}

/// One arm of `case`.
#[derive(Clone, Debug)]
pub struct Arm<'s> {
    /// Separated by `|`.
    pub patterns: Vec<Word<'s>>,
    /// What is run.
    pub body: List<'s>,
    /// What ends it.
    pub end: ArmEnd,
    /// From the first pattern (or its opening parenthesis) to the terminator.
    pub range: TextRange,
}

/// What ends an arm of `case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArmEnd {
    /// `;;`, or the last one's missing terminator.
    Break,
    /// `;&`
    FallThrough,
    /// `;;&`
    Continue,
}

/// A function definition.
#[derive(Clone, Debug)]
pub struct Function<'s> {
    /// Its name.
    pub name: Text<'s>,
    /// The word `function` where it is written.
    pub keyword: Option<TextRange>,
    /// Its body with the redirections behind it.
    pub body: Command<'s>,
    /// All of it.
    pub range: TextRange,
}

/// A redirection.
#[derive(Clone, Debug)]
pub struct Redirect<'s> {
    /// The descriptor in front: a number, or `{name}` in bash.
    pub fd: Option<Text<'s>>,
    /// Which one.
    pub op: RedirectOp,
    /// Where the operator stands.
    pub op_range: TextRange,
    /// The file, the descriptor, the here-string, or the here-document's delimiter.
    pub target: Word<'s>,
    /// The body of `<<` and `<<-`.
    pub heredoc: Option<Box<HereDoc<'s>>>,
    /// Descriptor, operator and target.
    pub range: TextRange,
}

/// The redirection operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedirectOp {
    /// `<`
    Input,
    /// `>`
    Output,
    /// `>>`
    Append,
    /// `>|`
    Clobber,
    /// `<>`
    ReadWrite,
    /// `<&`
    DuplicateInput,
    /// `>&`
    DuplicateOutput,
    /// `&>`: both outputs (bash; to dash it is `&` and `>`)
    OutputBoth,
    /// `&>>`
    AppendBoth,
    /// `<<`
    HereDoc,
    /// `<<-`
    HereDocStrip,
    /// `<<<`
    HereString,
}

/// The body of a here-document.
#[derive(Clone, Debug)]
pub struct HereDoc<'s> {
    /// The delimiter, quotes removed.
    pub delimiter: Cow<'s, str>,
    /// Whether nothing in the body is expanded: the delimiter is quoted.
    pub quoted: bool,
    /// `<<-`: leading tabs are removed.
    pub strip: bool,
    /// The lines between, with their line ends, leading tabs already removed for `<<-`. Can be read by [`super::parse`] again
    /// where it is a script.
    pub body: Logical<'s>,
    /// What is expanded in it; nothing when it is quoted.
    pub parts: Vec<WordPart<'s>>,
    /// The lines between as they stand in the file.
    pub range: TextRange,
    /// The closing line without its end; empty when it is missing.
    pub close: TextRange,
}

/// A word: what becomes one argument, or several, or none, once it is expanded.
#[derive(Clone, Debug, Default)]
pub struct Word<'s> {
    /// As written, quotes included; continuations of the Dockerfile are gone from it.
    pub raw: Cow<'s, str>,
    /// Its pieces in order; they tile the word.
    pub parts: Parts<'s>,
    /// Where it stands.
    pub range: TextRange,
}

/// A piece of a word.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WordPart<'s> {
    /// Unquoted text, escapes removed. Tildes and braces stand in it as written.
    Literal(Literal<'s>),
    /// Unquoted pattern: `*`, `?`, `[a-z]`, `@(a|b)`.
    Glob(Literal<'s>),
    /// `'…'`
    Single(Literal<'s>),
    /// `$'…'`, escapes decoded.
    AnsiC(Literal<'s>),
    /// `"…"` and `$"…"`
    Double(Double<'s>),
    /// `$name`, `${…}`
    Parameter(Box<Parameter<'s>>),
    /// `$(…)` and `` `…` ``
    Command(Box<Substitution<'s>>),
    /// `$((…))` and `$[…]`
    Arithmetic(Box<Arithmetic<'s>>),
    /// `<(…)` and `>(…)`
    Process(Box<Substitution<'s>>),
    /// `(…)` behind `name=` in an argument of `declare`, `local`, `export` and their like.
    Array(Box<Array<'s>>),
}

/// The words of an array.
#[derive(Clone, Debug)]
pub struct Array<'s> {
    /// `[key]=value` ones among them as written.
    pub words: Vec<Word<'s>>,
    /// Parentheses included.
    pub range: TextRange,
}

impl WordPart<'_> {
    /// Where it stands.
    #[must_use]
    pub fn range(&self) -> TextRange {
        match self {
            Self::Literal(part) | Self::Glob(part) | Self::Single(part) | Self::AnsiC(part) => part.range,
            Self::Double(part) => part.range,
            Self::Parameter(part) => part.range,
            Self::Command(part) | Self::Process(part) => part.range,
            Self::Arithmetic(part) => part.range,
            Self::Array(part) => part.range,
        }
    }
}

/// Text that is known before anything runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal<'s> {
    /// Quotes and escapes removed.
    pub value: Cow<'s, str>,
    /// Quotes included.
    pub range: TextRange,
}

/// `"…"`
#[derive(Clone, Debug)]
pub struct Double<'s> {
    /// What stands in it: literals, parameters, substitutions.
    pub parts: Vec<WordPart<'s>>,
    /// `$"…"`
    pub translated: bool,
    /// Quotes included.
    pub range: TextRange,
}

/// `$name`, `$1`, `$@`, `${name…}`
#[derive(Clone, Debug)]
pub struct Parameter<'s> {
    /// The variable, positional or special parameter (`@`, `*`, `#`, `?`, `-`, `$`, `!`, `0`).
    pub name: Text<'s>,
    /// Whether it stands in braces.
    pub braces: bool,
    /// `${!name}`
    pub indirect: bool,
    /// `${#name}`
    pub length: bool,
    /// `${name[index]}`
    pub index: Option<Word<'s>>,
    /// What is done with the value.
    pub op: Option<ParameterOp<'s>>,
    /// From the `$` to the end.
    pub range: TextRange,
}

/// What `${name…}` does with the value.
#[derive(Clone, Debug)]
pub struct ParameterOp<'s> {
    /// Which operation.
    pub kind: ParameterOpKind,
    /// Where the operator stands.
    pub op_range: TextRange,
    /// What follows it; of a replacement the pattern, of a substring the offset.
    pub word: Word<'s>,
    /// The replacement, or the substring's length.
    pub second: Option<Word<'s>>,
}

/// The operations of `${name…}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParameterOpKind {
    /// `-`, and `:-` where `empty_too`
    Default {
        /// With the colon.
        empty_too: bool,
    },
    /// `=`, `:=`
    Assign {
        /// With the colon.
        empty_too: bool,
    },
    /// `?`, `:?`
    Error {
        /// With the colon.
        empty_too: bool,
    },
    /// `+`, `:+`
    Alternative {
        /// With the colon.
        empty_too: bool,
    },
    /// `#`, `##`
    RemovePrefix {
        /// Doubled.
        longest: bool,
    },
    /// `%`, `%%`
    RemoveSuffix {
        /// Doubled.
        longest: bool,
    },
    /// `/`, `//`, `/#`, `/%`
    Replace {
        /// `//`
        all: bool,
    },
    /// `:offset:length`
    Substring,
    /// `^`, `^^`, `,`, `,,`, `~`, `~~`
    Case,
    /// `@Q` and its like
    Transform,
    /// `${!prefix*}`, `${!prefix@}`
    Names,
}

/// A nested script: `$(…)`, `` `…` ``, `<(…)`, `>(…)`
#[derive(Clone, Debug)]
pub struct Substitution<'s> {
    /// Its commands.
    pub list: List<'s>,
    /// Which form.
    pub form: SubstitutionForm,
    /// Brackets included.
    pub range: TextRange,
}

/// The forms of a nested script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubstitutionForm {
    /// `$(…)`
    Dollar,
    /// `` `…` ``
    Backquote,
    /// `<(…)`
    Input,
    /// `>(…)`
    Output,
}

/// An arithmetic expression: its text and the expansions in it.
#[derive(Clone, Debug)]
pub struct Arithmetic<'s> {
    /// What stands between the brackets, as written.
    pub text: Text<'s>,
    /// Literals and expansions.
    pub parts: Vec<WordPart<'s>>,
    /// Brackets included.
    pub range: TextRange,
}

impl<'s> Word<'s> {
    /// What the word says where nothing in it is expanded by the shell; none where a parameter, substitution or arithmetic
    /// stands in it. Patterns (`*.deb`), tildes and braces are given as written: see [`Word::has_glob`].
    #[must_use]
    pub fn literal(&self) -> Option<Cow<'s, str>> {
        match self.parts.as_slice() {
            [] => Some(Cow::Borrowed("")),
            [WordPart::Literal(part) | WordPart::Glob(part) | WordPart::Single(part) | WordPart::AnsiC(part)] => {
                Some(part.value.clone())
            }
            parts => {
                let mut text = String::new();
                push_literals(parts, &mut text).then_some(Cow::Owned(text))
            }
        }
    }

    /// What the word says with each expansion replaced by `hole`.
    #[must_use]
    pub fn literal_with(&self, hole: &str) -> String {
        fn push(parts: &[WordPart<'_>], hole: &str, text: &mut String) {
            for part in parts {
                match part {
                    WordPart::Literal(part) | WordPart::Glob(part) | WordPart::Single(part) | WordPart::AnsiC(part) => {
                        text.push_str(&part.value);
                    }
                    WordPart::Double(double) => push(&double.parts, hole, text),
                    _ => text.push_str(hole),
                }
            }
        }
        let mut text = String::new();
        push(&self.parts, hole, &mut text);
        text
    }

    /// Whether the word is exactly `text`, nothing in it expanded.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self.parts.as_slice() {
            [WordPart::Literal(part) | WordPart::Single(part)] => part.value == text,
            _ => self.literal().is_some_and(|literal| literal == text),
        }
    }

    /// Whether any of it stands in quotes.
    #[must_use]
    pub fn is_quoted(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, WordPart::Single(_) | WordPart::AnsiC(_) | WordPart::Double(_)))
    }

    /// Whether an unquoted pattern stands in it.
    #[must_use]
    pub fn has_glob(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, WordPart::Glob(_)))
    }

    /// Every parameter in it, also in double quotes and in operands; not those of nested scripts.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Parameter<'s>> {
        fn gather<'t, 's>(parts: &'t [WordPart<'s>], found: &mut Vec<&'t Parameter<'s>>) {
            for part in parts {
                match part {
                    WordPart::Double(double) => gather(&double.parts, found),
                    WordPart::Arithmetic(arithmetic) => gather(&arithmetic.parts, found),
                    WordPart::Parameter(parameter) => {
                        found.push(parameter);
                        if let Some(index) = &parameter.index {
                            gather(&index.parts, found);
                        }
                        if let Some(op) = &parameter.op {
                            gather(&op.word.parts, found);
                            if let Some(second) = &op.second {
                                gather(&second.parts, found);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        let mut found = Vec::new();
        gather(&self.parts, &mut found);
        found
    }
}

fn push_literals(parts: &[WordPart<'_>], text: &mut String) -> bool {
    parts.iter().all(|part| match part {
        WordPart::Literal(part) | WordPart::Glob(part) | WordPart::Single(part) | WordPart::AnsiC(part) => {
            text.push_str(&part.value);
            true
        }
        WordPart::Double(double) => push_literals(&double.parts, text),
        _ => false,
    })
}
