//! The tree of a Dockerfile: typed instructions over the author's text.
//!
//! Everything carries byte ranges of the file. Values are what the builder reads *before* variables are expanded:
//! quotes and escapes are still in them wherever the builder's word expansion removes them later (see [`crate::word`]).

use crate::logical::Logical;
use crate::text::{Text, TextRange};

/// A Dockerfile as its author wrote it.
#[derive(Clone, Debug)]
pub struct Dockerfile<'s> {
    /// The file.
    pub text: &'s str,
    /// Parser directives at the top (`# syntax=`, `# escape=`, `# check=`).
    pub directives: Vec<Directive<'s>>,
    /// The escape character in force: `\` or `` ` ``.
    pub escape: char,
    /// Every instruction in the order of the file, unknown and broken ones included.
    pub instructions: Vec<Instruction<'s>>,
    /// Lines that are comments and belong to no directive, wherever they stand (inside continuations too), ascending.
    /// From the `#` to the end of the line, line end excluded. Comments in heredoc bodies are not here: they are content.
    pub comments: Vec<TextRange>,
    /// What is wrong, in the order of the file.
    pub errors: Vec<SyntaxError>,
    /// What the builder accepts though it cannot be meant: blank lines inside a continuation (`empty-continuation`, which
    /// the builder warns of too), a mount's option set twice (`mount-option-repeated`).
    pub warnings: Vec<SyntaxError>,
}

/// One parser directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive<'s> {
    /// Lower case name.
    pub name: Text<'s>,
    /// Its value, trimmed.
    pub value: Text<'s>,
    /// The whole line without its end.
    pub range: TextRange,
}

/// One instruction with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct Instruction<'s> {
    /// The keyword as written.
    pub keyword: Text<'s>,
    /// From the keyword's first byte to the last byte of its text or of its last heredoc's closing line; no line end.
    pub range: TextRange,
    /// The comment lines that stand directly above it (no blank line between), as indices of [`Dockerfile::comments`].
    pub comments_above: std::ops::Range<u32>,
    /// From the keyword on, joined over continuations; heredoc bodies are not part of it.
    pub logical: Logical<'s>,
    /// `--name` and `--name=value` before the arguments.
    pub flags: Vec<Flag<'s>>,
    /// What it says.
    pub kind: Kind<'s>,
    /// Heredocs in the order of their operators.
    pub heredocs: Vec<Heredoc<'s>>,
    /// For the trigger of an ONBUILD: whether this instruction stands inside one.
    pub in_onbuild: bool,
}

/// One `--name` or `--name=value` option of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag<'s> {
    /// Without the dashes.
    pub name: Text<'s>,
    /// After the `=`, quotes and escapes removed as the builder does.
    pub value: Option<Text<'s>>,
    /// From the first dash to the end of the value.
    pub range: TextRange,
}

/// A heredoc of RUN, COPY or ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc<'s> {
    /// The delimiter word without quotes.
    pub name: Text<'s>,
    /// The file descriptor in front of `<<`, 0 when none is written.
    pub fd: u32,
    /// Whether variables in the body are expanded: the delimiter is not quoted.
    pub expand: bool,
    /// `<<-`: leading tabs of the body are removed.
    pub chomp: bool,
    /// The operator and its delimiter, `<<-'EOF'`.
    pub operator: TextRange,
    /// The lines between, each with its line end, as written.
    pub body: Text<'s>,
    /// The closing delimiter's line without line end; empty when the file ends before it.
    pub close: TextRange,
}

/// What an instruction says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Kind<'s> {
    /// `FROM [--platform=] image [AS name]`
    From(Box<From<'s>>),
    /// `RUN [flags] command`
    Run(Run<'s>),
    /// `CMD command`
    Cmd(Command<'s>),
    /// `ENTRYPOINT command`
    Entrypoint(Command<'s>),
    /// `SHELL ["program", …]`
    Shell(Vec<Text<'s>>),
    /// `COPY [flags] source… destination`
    Copy(Box<Copy<'s>>),
    /// `ADD [flags] source… destination`
    Add(Box<Copy<'s>>),
    /// `ENV name=value …` or `ENV name value`
    Env(Vec<Pair<'s>>),
    /// `LABEL name=value …` or `LABEL name value`
    Label(Vec<Pair<'s>>),
    /// `ARG name[=default] …`
    Arg(Vec<ArgDecl<'s>>),
    /// `WORKDIR path`
    Workdir(Text<'s>),
    /// `USER user[:group]`
    User(Text<'s>),
    /// `EXPOSE port…`
    Expose(Vec<Text<'s>>),
    /// `VOLUME path…`
    Volume(Vec<Text<'s>>),
    /// `STOPSIGNAL signal`
    Stopsignal(Text<'s>),
    /// `HEALTHCHECK …`
    Healthcheck(Healthcheck<'s>),
    /// `MAINTAINER name`
    Maintainer(Text<'s>),
    /// `ONBUILD instruction`
    Onbuild(Box<Instruction<'s>>),
    /// A keyword the builder does not know. The rest is its text.
    Unknown(Text<'s>),
    /// A known keyword whose arguments are wrong; an error says why. The rest is its text.
    Broken(Text<'s>),
}

/// `FROM`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From<'s> {
    /// `--platform=`
    pub platform: Option<Text<'s>>,
    /// The image, a stage's name, `scratch`, or a word with variables.
    pub image: Text<'s>,
    /// The `AS` word as written.
    pub as_keyword: Option<Text<'s>>,
    /// The name after `AS`, as written (the builder folds it to lower case).
    pub name: Option<Text<'s>>,
}

/// `RUN`
#[derive(Clone, Debug)]
pub struct Run<'s> {
    /// What is run. For a heredoc script (`RUN <<EOF`) the shell text is the line with the operator; see [`Instruction::heredocs`].
    pub command: Command<'s>,
    /// What its flags say, where it has any.
    pub options: Option<Box<RunOptions<'s>>>,
}

/// What the flags of a RUN say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions<'s> {
    /// `--mount=`
    pub mounts: Vec<Mount<'s>>,
    /// `--network=`
    pub network: Option<Text<'s>>,
    /// `--security=`
    pub security: Option<Text<'s>>,
    /// `--device=`
    pub devices: Vec<Text<'s>>,
}

impl<'s> Run<'s> {
    /// Its `--mount`s.
    #[must_use]
    pub fn mounts(&self) -> &[Mount<'s>] {
        self.options.as_ref().map_or(&[], |options| &options.mounts)
    }
    /// Its `--network`.
    #[must_use]
    pub fn network(&self) -> Option<&Text<'s>> {
        self.options.as_ref()?.network.as_ref()
    }
    /// Its `--security`.
    #[must_use]
    pub fn security(&self) -> Option<&Text<'s>> {
        self.options.as_ref()?.security.as_ref()
    }
    /// Its `--device`s.
    #[must_use]
    pub fn devices(&self) -> &[Text<'s>] {
        self.options.as_ref().map_or(&[], |options| &options.devices)
    }
}

/// One `--mount=key=value,…`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount<'s> {
    /// Keys (lower case) and values in order; a key without `=` has no value.
    pub options: Vec<(Text<'s>, Option<Text<'s>>)>,
    /// The whole flag.
    pub range: TextRange,
}

impl<'s> Mount<'s> {
    /// The value of the first of `keys` that is there.
    #[must_use]
    pub fn get(&self, keys: &[&str]) -> Option<&Text<'s>> {
        self.options.iter().find(|(key, _)| keys.contains(&key.as_str())).and_then(|(_, value)| value.as_ref())
    }
    /// Whether one of `keys` is set: written alone, or with a true value (`ro`, `readonly=true`).
    #[must_use]
    pub fn is_set(&self, keys: &[&str]) -> bool {
        self.options.iter().any(|(key, value)| {
            keys.contains(&key.as_str())
                && value.as_ref().is_none_or(|v| matches!(v.as_str(), "true" | "1" | "t" | "T" | "TRUE" | "True"))
        })
    }
    /// The mount's type; `bind` where none is written.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.get(&["type"]).map_or("bind", Text::as_str)
    }
}

/// What a `--device=` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The device's CDI name.
    pub name: String,
    /// Whether the step fails where there is none.
    pub required: bool,
}

impl Device {
    /// Reads the value of a `--device`; nothing where it is wrong, which an error of the file says.
    #[must_use]
    pub fn of(value: &Text<'_>) -> Option<Self> {
        crate::grammar::device(value).ok()
    }
}

/// A command in one of its two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'s> {
    /// Text for the shell in force.
    Shell(Logical<'s>),
    /// A JSON array of words; `range` runs from the `[` to the `]`.
    Exec {
        /// The words, JSON escapes removed.
        words: Vec<Text<'s>>,
        /// From the bracket to the bracket.
        range: TextRange,
    },
}

/// `COPY` and `ADD`
#[derive(Clone, Debug)]
pub struct Copy<'s> {
    /// Sources in order. One that is a heredoc operator is not here but in [`Instruction::heredocs`].
    pub sources: Vec<Text<'s>>,
    /// Where they go.
    pub destination: Text<'s>,
    /// Whether the JSON form was used.
    pub json: bool,
    /// `--from=` (COPY)
    pub from: Option<Text<'s>>,
    /// `--chown=`
    pub chown: Option<Text<'s>>,
    /// `--chmod=`
    pub chmod: Option<Text<'s>>,
    /// `--link`
    pub link: bool,
    /// `--parents` (COPY)
    pub parents: bool,
    /// `--exclude=`
    pub exclude: Vec<Text<'s>>,
    /// `--checksum=` (ADD)
    pub checksum: Option<Text<'s>>,
    /// `--keep-git-dir` (ADD)
    pub keep_git_dir: Option<bool>,
    /// `--unpack` (ADD); nothing when not written.
    pub unpack: Option<bool>,
}

/// One name and value of ENV or LABEL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<'s> {
    /// The name as written, quotes included.
    pub key: Text<'s>,
    /// The value as written, quotes included.
    pub value: Text<'s>,
    /// Whether it is the blank-separated form.
    pub legacy: bool,
    /// From the name to the end of the value.
    pub range: TextRange,
}

/// One name of ARG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgDecl<'s> {
    /// The name.
    pub name: Text<'s>,
    /// What follows the `=`, as written.
    pub default: Option<Text<'s>>,
    /// From the name to the end of the default.
    pub range: TextRange,
}

/// `HEALTHCHECK`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck<'s> {
    /// `HEALTHCHECK NONE`
    None,
    /// `HEALTHCHECK [--interval= …] CMD command`
    Cmd {
        /// The command. Options stand in [`Instruction::flags`].
        command: Command<'s>,
        /// The word `CMD`.
        keyword: TextRange,
    },
}

/// Something wrong with the file, worded for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// A stable name, kebab-case (`unknown-instruction`, `unterminated-heredoc`).
    pub code: &'static str,
    /// At which stage the builder refuses it.
    pub stage: ErrorStage,
    /// What is wrong; the builder's own term stands in it where there is one.
    pub message: String,
    /// The bytes it is about.
    pub range: TextRange,
    /// What to write instead.
    pub help: Option<String>,
}

impl SyntaxError {
    /// An error without help.
    #[must_use]
    pub fn new(code: &'static str, stage: ErrorStage, range: TextRange, message: impl Into<String>) -> Self {
        Self { code, stage, message: message.into(), range, help: None }
    }
    /// The same with what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// At which stage BuildKit refuses a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorStage {
    /// While splitting it into instructions.
    Syntax,
    /// While reading an instruction's flags and arguments.
    Instruction,
    /// While resolving stages, names and mounts.
    Build,
}
