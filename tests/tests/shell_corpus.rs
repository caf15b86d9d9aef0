//! The shell grammar on real files: every `RUN` that bash accepts is understood without a note.
//!
//! The folder is `PLIMSOLL_CORPUS`, by default `../shared/corpus/files` beside the workspace.

use plimsoll_parser::shell::{self, Dialect};
use plimsoll_parser::syntax::Kind;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

/// What `bash -n` says about a script: nothing when it accepts it.
fn bash_refuses(script: &str) -> Option<String> {
    let mut child = Command::new("bash")
        .args(["-n", "/dev/stdin"])
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that stops reading early has said why.
    let _ = child.stdin.take().unwrap().write_all(script.as_bytes());
    let output = child.wait_with_output().unwrap();
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
    if paths.is_empty() || Command::new("bash").arg("--version").output().is_err() {
        println!("skipped: no files in {} or no bash here", folder.display());
        return;
    }
    let (mut scripts, mut commands, mut refused, mut foreign) = (0, 0, Vec::new(), 0);
    let mut failed = Vec::new();
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
            let Some(source) = shell::source(&text, instruction) else { continue };
            let dialect = source.shebang.unwrap_or(in_force);
            let script = shell::parse(&source.text, dialect);
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
                (None, true) => {}
                (Some(said), noted) => refused.push(format!("{place}: noted {}: {said}", !noted)),
            }
        }
    }
    println!(
        "{scripts} scripts with {commands} commands, {} of them refused by bash, {foreign} foreign",
        refused.len()
    );
    for line in &refused {
        println!("refused by bash: {line}");
    }
    assert!(failed.is_empty(), "{} not understood:\n{}", failed.len(), failed.join("\n"));
}
