//! What the shell tree says about texts as people write them.

use plimsoll_parser::shell::*;
use plimsoll_parser::{Logical, TextRange};

fn read(text: &str) -> Script<'_> {
    let logical = Logical::whole(text, 0);
    let script = parse(&logical, Dialect::Bash);
    assert!(script.notes.is_empty(), "{text:?}: {:?}", script.notes);
    script
}

/// The simple commands as their words' own text.
fn commands(script: &Script<'_>) -> Vec<String> {
    let raw =
        |placed: &Placed<'_, '_>| placed.command.words.iter().map(|word| &*word.raw).collect::<Vec<_>>().join(" ");
    script.simple_commands().iter().map(raw).collect()
}

/// A text, what is noted of it, and the commands that are read all the same.
type Broken = (&'static str, &'static [(NoteKind, &'static str)], &'static [&'static str]);
/// A parameter, its name and what is done with it.
type Expansion = (&'static str, &'static str, Option<(ParameterOpKind, &'static str, Option<&'static str>)>);

fn noted(text: &str) -> Vec<(NoteKind, String)> {
    let logical = Logical::whole(text, 0);
    let script = parse(&logical, Dialect::Posix);
    script.notes.iter().map(|note| (note.kind, note.range.of(text).to_owned())).collect()
}

#[test]
fn ranges_lead_through_continuations_and_comments() {
    let file =
        "RUN apt-get update && \\\n  # why\n  apt-get install -y cu\\\nrl  \\\n && rm -rf /var/lib/apt/lists/*\n";
    let dockerfile = plimsoll_parser::parse(file);
    let source = source(file, &dockerfile.instructions[0]).unwrap();
    let script = parse(&source.text, Dialect::Posix);
    let found = script.simple_commands();
    let texts: Vec<&str> = found.iter().map(|placed| placed.command.range.of(file)).collect();
    assert_eq!(texts, ["apt-get update", "apt-get install -y cu\\\nrl", "rm -rf /var/lib/apt/lists/*"]);
    let curl = &found[1].command.words[3];
    assert_eq!((&*curl.raw, curl.range.of(file)), ("curl", "cu\\\nrl"));
    assert_eq!(found[2].command.words[2].literal().unwrap(), "/var/lib/apt/lists/*");
    assert!(found[2].command.words[2].has_glob());
}

#[test]
fn each_command_knows_what_becomes_of_its_failure() {
    let cases: &[(&str, &[Failure])] = &[
        ("a && b", &[Failure::Counts, Failure::Counts]),
        ("a || true", &[Failure::Swallowed, Failure::Counts]),
        ("a && b || :", &[Failure::Swallowed, Failure::Swallowed, Failure::Counts]),
        ("a || b && c", &[Failure::Handled, Failure::Counts, Failure::Counts]),
        ("{ a; b; } || true", &[Failure::Swallowed, Failure::Swallowed, Failure::Counts]),
        ("(a; b) || exit 1", &[Failure::Handled, Failure::Handled, Failure::Counts]),
        ("a || exit 0", &[Failure::Swallowed, Failure::Counts]),
        ("a | b", &[Failure::Piped, Failure::Counts]),
        ("a | b || true", &[Failure::Swallowed, Failure::Swallowed, Failure::Counts]),
        ("if a; then b; fi", &[Failure::Tested, Failure::Counts]),
        ("while a; do b; done", &[Failure::Tested, Failure::Counts]),
        ("a & b", &[Failure::Lost, Failure::Counts]),
        ("echo $(a)", &[Failure::Counts, Failure::Lost]),
        ("x=$(a)", &[Failure::Counts, Failure::Counts]),
        ("x=$(a) || true", &[Failure::Swallowed, Failure::Swallowed, Failure::Counts]),
        ("f() { a; }; f", &[Failure::Counts, Failure::Counts]),
        ("cat <(a) > f", &[Failure::Counts, Failure::Lost]),
    ];
    for (text, expected) in cases {
        let script = read(text);
        let found: Vec<Failure> = script.simple_commands().iter().map(|placed| placed.failure).collect();
        assert_eq!(&found, expected, "{text}");
    }
}

#[test]
fn each_command_knows_its_neighbours() {
    let script = read("set -e; a && b || { c | d; } & ! e");
    let found = script.simple_commands();
    let at = |index: usize| &found[index];
    assert_eq!((at(1).item, at(1).link, at(1).before, at(1).after), (1, 0, None, Some(AndOrOp::And)));
    assert_eq!((at(2).item, at(2).link, at(2).before, at(2).after), (1, 1, Some(AndOrOp::And), Some(AndOrOp::Or)));
    assert_eq!((at(4).stage, at(4).pipeline.commands.len()), (1, 2));
    assert!(at(1).background && at(4).background && !at(0).background && !at(5).background);
    assert!(at(5).negated && !at(4).negated);
    assert_eq!(at(3).inside.len(), 1);
    assert_eq!(at(3).inside[0].kind, EnclosureKind::Brace);
    assert_eq!(script.list.items[1].separator, Separator::Background);
}

#[test]
fn each_command_knows_what_it_stands_in() {
    let text = "f() { if a; then (b $(c)); fi; }; for i in $(d); do e; done; case x in y) g;; esac; h <<A\n$(i)\nA\n";
    let script = read(text);
    let found: Vec<(String, Vec<EnclosureKind<'_>>)> = script
        .simple_commands()
        .iter()
        .map(|placed| {
            let inside = placed.inside.iter().map(|enclosure| enclosure.kind).collect();
            (placed.command.words[0].raw.to_string(), inside)
        })
        .collect();
    use EnclosureKind::*;
    let f = Function("f");
    let expected = vec![
        ("a", vec![f, Brace, IfCondition]),
        ("b", vec![f, Brace, IfBody, Subshell]),
        ("c", vec![f, Brace, IfBody, Subshell, CommandSubstitution]),
        ("d", vec![CommandSubstitution]),
        ("e", vec![LoopBody]),
        ("g", vec![CaseArm]),
        ("h", vec![]),
        ("i", vec![HereDoc, CommandSubstitution]),
    ];
    let expected: Vec<(String, Vec<EnclosureKind<'_>>)> =
        expected.into_iter().map(|(name, inside)| (name.to_owned(), inside)).collect();
    assert_eq!(found, expected);
}

#[test]
fn words_say_what_is_known_of_them() {
    let cases: &[(&str, Option<&str>)] = &[
        ("plain", Some("plain")),
        ("'a b'", Some("a b")),
        ("\"a b\"", Some("a b")),
        ("a'b'\"c\"\\d", Some("abcd")),
        ("\"a\\\"b\\$c\\d\"", Some("a\"b$c\\d")),
        ("$'a\\tb\\x41\\u00e9\\''", Some("a\tbAé'")),
        ("$\"x\"", Some("x")),
        ("a\\\nb", Some("ab")),
        ("a\\ b", Some("a b")),
        ("*.deb", Some("*.deb")),
        ("[a-z]*", Some("[a-z]*")),
        ("{a,b}", Some("{a,b}")),
        ("~/x", Some("~/x")),
        ("a$", Some("a$")),
        ("50%", Some("50%")),
        ("a#b", Some("a#b")),
        ("\"\"", Some("")),
        ("$x", None),
        ("\"a${x}b\"", None),
        ("a`b`", None),
        ("$((1+1))", None),
        ("<(a)", None),
    ];
    for (text, expected) in cases {
        let line = format!("x {text}");
        let script = read(&line);
        let word = &script.simple_commands()[0].command.words[1];
        assert_eq!(word.literal().as_deref(), *expected, "{text}");
        assert_eq!(word.raw, *text);
    }
    let script = read("x \"${version}-$(arch).tar.gz\"");
    assert_eq!(script.simple_commands()[0].command.words[1].literal_with("*"), "*-*.tar.gz");
}

#[test]
fn parameters_say_what_is_done_with_them() {
    use ParameterOpKind as Op;
    let cases: &[Expansion] = &[
        ("$x", "x", None),
        ("${x}", "x", None),
        ("$1", "1", None),
        ("$10", "1", None),
        ("${10}", "10", None),
        ("$@", "@", None),
        ("$?", "?", None),
        ("${#x}", "x", None),
        ("${#}", "#", None),
        ("${!x}", "x", None),
        ("${x:-a b}", "x", Some((Op::Default { empty_too: true }, "a b", None))),
        ("${x-}", "x", Some((Op::Default { empty_too: false }, "", None))),
        ("${x:=\"}\"}", "x", Some((Op::Assign { empty_too: true }, "\"}\"", None))),
        ("${x:?no}", "x", Some((Op::Error { empty_too: true }, "no", None))),
        ("${x+y}", "x", Some((Op::Alternative { empty_too: false }, "y", None))),
        ("${x##*/}", "x", Some((Op::RemovePrefix { longest: true }, "*/", None))),
        ("${x%.*}", "x", Some((Op::RemoveSuffix { longest: false }, ".*", None))),
        ("${x//a/b}", "x", Some((Op::Replace { all: true }, "a", Some("b")))),
        ("${x/a}", "x", Some((Op::Replace { all: false }, "a", None))),
        ("${x:1:2}", "x", Some((Op::Substring, "1", Some("2")))),
        ("${x: -1}", "x", Some((Op::Substring, " -1", None))),
        ("${x^^}", "x", Some((Op::Case, "", None))),
        ("${x@Q}", "x", Some((Op::Transform, "Q", None))),
        ("${!x*}", "x", Some((Op::Names, "", None))),
    ];
    for (text, name, expected) in cases {
        let script = read(text);
        let word = &script.simple_commands()[0].command.words[0];
        let parameter = word.parameters()[0];
        assert_eq!(parameter.name.value, *name, "{text}");
        let op = parameter.op.as_ref();
        let found = op.map(|op| (op.kind, &*op.word.raw, op.second.as_ref().map(|second| &*second.raw)));
        assert_eq!(found, *expected, "{text}");
    }
    let script = read("echo \"${a[@]}\" ${b[i+1]:-${c:-$d}}");
    let words = &script.simple_commands()[0].command.words;
    assert_eq!(words[1].parameters()[0].index.as_ref().unwrap().raw, "@");
    let names: Vec<&str> = words[2].parameters().iter().map(|parameter| &*parameter.name.value).collect();
    assert_eq!(names, ["b", "c", "d"]);
}

#[test]
fn redirections_and_assignments_are_told_from_words() {
    let script = read("A=1 B+=2 C[0]=3 cmd x >out 2>>err 2>&1 <in &>all {fd}<f >&- y=z");
    let placed = &script.simple_commands()[0];
    let names: Vec<&str> = placed.command.assignments.iter().map(|assignment| &*assignment.name.value).collect();
    assert_eq!(names, ["A", "B", "C"]);
    let words: Vec<&str> = placed.command.words.iter().map(|word| &*word.raw).collect();
    assert_eq!(words, ["cmd", "x", "y=z"]);
    let redirects: Vec<(Option<&str>, RedirectOp, &str)> = placed
        .command
        .redirects
        .iter()
        .map(|redirect| (redirect.fd.as_ref().map(|fd| &*fd.value), redirect.op, &*redirect.target.raw))
        .collect();
    assert_eq!(
        redirects,
        [
            (None, RedirectOp::Output, "out"),
            (Some("2"), RedirectOp::Append, "err"),
            (Some("2"), RedirectOp::DuplicateOutput, "1"),
            (None, RedirectOp::Input, "in"),
            (None, RedirectOp::OutputBoth, "all"),
            (Some("{fd}"), RedirectOp::Input, "f"),
            (None, RedirectOp::DuplicateOutput, "-"),
        ]
    );
    let script = read("a=(x 'y z' [3]=w) declare -A b=([k]=v)");
    let simple = script.simple_commands()[0].command;
    assert!(matches!(&simple.assignments[0].value, AssignedValue::Array(words) if words.len() == 3));
    assert!(matches!(simple.words[2].parts.last(), Some(WordPart::Array(array)) if array.words.len() == 1));
}

#[test]
fn here_documents_have_bodies() {
    let text = "cat <<A <<-'B' >f && x\n$(date) $y\nA\n\tone\n\t\ttwo $y\n\tB\nz\n";
    let script = read(text);
    assert_eq!(commands(&script), ["cat", "date", "x", "z"]);
    let found = script.simple_commands();
    let docs: Vec<_> = found[0].command.redirects.iter().filter_map(|redirect| redirect.heredoc.as_deref()).collect();
    assert_eq!((docs[0].body.text.as_ref(), docs[0].quoted), ("$(date) $y\n", false));
    assert_eq!((docs[1].body.text.as_ref(), docs[1].quoted, &*docs[1].delimiter), ("one\ntwo $y\n", true, "B"));
    assert_eq!(docs[1].range.of(text), "\tone\n\t\ttwo $y\n");
    assert_eq!(docs[1].close.of(text), "B");
    // What a body says can be read again, with ranges of the same file.
    let again = parse(&docs[1].body, Dialect::Posix);
    assert_eq!(again.simple_commands()[1].command.words[0].range.of(text), "two");
}

#[test]
fn programs_are_found_behind_what_starts_them() {
    let cases: &[(&str, Option<(&str, &str)>)] = &[
        ("apt-get install -y x", Some(("apt-get", "install -y x"))),
        ("A=1 /usr/bin/apt-get update", Some(("apt-get", "update"))),
        ("sudo -E -u root apt-get update", Some(("apt-get", "update"))),
        ("sudo -Eu root A=b apt-get update", Some(("apt-get", "update"))),
        ("env -i A=b -u C pip install x", Some(("pip", "install x"))),
        ("sudo env A=b nice -n 10 make -j", Some(("make", "-j"))),
        ("timeout -k 5 60 curl x", Some(("curl", "x"))),
        ("exec java -jar x", Some(("java", "-jar x"))),
        ("command -v git", Some(("command", "-v git"))),
        ("time make", Some(("make", ""))),
        ("gosu app sh -c 'x'", Some(("sh", "-c 'x'"))),
        ("env", Some(("env", ""))),
        ("sudo -l", Some(("sudo", "-l"))),
        ("\"apt-get\" update", Some(("apt-get", "update"))),
        ("$CMD x", None),
        ("A=1", None),
        ("> f", None),
    ];
    for (text, expected) in cases {
        let script = read(text);
        let found = script.simple_commands();
        let invocation = found[0].command.invocation();
        let said = invocation.as_ref().map(|found| {
            let args: Vec<&str> = found.args.iter().map(|word| &*word.raw).collect();
            (found.program(), args.join(" "))
        });
        assert_eq!(said, expected.map(|(program, args)| (program, args.to_owned())), "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_and_the_rest_is_read() {
    use NoteKind::*;
    let cases: &[Broken] = &[
        ("a &&", &[(Missing, "&&")], &["a"]),
        ("&& a", &[(Unexpected, "&&")], &["a"]),
        ("a ;; b", &[(Unexpected, ";;")], &["a"]),
        ("a; done; b", &[(Unexpected, "done")], &["a", "b"]),
        ("if a; then b", &[(Unclosed, "if a; then b")], &["a", "b"]),
        ("if a; b; fi; c", &[(Missing, "if a; b; ")], &["a", "b", "c"]),
        ("while a; do b", &[(Unclosed, "while a; do b")], &["a", "b"]),
        ("{ if a; then b; }; c", &[(Unclosed, "if a; then b; ")], &["a", "b", "c"]),
        ("echo 'a", &[(Unclosed, "'a")], &["echo 'a"]),
        ("echo \"a $(b", &[(Unclosed, "$(b"), (Unclosed, "\"a $(b")], &["echo \"a $(b", "b"]),
        ("echo (a) && b", &[(Unexpected, "(")], &["b"]),
        ("a >", &[(Missing, ">")], &["a"]),
        ("cat <<A && b", &[(Unclosed, "<<A")], &["cat", "b"]),
        ("(a", &[(Unclosed, "(a")], &["a"]),
        ("(a) b; c", &[(Unexpected, "b")], &["a", "b", "c"]),
        ("${a b}; c", &[(Unexpected, "${a b")], &["${a b}", "c"]),
        ("case a in b) c", &[(Unclosed, "case a in b) c")], &["c"]),
    ];
    for (text, notes, expected) in cases {
        let found = noted(text);
        let found: Vec<(NoteKind, &str)> = found.iter().map(|(kind, text)| (*kind, text.as_str())).collect();
        assert_eq!(&found, notes, "{text}");
        let logical = Logical::whole(text, 0);
        assert_eq!(&commands(&parse(&logical, Dialect::Posix)), expected, "{text}");
    }
}

#[test]
fn comments_end_with_their_line() {
    let text = "a # one; b\nc '#' x#y # two && d\n#three\n";
    let script = read(text);
    assert_eq!(commands(&script), ["a", "c '#' x#y"]);
    let comments: Vec<&str> = script.comments.iter().map(|range| range.of(text)).collect();
    assert_eq!(comments, ["# one; b", "# two && d", "#three"]);
}

#[test]
fn backquotes_within_backquotes_point_at_the_right_bytes() {
    let text = "echo `a \\`b \\\\$c\\`` \"`d \\\"e\\\"`\"";
    let script = read(text);
    let found = script.simple_commands();
    let names: Vec<(&str, TextRange)> =
        found.iter().map(|placed| (&*placed.command.words[0].raw, placed.command.words[0].range)).collect();
    assert_eq!(names.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["echo", "a", "b", "d"]);
    assert!(names.iter().all(|(name, range)| range.of(text) == *name));
    assert_eq!(found[3].command.words[1].literal().unwrap(), "e");
}

#[test]
fn other_shells_are_split_into_statements_and_words() {
    let text = "$x = 'a; b'; if (Test-Path C:\\x) { Remove-Item x; y } ; Get-Item \"a`\"b\" | Out-Null # c\nz";
    let logical = Logical::whole(text, 0);
    let script = parse(&logical, Dialect::PowerShell);
    assert!(script.notes.is_empty() && script.simple_commands().is_empty());
    let statements: Vec<&str> = script.opaque_commands().iter().map(|opaque| opaque.range.of(text)).collect();
    assert_eq!(
        statements,
        ["$x = 'a; b'", "if (Test-Path C:\\x) { Remove-Item x; y }", "Get-Item \"a`\"b\"", "Out-Null", "z"]
    );
    let logical = Logical::whole("dir \"a & b\" && del /q x^&y & echo a;b", 0);
    let script = parse(&logical, Dialect::Cmd);
    let words: Vec<Vec<&str>> =
        script.opaque_commands().iter().map(|opaque| opaque.words.iter().map(|word| &*word.raw).collect()).collect();
    assert_eq!(words, [vec!["dir", "\"a & b\""], vec!["del", "/q", "x^&y"], vec!["echo", "a;b"]]);
    assert_eq!(script.list.items[0].list.rest[0].op, AndOrOp::And);
}

#[test]
fn an_instruction_gives_its_shell_what_the_builder_gives_it() {
    let file = "FROM a\nRUN <<E\n#!/usr/bin/env -S python3 -u\nprint(1)\nE\nRUN <<-E\n\ta\n\tb\nE\nRUN cat <<'X' <<Y >f && c\n1\nX\n2\nY\nRUN [\"x\"]\nCMD d $e\n";
    let dockerfile = plimsoll_parser::parse(file);
    let sources: Vec<Option<(String, Option<Dialect>)>> = dockerfile
        .instructions
        .iter()
        .map(|instruction| source(file, instruction).map(|source| (source.text.text.to_string(), source.shebang)))
        .collect();
    let shell = |text: &str| Some((text.to_owned(), None));
    assert_eq!(
        sources,
        [
            None,
            Some(("#!/usr/bin/env -S python3 -u\nprint(1)\n".to_owned(), Some(Dialect::Other))),
            shell("a\nb\n"),
            shell("cat <<'X' <<Y >f && c\n1\nX\n2\nY"),
            None,
            shell("d $e"),
        ]
    );
    let run = source(file, &dockerfile.instructions[3]).unwrap();
    let script = parse(&run.text, Dialect::Posix);
    assert!(script.notes.is_empty(), "{:?}", script.notes);
    let found = script.simple_commands();
    let body = |index: usize| found[0].command.redirects[index].heredoc.as_ref().unwrap().range.of(file);
    assert_eq!((body(0), body(1), found[1].command.range.of(file)), ("1\n", "2\n", "c"));
}
