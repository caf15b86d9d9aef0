//! What holds for every text: it parses without panic, its tokens give it back, every range lies inside of it and inside
//! of what holds it, and words, references and directives answer whatever they are given.

use plimsoll_parser::directive::{detect_syntax, directive};
use plimsoll_parser::image_ref::{ImageRef, Written};
use plimsoll_parser::syntax::{Command, Copy, Healthcheck, Instruction, Kind, SyntaxError};
use plimsoll_parser::{Dockerfile, LineIndex, Source, Text, TextRange, duration, heredoc, parse, word};
use proptest::prelude::*;

/// Pieces that mean something, so that joined at random they reach what the grammar knows.
const PIECES: [&str; 96] = [
    "FROM ",
    "RUN ",
    "COPY ",
    "ADD ",
    "ENV ",
    "LABEL ",
    "ARG ",
    "CMD ",
    "ENTRYPOINT ",
    "SHELL ",
    "WORKDIR ",
    "USER ",
    "EXPOSE ",
    "VOLUME ",
    "STOPSIGNAL ",
    "HEALTHCHECK ",
    "MAINTAINER ",
    "ONBUILD ",
    "from ",
    "Run\t",
    "FORM ",
    "NONE",
    "CMD",
    " AS ",
    "build",
    "scratch",
    "alpine:3",
    "a@sha256:00",
    "--platform=",
    "--from=",
    "--from=0",
    "--link",
    "--chmod=9",
    "--mount=type=cache,",
    "target=/x",
    "--mount=",
    "from=build",
    "type=tmp,",
    "--network=none",
    "--device=a,required",
    "--interval=3s",
    "--retries=x",
    "--",
    "--exclude=",
    "--checksum=",
    "\\\n",
    "\\ \n",
    "`\n",
    "\\",
    "`",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "# comment\n",
    "#",
    "# escape=`\n",
    "# syntax=x y\n",
    "// check=skip=all\n",
    "#!/bin/sh\n",
    "\u{feff}",
    "<<EOF",
    "<<-EOF",
    "<<'E F'",
    "3<<\"X\"",
    "<< ",
    "EOF\n",
    "\tEOF\n",
    "E F\n",
    "[",
    "]",
    "\"a\"",
    ",",
    "[\"a\", \"b\"]",
    "[1]",
    "{\"syntax\": \"x\"}",
    "\"",
    "'",
    "$",
    "${",
    "}",
    "$A",
    "${A:-b}",
    "${A#*}",
    "${A//a/b}",
    "${A:?}",
    "=",
    "A=b ",
    " ",
    "\t",
    "\u{a0}",
    "\u{85}",
    "\u{e9}",
    "\u{1f600}",
    "\u{0}",
    "&& x",
];

fn text() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => pieces, 1 => any::<String>()]
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
            run.mounts.iter().flat_map(|mount| &mount.options).for_each(|(key, value)| {
                add("mount", key);
                value.iter().for_each(|value| add("mount", value));
            });
            command(&run.command, &mut add);
        }
        Kind::Cmd(text) | Kind::Entrypoint(text) => command(text, &mut add),
        Kind::Healthcheck(Healthcheck::Cmd { command: text, .. }) => command(text, &mut add),
        Kind::Copy(copy) | Kind::Add(copy) => {
            let Copy { sources, destination, exclude, .. } = copy;
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

/// Every byte of a logical text is the byte of the file it says it came from.
fn way_back(file: &Dockerfile<'_>, instruction: &Instruction<'_>) -> Result<(), TestCaseError> {
    let logical = &instruction.logical;
    for (offset, byte) in logical.text.bytes().enumerate() {
        prop_assert_eq!(file.text.as_bytes().get(logical.offset(offset)), Some(&byte));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_text_is_read(text in text()) {
        let file = parse(&text);
        let mut at = 0;
        for token in file.tokens() {
            prop_assert_eq!(token.range.start as usize, at);
            prop_assert!(!token.range.is_empty());
            prop_assert!(text.get(token.range.to_usize()).is_some());
            at = token.range.end as usize;
        }
        prop_assert_eq!(at, text.len());
        for (what, range) in ranges(&file) {
            prop_assert!(text.get(range.to_usize()).is_some(), "{} {:?} in {:?}", what, range, text);
        }
        let mut last = 0;
        for instruction in &file.instructions {
            prop_assert!(last <= instruction.range.start, "{:?}", instruction.range);
            last = instruction.range.end;
            prop_assert!(instruction.range.contains(instruction.keyword.range));
            for heredoc in &instruction.heredocs {
                prop_assert!(instruction.range.contains(heredoc.operator));
                prop_assert!(heredoc.body.range.end <= instruction.range.end.max(heredoc.close.end));
            }
            way_back(&file, instruction)?;
            let _ = file.arguments(instruction);
        }
        for index in 0..file.instructions.len() {
            let _ = file.doc_comments(index);
        }
        prop_assert_eq!(file.refusal().is_some(), !file.errors.is_empty());
        prop_assert!(file.errors.is_sorted_by_key(|error| error.range.start));
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let source = Source::new(bytes.clone());
        prop_assert_eq!(source.bytes(), &bytes[..]);
        prop_assert_eq!(source.text().len(), bytes.len());
        let lines = LineIndex::new(source.text());
        for offset in 0..=bytes.len() + 1 {
            let (line, column) = lines.line_col(u32::try_from(offset).unwrap());
            prop_assert!(line >= 1 && column >= 1 && line <= lines.line_count());
        }
        drop(parse(source.text()));
    }

    #[test]
    fn any_word_is_answered(text in text(), backtick in any::<bool>()) {
        let escape = if backtick { '`' } else { '\\' };
        let env = |name: &str| (name.len() % 2 == 1).then(|| name.repeat(2));
        let _ = word::expand(&text, escape, &env);
        let _ = word::expand_words(&text, escape, &env);
        let _ = word::expand_heredoc(&text, &env);
        let mut last = 0;
        for part in word::parts(&text, escape) {
            prop_assert!(last <= part.range.start && text.get(part.range.clone()).is_some(), "{:?} in {:?}", part, text);
            last = part.range.end;
        }
        let _ = heredoc::operator(&text);
        for (_, place) in heredoc::operators(&text).unwrap_or_default() {
            prop_assert!(text.get(place).is_some());
        }
        let _ = duration::parse(&text);
    }

    #[test]
    fn any_reference_is_answered(text in "[a-zA-Z0-9/:@._${}\\[\\]-]{0,40}") {
        prop_assert_eq!(ImageRef::check(&text).is_err(), ImageRef::refused(&text).is_some());
        if let Some(parsed) = ImageRef::parse(&text) {
            let again = ImageRef::parse(&parsed.to_string());
            prop_assert_eq!(again.as_ref(), Some(&parsed));
            prop_assert_eq!(ImageRef::parse(&parsed.familiar()), Some(parsed));
        }
        let written = Written::of(&text);
        for part in [Some(written.name), written.registry, written.tag, written.digest].into_iter().flatten() {
            prop_assert!(text.get(part).is_some());
        }
        let _ = (detect_syntax(&text), directive("check", &text));
    }
}

/// Longer files of one shape take no more than their length asks for.
#[test]
fn no_shape_takes_long() {
    let shapes = [
        "FROM a AS b\n",
        "FROM b AS b\nENV A=$A$A\n",
        "ENV A=${A}${B}\nCOPY --chmod=$A a b\n",
        "--mount=a,a=b ",
        "${A:-",
        "$",
        "\\",
        "<<\"\\a\" ",
        "<<A ",
        "\\\n",
        "# c\n",
        "\\\n\n",
        "[",
        "\"",
        "ONBUILD ",
        "a=b ",
        "RUN <<A\nA\n",
        "COPY --from=b a b\n",
        "`\n",
        "{\"",
        "\u{a0}",
    ];
    for shape in shapes {
        for start in [
            "",
            "FROM x AS b\n",
            "RUN ",
            "ENV ",
            "FROM x\nRUN ",
            "COPY [",
            "RUN --mount=",
            "# escape=`\nFROM x\nENV A=",
        ] {
            let text = format!("{start}{}", shape.repeat(30_000 / shape.len()));
            let begin = std::time::Instant::now();
            let file = parse(&text);
            assert_eq!(file.tokens().map(|token| token.range.len()).sum::<usize>(), text.len());
            let _ = word::parts(&text, '\\');
            let _ = word::expand_words(&text, '\\', &|_| None);
            let _ = heredoc::operators(&text);
            let _ = detect_syntax(&text);
            let spent = begin.elapsed();
            assert!(spent.as_secs() < 5, "{start:?} and {shape:?} took {spent:?}");
        }
    }
}
