//! Any text is read, quickly, with ranges that hold, and without a deep stack.

#[path = "support/ranges.rs"]
mod ranges;

use plimsoll_parser::Logical;
use plimsoll_parser::shell::{Dialect, parse};
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn check(text: &str) {
    for dialect in [Dialect::Bash, Dialect::PowerShell, Dialect::Cmd, Dialect::Other] {
        let logical = Logical::whole(text, 0);
        ranges::check_script(text, &parse(&logical, dialect), true);
    }
}

/// Pieces that mean something, and some that do not.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b=1",
        "é",
        " ",
        " ",
        " ",
        "\n",
        "\n",
        ";",
        ";;",
        "&&",
        "||",
        "|",
        "&",
        "|&",
        "!",
        "(",
        ")",
        "((",
        "))",
        "{ ",
        "; }",
        "[[ ",
        " ]]",
        "[",
        "]",
        "<",
        ">",
        ">>",
        "<<A\n",
        "A\n",
        "<<-'B' ",
        "\tB\n",
        "<<<",
        "2>&1",
        "&>",
        "<(",
        "'",
        "\"",
        "$'",
        "\\",
        "\\\n",
        "`",
        "\\`",
        "$",
        "$x",
        "${",
        "}",
        "${x:-",
        "${#x}",
        "${x//a/b}",
        "$(",
        "$((",
        "$[",
        "#",
        " # c\n",
        "if ",
        "then ",
        "else ",
        "elif ",
        "fi",
        "for x in ",
        "for ((",
        "do ",
        "done",
        "while ",
        "case x in ",
        "esac",
        "a) ",
        "function f ",
        "f() ",
        "time ",
        "coproc ",
        "x=(",
        "declare y=(",
        "*",
        "?",
        "@(",
        "~",
        "\r\n",
        "\u{0}",
        "=~",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces(text in pieces()) {
        check(&text);
    }

    #[test]
    fn any_characters(text in "\\PC{0,60}") {
        check(&text);
    }

    #[test]
    fn joined_text_says_the_same(text in pieces(), cut in prop::collection::vec(0_usize..200, 0..6)) {
        // The same text, cut by continuations: the same tree, each place moved.
        let mut cuts: Vec<usize> = cut.into_iter().filter(|at| text.is_char_boundary(*at)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut file = String::new();
        let mut parts = Vec::new();
        let mut from = 0;
        for at in cuts.into_iter().chain([text.len()]) {
            parts.push((from..at, file.len()));
            file.push_str(&text[from..at]);
            file.push_str("\\\n");
            from = at;
        }
        let logical = Logical::joined(
            (&file, 0),
            parts.iter().map(|(range, offset)| (&file[*offset..*offset + range.len()], *offset)),
        );
        let whole = Logical::whole(&text, 0);
        let (joined, plain) = (parse(&logical, Dialect::Bash), parse(&whole, Dialect::Bash));
        ranges::check_script(&file, &joined, false);
        let (joined_commands, plain_commands) = (joined.simple_commands(), plain.simple_commands());
        prop_assert_eq!(joined_commands.len(), plain_commands.len());
        for (joined, plain) in joined_commands.iter().zip(&plain_commands) {
            prop_assert_eq!(joined.failure, plain.failure);
            for (joined, plain) in joined.command.words.iter().zip(&plain.command.words) {
                prop_assert_eq!(&joined.raw, &plain.raw);
                prop_assert_eq!(joined.range, logical.range(plain.range.to_usize()));
            }
        }
    }
}

/// What the fuzzer found.
#[test]
fn found_by_fuzzing() {
    // An operator without a command, its only byte between two continuations.
    let logical = Logical::joined(("\\\n;\\\n", 0), [(";", 2)]);
    ranges::check_script("\\\n;\\\n", &parse(&logical, Dialect::Bash), false);
    check("`\\`I=\\`$\\{|\0\0\0\u{15}```L`;\\```");
}

#[test]
fn nesting_is_bounded() {
    let openers = [
        "(",
        "{ ",
        "$(",
        "\"$(",
        "`",
        "${x:-",
        "\"${x:-",
        "$((",
        "((",
        "if ",
        "while ",
        "x=(",
        "declare x=(",
        "f() ",
        "function f ",
        "case a in a) ",
        "for x in a; do ",
        "[[ ",
        "coproc ",
        "<(",
        "! ",
        "time { ",
        "@(",
        "[",
        "$[",
        "a <<A $(",
        "if (",
        "{ (",
        "\\`",
        "$(case x in x) ",
        "\"`",
        "${x/`",
        "a[",
        "x[$(",
        "&& ",
        "| ",
        ") ",
        "} ",
        "fi ",
        "<<A ",
        "<<'A' ",
        "a <<-A\n",
        "'",
        "\"",
        "$'",
        "# ",
        "\\",
        "=~ (",
        "[[ a =~ (",
        "((a) ",
        "$((a) ",
        "(( x (( ",
        "[a",
        "[!",
        "@(a",
        "$(( \"",
    ];
    let read = move || {
        for opener in openers {
            let text = opener.repeat(60_000 / opener.len());
            let started = Instant::now();
            let logical = Logical::whole(&text, 0);
            let script = parse(&logical, Dialect::Bash);
            let _ = script.simple_commands().len();
            drop(script);
            assert!(started.elapsed() < Duration::from_secs(5), "{opener:?} took {:?}", started.elapsed());
        }
    };
    // Half of what a thread has by default.
    std::thread::Builder::new().stack_size(1 << 20).spawn(read).unwrap().join().unwrap();
}
