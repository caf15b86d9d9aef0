//! `plimsoll parse`: the tree of a Dockerfile, for tools and for people who report a bug.

use crate::exit::Exit;
use crate::{Global, files};
use miette::Result;
use plimsoll_parser::source::{LineIndex, Source};
use plimsoll_parser::syntax::{Command, Dockerfile, Heredoc, Instruction, Kind, Pair, SyntaxError};
use plimsoll_parser::{Text, TextRange, shell};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Print how a Dockerfile is read
///
/// The tree has every instruction with its byte ranges; the JSON form is meant for other tools. Exit code 1 when the
/// builder would refuse the file.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The Dockerfile; `-` is standard input
    #[arg(value_name = "FILE", default_value = "Dockerfile")]
    file: PathBuf,
    /// How it is printed
    #[arg(long, value_enum, default_value = "tree")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Indented, for people
    Tree,
    /// With all ranges
    Json,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let source = Source::new(files::read(&args.file)?);
    let text = source.text();
    let tree = plimsoll_parser::parse(text);
    let index = LineIndex::new(text);
    match args.format {
        Format::Tree => crate::terminal::out!("{}", tree_text(&tree, &index)),
        Format::Json => {
            let value = tree_json(&tree, &source);
            crate::terminal::outln!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
        }
    }
    let shown = crate::report::syntax::errors(&args.file.display().to_string(), text, &tree, global.color.stderr());
    eprint!("{shown}");
    Ok(if tree.errors.is_empty() { Exit::Clean } else { Exit::Findings })
}

fn tree_text(tree: &Dockerfile<'_>, index: &LineIndex<'_>) -> String {
    let mut out = String::new();
    for directive in &tree.directives {
        let _ = writeln!(out, "directive {} = {}", directive.name.value, directive.value.value);
    }
    for instruction in &tree.instructions {
        instruction_text(&mut out, instruction, index, "");
    }
    out
}

fn instruction_text(out: &mut String, instruction: &Instruction<'_>, index: &LineIndex<'_>, indent: &str) {
    let (line, column) = index.line_col(instruction.range.start);
    let _ = writeln!(
        out,
        "{indent}{} {line}:{column} {:?} {}",
        instruction.keyword.value.to_uppercase(),
        instruction.range,
        variant(&instruction.kind)
    );
    for flag in &instruction.flags {
        let value = flag.value.as_ref().map(|value| format!("={}", value.value)).unwrap_or_default();
        let _ = writeln!(out, "{indent}  --{}{value} {:?}", flag.name.value, flag.range);
    }
    if let Kind::Onbuild(inner) = &instruction.kind {
        instruction_text(out, inner, index, &format!("{indent}  "));
        return;
    }
    for (name, text) in values(&instruction.kind) {
        let _ = writeln!(out, "{indent}  {name} {:?} {:?}", text.value, text.range);
    }
    for heredoc in &instruction.heredocs {
        let quoted = if heredoc.expand { "" } else { " quoted" };
        let chomp = if heredoc.chomp { " tabs removed" } else { "" };
        let _ = writeln!(out, "{indent}  heredoc {}{quoted}{chomp} {:?}", heredoc.name.value, heredoc.body.range);
    }
}

fn variant(kind: &Kind<'_>) -> &'static str {
    match kind {
        Kind::Unknown(_) => "unknown",
        Kind::Broken(_) => "broken",
        Kind::Run(run) => form(&run.command),
        Kind::Cmd(command) | Kind::Entrypoint(command) => form(command),
        _ => "",
    }
}

fn form(command: &Command<'_>) -> &'static str {
    match command {
        Command::Shell(_) => "shell form",
        Command::Exec { .. } => "exec form",
    }
}

/// The arguments with a name each.
fn values<'k, 's>(kind: &'k Kind<'s>) -> Vec<(String, Text<'s>)> {
    let one = |name: &str, text: &Text<'s>| (name.to_owned(), text.clone());
    let many = |name: &str, texts: &'k [Text<'s>]| texts.iter().map(|text| one(name, text)).collect::<Vec<_>>();
    let pairs =
        |pairs: &'k [Pair<'s>]| pairs.iter().map(|pair| (pair.key.value.to_string(), pair.value.clone())).collect();
    match kind {
        Kind::From(from) => {
            let mut found = vec![one("image", &from.image)];
            found.extend(from.name.iter().map(|name| one("stage", name)));
            found
        }
        Kind::Run(run) => command_values(&run.command),
        Kind::Cmd(command) | Kind::Entrypoint(command) => command_values(command),
        Kind::Shell(words) | Kind::Expose(words) | Kind::Volume(words) => many("word", words),
        Kind::Copy(copy) | Kind::Add(copy) => {
            let mut found = many("source", &copy.sources);
            found.push(one("destination", &copy.destination));
            found
        }
        Kind::Env(list) | Kind::Label(list) => pairs(list),
        Kind::Arg(list) => list
            .iter()
            .map(|arg| (arg.name.value.to_string(), arg.default.clone().unwrap_or_else(|| arg.name.clone())))
            .collect(),
        Kind::Workdir(text) => vec![one("path", text)],
        Kind::User(text) => vec![one("user", text)],
        Kind::Stopsignal(text) => vec![one("signal", text)],
        Kind::Maintainer(text) => vec![one("name", text)],
        Kind::Healthcheck(plimsoll_parser::syntax::Healthcheck::Cmd { command, .. }) => command_values(command),
        Kind::Unknown(text) | Kind::Broken(text) => vec![one("text", text)],
        _ => Vec::new(),
    }
}

fn command_values<'s>(command: &Command<'s>) -> Vec<(String, Text<'s>)> {
    match command {
        Command::Shell(logical) => vec![("shell".to_owned(), logical.to_text())],
        Command::Exec { words, .. } => words.iter().map(|word| ("word".to_owned(), word.clone())).collect(),
    }
}

fn range(range: TextRange) -> Value {
    json!([range.start, range.end])
}

fn text(text: &Text<'_>) -> Value {
    json!({ "value": text.value, "range": range(text.range) })
}

fn tree_json(tree: &Dockerfile<'_>, source: &Source) -> Value {
    json!({
        "version": 1,
        "length": tree.text.len(),
        "escape": tree.escape,
        "directives": tree.directives.iter().map(|directive| json!({
            "name": text(&directive.name), "value": text(&directive.value), "range": range(directive.range),
        })).collect::<Vec<_>>(),
        "comments": tree.comments.iter().map(|comment| range(*comment)).collect::<Vec<_>>(),
        "invalid_utf8": source.invalid().iter().map(|place| range(*place)).collect::<Vec<_>>(),
        "instructions": tree.instructions.iter().map(instruction_json).collect::<Vec<_>>(),
        "errors": tree.errors.iter().map(error_json).collect::<Vec<_>>(),
        "warnings": tree.warnings.iter().map(error_json).collect::<Vec<_>>(),
    })
}

fn error_json(error: &SyntaxError) -> Value {
    json!({
        "code": error.code, "stage": format!("{:?}", error.stage).to_lowercase(),
        "message": error.message, "range": range(error.range), "help": error.help,
    })
}

fn instruction_json(instruction: &Instruction<'_>) -> Value {
    let mut object = Map::new();
    object.insert("keyword".to_owned(), text(&instruction.keyword));
    object.insert("range".to_owned(), range(instruction.range));
    let flags = instruction.flags.iter();
    let flags = flags.map(
        |flag| json!({ "name": text(&flag.name), "value": flag.value.as_ref().map(text), "range": range(flag.range) }),
    );
    object.insert("flags".to_owned(), flags.collect());
    match &instruction.kind {
        Kind::Onbuild(inner) => {
            object.insert("trigger".to_owned(), instruction_json(inner));
        }
        Kind::Unknown(_) => {
            object.insert("unknown".to_owned(), json!(true));
        }
        Kind::Broken(_) => {
            object.insert("broken".to_owned(), json!(true));
        }
        _ => {}
    }
    let arguments = values(&instruction.kind).into_iter();
    let arguments =
        arguments.map(|(name, value)| json!({ "name": name, "value": value.value, "range": range(value.range) }));
    object.insert("arguments".to_owned(), arguments.collect());
    if let Kind::Run(run) = &instruction.kind
        && let Command::Shell(script) = &run.command
    {
        let script = shell::parse(script, shell::Dialect::Bash);
        let commands = script.simple_commands();
        let commands = commands.into_iter().map(|found| {
            let command = &found.command;
            json!({
                "range": range(command.range),
                "words": command.words.iter().map(|word| json!({ "raw": word.raw, "range": range(word.range) })).collect::<Vec<_>>(),
            })
        });
        object.insert("commands".to_owned(), commands.collect());
    }
    object.insert("heredocs".to_owned(), instruction.heredocs.iter().map(heredoc_json).collect());
    Value::Object(object)
}

fn heredoc_json(heredoc: &Heredoc<'_>) -> Value {
    json!({
        "name": text(&heredoc.name), "fd": heredoc.fd, "expand": heredoc.expand, "chomp": heredoc.chomp,
        "operator": range(heredoc.operator), "body": text(&heredoc.body), "close": range(heredoc.close),
    })
}
