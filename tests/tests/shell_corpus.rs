//! The shell grammar on real files: every `RUN` that bash accepts is understood without a note, and as bash understands it:
//! what bash prints of its own tree (`declare -f`) has the same tree here as what the author wrote.
//!
//! The folder is `PLIMSOLL_CORPUS`, by default `../shared/corpus/files` beside the workspace.

use plimsoll_parser::Logical;
use plimsoll_parser::shell::*;
use plimsoll_parser::syntax::Kind;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

/// The tree without places, and without what bash prints differently: separators at line ends, default descriptors.
mod shape {
    use super::*;

    pub(crate) fn list(list: &List<'_>) -> String {
        let items: Vec<String> = list
            .items
            .iter()
            .map(|item| {
                let mut text = pipeline(&item.list.first);
                for link in &item.list.rest {
                    text += if link.op == AndOrOp::And { " && " } else { " || " };
                    text += &pipeline(&link.pipeline);
                }
                if item.separator == Separator::Background { text + " &" } else { text }
            })
            .collect();
        format!("[{}]", items.join("; "))
    }

    fn pipeline(pipeline: &Pipeline<'_>) -> String {
        let mut text = String::new();
        text += if pipeline.timed.is_some() { "time " } else { "" };
        text += if pipeline.negated.is_some() { "! " } else { "" };
        for (index, part) in pipeline.commands.iter().enumerate() {
            if let Some(pipe) = index.checked_sub(1).and_then(|index| pipeline.pipes.get(index)) {
                text += if pipe.stderr { " 2>&1 | " } else { " | " };
            }
            text += &command(part);
        }
        text
    }

    fn command(part: &Command<'_>) -> String {
        match part {
            Command::Simple(simple) => {
                let mut text = String::from("(");
                for assignment in &simple.assignments {
                    let index = assignment.index.as_ref().map(|index| word(index)).unwrap_or_default();
                    let value = match &assignment.value {
                        AssignedValue::Word(value) => word(value),
                        AssignedValue::Array(values) => format!("({})", words(values)),
                    };
                    let sign = if assignment.append { "+=" } else { "=" };
                    text += &format!("{}[{index}]{sign}{value} ", assignment.name.value);
                }
                text + &words(&simple.words) + &redirects(&simple.redirects) + ")"
            }
            Command::Compound(compound) => {
                let text = match &compound.kind {
                    CompoundKind::Brace(body) => format!("brace {}", list(body)),
                    CompoundKind::Subshell(body) => format!("subshell {}", list(body)),
                    CompoundKind::If { branches, otherwise } => {
                        // bash prints `elif` as an `if` in the `else`.
                        let mut text = otherwise.as_ref().map(list).unwrap_or_default();
                        for (index, branch) in branches.iter().enumerate().rev() {
                            text = format!("[if {} {} {text}]", list(&branch.condition), list(&branch.body));
                            if index > 0 {
                                text = format!("[<{text}>]");
                            }
                        }
                        text
                    }
                    CompoundKind::While { until, condition, body } => {
                        format!("while {until} {} {}", list(condition), list(body))
                    }
                    CompoundKind::For { name, words: given, body, .. } => {
                        let given = given.as_deref().map_or("\"${falsefalse@}\"".to_owned(), words);
                        format!("for {} in {given} {}", name.value, list(body))
                    }
                    CompoundKind::ArithmeticFor { body, .. } => format!("for (()) {}", list(body)),
                    CompoundKind::Case { word: subject, arms } => {
                        let mut text = format!("case {}", word(subject));
                        for arm in arms {
                            text += &format!(" {}) {} {:?}", words(&arm.patterns), list(&arm.body), arm.end);
                        }
                        text
                    }
                    CompoundKind::Arithmetic(inner) => format!("(({}))", inner.text.value.trim()),
                    CompoundKind::Test(inner) => format!("[[ {} ]]", words(inner).replace("-n ", "")),
                    other => format!("{other:?}"),
                };
                format!("<{text}{}>", redirects(&compound.redirects))
            }
            Command::Function(function) => {
                let body = command(&function.body);
                // bash prints braces around any body.
                let body = if body.starts_with("<brace") { body } else { format!("<brace [{body}]>") };
                format!("function {} {body}", function.name.value)
            }
            Command::Opaque(opaque) => format!("OPAQUE {}", words(&opaque.words)),
        }
    }

    fn redirects(all: &[Redirect<'_>]) -> String {
        let mut text = String::new();
        for redirect in all {
            let fd = redirect.fd.as_ref().map_or("", |fd| &*fd.value);
            let op = match redirect.op {
                RedirectOp::HereDocStrip => RedirectOp::HereDoc,
                RedirectOp::DuplicateInput if redirect.target.is("-") => RedirectOp::DuplicateOutput,
                op => op,
            };
            let output = matches!(op, RedirectOp::Output | RedirectOp::Append | RedirectOp::DuplicateOutput);
            let fd = match fd {
                "1" if output => "",
                "0" if !output => "",
                fd => fd,
            };
            text += &format!(" {fd}{op:?}");
            match &redirect.heredoc {
                // Only the delimiter's value: bash prints its own quotes.
                Some(heredoc) => text += &format!("{} {:?} {}", heredoc.delimiter, heredoc.body.text, heredoc.quoted),
                None => text += &word(&redirect.target),
            }
        }
        text
    }

    fn words(all: &[Word<'_>]) -> String {
        all.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn word(word: &Word<'_>) -> String {
        parts(&word.parts)
    }

    fn parts(all: &[WordPart<'_>]) -> String {
        let mut text = String::new();
        for part in all {
            text += &match part {
                WordPart::Literal(part) => part.value.to_string(),
                WordPart::Glob(part) => format!("g{}", part.value),
                WordPart::Single(part) => format!("'{}'", part.value),
                WordPart::AnsiC(part) => format!("'{}'", part.value),
                WordPart::Double(part) => format!("\"{}\"", parts(&part.parts)),
                WordPart::Parameter(part) => {
                    let mut text = format!("${{{}{}{}", part.indirect, part.length, part.name.value);
                    if let Some(index) = &part.index {
                        text += &format!("[{}]", word(index));
                    }
                    if let Some(op) = &part.op {
                        text += &format!(" {:?} {}", op.kind, word(&op.word));
                        text += &op.second.as_ref().map(|second| format!(" / {}", word(second))).unwrap_or_default();
                    }
                    text + "}"
                }
                WordPart::Command(part) | WordPart::Process(part) => format!("{:?}{}", part.form, list(&part.list)),
                WordPart::Array(part) => format!("({})", words(&part.words)),
                WordPart::Arithmetic(part) => format!("$(({}))", parts(&part.parts)),
                other => format!("{other:?}"),
            }
        }
        text
    }
}

/// What bash prints of its own tree of a script it accepts.
fn printed_by_bash(script: &str) -> Option<String> {
    let mut child = std::process::Command::new("bash")
        .args([
            "-c",
            r#"PATH=; IFS= read -rd '' text; eval "f() {
$text
}" && declare -f f"#,
        ])
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash can be driven");
    let _ = child.stdin.take().expect("bash can be driven").write_all(script.as_bytes());
    let output = child.wait_with_output().expect("bash can be driven");
    let text = String::from_utf8(output.stdout).ok()?;
    let body = text.strip_prefix("f () \n{ \n")?.strip_suffix("\n}\n")?;
    Some(body.to_owned())
}

/// What `bash -n` says about a script: nothing when it accepts it.
fn bash_refuses(script: &str) -> Option<String> {
    let mut child = std::process::Command::new("bash")
        .args(["-n", "/dev/stdin"])
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash can be driven");
    // One that stops reading early has said why.
    let _ = child.stdin.take().expect("bash can be driven").write_all(script.as_bytes());
    let output = child.wait_with_output().expect("bash can be driven");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // A here-document that ends with the text is a warning, and the end of the file a fine delimiter.
    (!output.status.success()).then_some(said)
}

#[test]
fn what_bash_accepts_is_understood() {
    let folder = std::env::var_os("PLIMSOLL_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/files"), PathBuf::from);
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    if paths.is_empty() || std::process::Command::new("bash").arg("--version").output().is_err() {
        println!("skipped: no files in {} or no bash here", folder.display());
        return;
    }
    let (mut scripts, mut commands, mut refused, mut foreign) = (0, 0, Vec::new(), 0);
    let (mut failed, mut differ, mut compared) = (Vec::new(), Vec::new(), 0);
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let dockerfile = plimsoll_parser::parse(&text);
        let mut in_force = Dialect::Posix;
        for instruction in &dockerfile.instructions {
            if let Kind::From(_) = &instruction.kind {
                in_force = Dialect::Posix;
            }
            if let Kind::Shell(words) = &instruction.kind {
                in_force = words.first().map_or(Dialect::Posix, |program| Dialect::of_shell(program));
            }
            let Some(source) = source(&text, instruction) else { continue };
            let dialect = source.shebang.unwrap_or(in_force);
            let script = parse(&source.text, dialect);
            if !dialect.is_unix_shell() {
                foreign += 1;
                continue;
            }
            scripts += 1;
            commands += script.simple_commands().len();
            let notes: Vec<String> = script
                .notes
                .iter()
                .map(|note| format!("{} at {:?} `{}`", note.message, note.range, note.range.of(&text)))
                .collect();
            let place = format!("{} at byte {}", path.display(), instruction.range.start);
            match (bash_refuses(&source.text.text), notes.is_empty()) {
                (None, false) => failed.push(format!("{place}: bash accepts it\n  {}", notes.join("\n  "))),
                (None, true) => {
                    if let Some(printed) = printed_by_bash(&source.text.text) {
                        let again = Logical::whole(&printed, 0);
                        let (ours, theirs) = (shape::list(&script.list), shape::list(&parse(&again, dialect).list));
                        compared += 1;
                        if ours != theirs {
                            differ.push(format!("{place}:\n  ours   {ours:?}\n  bash's {theirs:?}"));
                        }
                    }
                }
                (Some(said), noted) => refused.push(format!("{place}: noted {}: {said}", !noted)),
            }
        }
    }
    println!(
        "{scripts} scripts with {commands} commands, {} of them refused by bash, {foreign} foreign",
        refused.len()
    );
    println!("{} of {compared} trees are those of bash", compared - differ.len());
    for line in &differ {
        println!("differs: {line}");
    }
    for line in &refused {
        println!("refused by bash: {line}");
    }
    assert!(differ.is_empty(), "{} read otherwise than by bash", differ.len());
    assert!(failed.is_empty(), "{} not understood:\n{}", failed.len(), failed.join("\n"));
}
