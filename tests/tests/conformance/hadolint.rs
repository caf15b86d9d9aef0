//! The structure of a file as hadolint's parser reads it. It does more than split: it removes quotes, takes images,
//! ports and mounts apart and leaves heredoc redirections out of commands, so ours is brought to that form first.

use crate::same;
use plimsoll_parser::image_ref::Written;
use plimsoll_parser::syntax::{Command, Copy, Flag, Healthcheck, Instruction, Kind, Mount, Pair};
use plimsoll_parser::{Dockerfile, Text, duration};
use serde_json::{Map, Value, json};

pub(crate) fn check(case: &Value) -> Result<(), String> {
    let text = case["dockerfile"].as_str().unwrap_or_default();
    let file = plimsoll_parser::parse(text);
    if case["rejected"] == true {
        let found = file.errors.iter().chain(&file.warnings).filter(|error| error.code != "no-build-stage").count();
        return if found > 0 { Ok(()) } else { Err("accepted without a word".to_owned()) };
    }
    let mut expected = case["ast"].clone();
    expected.as_array_mut().into_iter().flatten().for_each(one_blank);
    let mut found: Vec<(u32, Value)> = Vec::new();
    for directive in &file.directives {
        // hadolint reads one character where BuildKit refuses a longer value.
        let len = if directive.name.as_str() == "escape" { 1 } else { directive.value.len() };
        let value = directive.value.get(..len);
        found.push((directive.range.start, json!({"directive": directive.name.as_str(), "value": value})));
    }
    for comment in &file.comments {
        let within = file.instructions.iter().any(|instruction| instruction.range.contains(*comment));
        if !within {
            found.push((comment.start, json!({"comment": comment.of(text).strip_prefix('#')})));
        }
    }
    for instruction in &file.instructions {
        found.extend(read(&file, instruction).into_iter().map(|value| (instruction.range.start, value)));
    }
    found.sort_by_key(|(start, _)| *start);
    let mut found: Vec<Value> = found.into_iter().map(|(_, value)| value).collect();
    found.iter_mut().for_each(one_blank);
    same("ast", &expected, &Value::from(found))
}

/// How many blanks a continuation leaves in a command is told differently; one is enough.
fn one_blank(value: &mut Value) {
    if let Some(command) = value["command"].as_str() {
        let lines = command.split('\n').map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        value["command"] = lines.collect::<Vec<_>>().join("\n").into();
    }
}

fn read(file: &Dockerfile<'_>, instruction: &Instruction<'_>) -> Vec<Value> {
    let mut node = Map::new();
    node.insert("instruction".to_owned(), instruction.keyword.to_uppercase().into());
    let mut set = |key: &str, value: Value| {
        node.insert(key.to_owned(), value);
    };
    match &instruction.kind {
        Kind::From(from) => {
            let written = Written::of(&from.image);
            let part = |range: Option<std::ops::Range<usize>>| range.and_then(|range| from.image.get(range));
            set("registry", json!(part(written.registry)));
            set("name", json!(part(Some(written.name))));
            set("tag", json!(part(written.tag)));
            set("digest", json!(part(written.digest)));
            set("alias", json!(from.name.as_ref().map(Text::as_str)));
            set("platform", json!(from.platform.as_ref().map(Text::as_str)));
        }
        Kind::Copy(copy) | Kind::Add(copy) => {
            let heredocs = instruction.heredocs.iter().map(|heredoc| heredoc.name.as_str());
            let sources: Vec<&str> = heredocs.chain(copy.sources.iter().map(Text::as_str)).collect();
            set("sources", json!(sources));
            set("target", json!(copy.destination.as_str()));
            set("flags", copy_flags(copy, &instruction.flags));
        }
        Kind::Run(run) => {
            command(&run.command, instruction, &mut set);
            set("mounts", run.mounts().iter().map(|one| mount(one, file.text)).collect());
            for (key, value) in [("network", run.network()), ("security", run.security())] {
                value.iter().for_each(|value| set(key, value.as_str().into()));
            }
        }
        Kind::Cmd(text) | Kind::Entrypoint(text) => match escaped_exec(text, file.escape) {
            Some(words) => {
                set("form", "exec".into());
                set("command", words.into());
            }
            None => command(text, instruction, &mut set),
        },
        Kind::Shell(words) => {
            set("form", "exec".into());
            set("command", words.iter().map(Text::as_str).collect::<Vec<_>>().join(" ").into());
        }
        Kind::Healthcheck(Healthcheck::Cmd { command: text, .. }) => {
            command(text, instruction, &mut set);
            for flag in &instruction.flags {
                let value = flag.value.as_ref().map_or("", Text::as_str);
                let number = match flag.name.as_str() {
                    "retries" => value.parse::<i64>().ok(),
                    _ => duration::parse(value).ok().map(|nanoseconds| nanoseconds / 1_000_000_000),
                };
                set(&flag.name, number.into());
            }
        }
        Kind::Env(pairs) | Kind::Label(pairs) => {
            set("pairs", pairs.iter().map(|pair| plain(pair, file.escape)).collect());
        }
        Kind::Arg(declarations) => {
            let node = |declaration: &plimsoll_parser::syntax::ArgDecl<'_>| {
                let default = declaration.default.as_ref().filter(|default| !default.is_empty());
                json!({"instruction": "ARG", "name": declaration.name.as_str(),
                       "default": default.map(|default| unquoted(default, file.escape))})
            };
            return declarations.iter().map(node).collect();
        }
        Kind::Expose(ports) => set("ports", ports.iter().map(|port| exposed(port)).collect()),
        Kind::Maintainer(name) => set("value", name.as_str().into()),
        _ => {}
    }
    vec![node.into()]
}

/// hadolint takes the escape character for JSON's backslash; to BuildKit such text is no JSON and so the shell form.
fn escaped_exec(command: &Command<'_>, escape: char) -> Option<String> {
    let Command::Shell(text) = command else { return None };
    let words: Vec<String> = serde_json::from_str(&text.text.replace(escape, "\\")).ok()?;
    Some(words.join(" "))
}

fn command(command: &Command<'_>, instruction: &Instruction<'_>, set: &mut impl FnMut(&str, Value)) {
    let (form, text) = match command {
        Command::Exec { words, .. } => ("exec", words.iter().map(Text::as_str).collect::<Vec<_>>().join(" ")),
        Command::Shell(text) => ("shell", shell_text(&text.text, instruction)),
    };
    set("form", form.into());
    set("command", text.into());
}

/// What comes before a heredoc's operator; or, when the operator comes first, what follows its word and the body.
fn shell_text(text: &str, instruction: &Instruction<'_>) -> String {
    let Some(heredoc) = instruction.heredocs.first() else { return text.to_owned() };
    let (before, after) = text.split_once("<<").unwrap_or((text, ""));
    if !before.trim().is_empty() {
        return before.trim().to_owned();
    }
    let rest = after.trim_start_matches(['-', '\'', '"']).strip_prefix(heredoc.name.as_str()).unwrap_or_default();
    let rest = rest.trim_start_matches(['\'', '"']).trim();
    let body = heredoc.body.trim_end_matches('\n');
    if rest.is_empty() { body.to_owned() } else { format!("{rest}\n{body}") }
}

fn copy_flags(copy: &Copy<'_>, flags: &[Flag<'_>]) -> Value {
    let mut value = Map::new();
    for flag in flags {
        let read = match flag.name.as_str() {
            "link" => json!(copy.link),
            "parents" => json!(copy.parents),
            "keep-git-dir" => json!(copy.keep_git_dir),
            "unpack" => json!(copy.unpack),
            "exclude" => copy.exclude.iter().map(Text::as_str).collect(),
            _ => json!(flag.value.as_ref().map(Text::as_str)),
        };
        value.insert(flag.name.to_string(), read);
    }
    value.into()
}

fn mount(mount: &Mount<'_>, text: &str) -> Value {
    let mut value = Map::new();
    value.insert("type".to_owned(), mount.kind().into());
    for (name, keys) in [
        ("target", &["target", "dst", "destination"][..]),
        ("source", &["source", "src"]),
        ("from", &["from"]),
        ("id", &["id"]),
        ("sharing", &["sharing"]),
        ("mode", &["mode"]),
        ("uid", &["uid"]),
        ("gid", &["gid"]),
        ("size", &["size"]),
        ("env", &["env"]),
        ("relabel", &["relabel"]),
    ] {
        if let Some(option) = mount.get(keys) {
            value.insert(name.to_owned(), option.as_str().into());
        }
    }
    for (key, option) in &mount.options {
        let set = option.as_ref().is_none_or(|option| option.eq_ignore_ascii_case("true"));
        match key.as_str() {
            "ro" | "readonly" => value.insert("readonly".to_owned(), set.into()),
            "rw" | "readwrite" => value.insert("readonly".to_owned(), (!set).into()),
            "required" => value.insert("required".to_owned(), set.into()),
            // SELinux labels have a short form, whose case tells which is meant.
            "z" => {
                value.insert("relabel".to_owned(), if key.range.of(text) == "z" { "shared" } else { "private" }.into())
            }
            _ => None,
        };
    }
    value.into()
}

/// Quotes are removed; an escape goes before a blank, and inside quotes before a quote.
fn unquoted(value: &str, escape: char) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        if c == escape
            && chars.peek().is_some_and(|next| if quote.is_some() { Some(*next) == quote } else { *next == ' ' })
        {
            out.extend(chars.next());
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
        } else {
            out.push(c);
        }
    }
    out
}

fn plain(pair: &Pair<'_>, escape: char) -> Value {
    json!([pair.key.as_str(), if pair.legacy { pair.value.to_string() } else { unquoted(&pair.value, escape) }])
}

fn exposed(port: &str) -> Value {
    let (range, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let one = |text: &str| match text.parse::<u16>() {
        Ok(number) => json!({"port": number, "protocol": protocol}),
        Err(_) => json!({"variable": text}),
    };
    match range.split_once('-') {
        Some((from, to)) => json!({"from": one(from), "to": one(to)}),
        None => one(range),
    }
}
