//! What holds for every Dockerfile; shared by the property tests and the fuzz targets.

use plimsoll_parser::syntax::{Command, Copy, Healthcheck, Instruction, Kind, SyntaxError};
use plimsoll_parser::{Dockerfile, Text, TextRange, parse};

/// Reads a text and asserts that its tokens give it back and that every range lies inside of what holds it.
pub(crate) fn check_file(text: &str) {
    let file = parse(text);
    let mut at = 0;
    for token in file.tokens() {
        assert_eq!(token.range.start as usize, at);
        assert!(!token.range.is_empty() && text.get(token.range.to_usize()).is_some(), "{token:?} in {text:?}");
        at = token.range.end as usize;
    }
    assert_eq!(at, text.len());
    for (what, range) in ranges(&file) {
        assert!(text.get(range.to_usize()).is_some(), "{what} {range:?} in {text:?}");
    }
    let mut last = 0;
    for (index, instruction) in file.instructions.iter().enumerate() {
        assert!(last <= instruction.range.start, "{:?}", instruction.range);
        last = instruction.range.end;
        assert!(instruction.range.contains(instruction.keyword.range));
        for heredoc in &instruction.heredocs {
            assert!(instruction.range.contains(heredoc.operator));
            assert!(heredoc.body.range.end <= instruction.range.end.max(heredoc.close.end));
        }
        for (offset, byte) in instruction.logical.text.bytes().enumerate() {
            assert_eq!(text.as_bytes().get(instruction.logical.offset(offset)), Some(&byte));
        }
        let _ = (file.arguments(instruction), file.doc_comments(index));
    }
    assert_eq!(file.refusal().is_some(), !file.errors.is_empty());
    assert!(file.errors.is_sorted_by_key(|error| error.range.start));
}

fn ranges(file: &Dockerfile<'_>) -> Vec<(&'static str, TextRange)> {
    let mut found = Vec::new();
    let errors = file.errors.iter().chain(&file.warnings);
    found.extend(errors.map(|error: &SyntaxError| (error.code, error.range)));
    found.extend(file.comments.iter().map(|range| ("comment", *range)));
    for directive in &file.directives {
        found.extend([directive.range, directive.name.range, directive.value.range].map(|range| ("directive", range)));
    }
    for instruction in &file.instructions {
        of_instruction(instruction, &mut found);
    }
    found
}

fn of_instruction(instruction: &Instruction<'_>, found: &mut Vec<(&'static str, TextRange)>) {
    let mut add = |what: &'static str, text: &Text<'_>| found.push((what, text.range));
    add("keyword", &instruction.keyword);
    for flag in &instruction.flags {
        add("flag name", &flag.name);
        flag.value.iter().for_each(|value| add("flag value", value));
    }
    for heredoc in &instruction.heredocs {
        add("heredoc name", &heredoc.name);
        add("heredoc body", &heredoc.body);
    }
    match &instruction.kind {
        Kind::From(from) => {
            from.name.iter().chain([&from.image]).chain(&from.platform).for_each(|text| add("from", text));
        }
        Kind::Run(run) => {
            run.mounts().iter().flat_map(|mount| &mount.options).for_each(|(key, value)| {
                add("mount", key);
                value.iter().for_each(|value| add("mount", value));
            });
            command(&run.command, &mut add);
        }
        Kind::Cmd(text) | Kind::Entrypoint(text) => command(text, &mut add),
        Kind::Healthcheck(Healthcheck::Cmd { command: text, .. }) => command(text, &mut add),
        Kind::Copy(copy) | Kind::Add(copy) => {
            let Copy { sources, destination, exclude, .. } = &**copy;
            sources.iter().chain(exclude).chain([destination]).for_each(|text| add("copy", text));
        }
        Kind::Env(pairs) | Kind::Label(pairs) => {
            pairs.iter().flat_map(|pair| [&pair.key, &pair.value]).for_each(|text| add("pair", text));
        }
        Kind::Arg(declarations) => declarations.iter().for_each(|declaration| add("arg", &declaration.name)),
        Kind::Shell(words) | Kind::Expose(words) | Kind::Volume(words) => {
            words.iter().for_each(|text| add("words", text));
        }
        Kind::Workdir(text) | Kind::User(text) | Kind::Unknown(text) | Kind::Broken(text) => add("text", text),
        Kind::Onbuild(trigger) => of_instruction(trigger, found),
        _ => {}
    }
}

fn command(command: &Command<'_>, add: &mut impl FnMut(&'static str, &Text<'_>)) {
    match command {
        Command::Shell(text) => add("shell form", &text.to_text()),
        Command::Exec { words, .. } => words.iter().for_each(|word| add("exec form", word)),
    }
}
