//! What holds for every text: it parses without panic, its tokens give it back, every range lies inside of it and inside
//! of what holds it, and words, references and directives answer whatever they are given.

#[path = "support/file.rs"]
mod file;
#[path = "support/word.rs"]
mod word_checks;

use plimsoll_parser::directive::{detect_syntax, directive};
use plimsoll_parser::image_ref::{ImageRef, Written};
use plimsoll_parser::{LineIndex, Source, duration, heredoc, parse, word};
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_text_is_read(text in text()) {
        file::check_file(&text);
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
        word_checks::check_word(&text, if backtick { '`' } else { '\\' });
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
