//! The installed ShellCheck, run on the scripts of all files in few processes; what it says is brought back to the author's
//! bytes.

use miette::{Result, miette};
use plimsoll_analyzer::diagnostic::{Diagnostic, Severity};
use plimsoll_analyzer::model::{Inputs, Model, Run};
use plimsoll_analyzer::shell::{Shell, ShellKind};
use plimsoll_parser::Logical;
use plimsoll_parser::syntax::Command;
use plimsoll_parser::{TextRange, parse};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

/// Sourced files are those of the image; the shell is told, no script needs a `#!`.
const EXCLUDED: &str = "SC1090,SC1091,SC2148,SC2187";
/// The most scripts of one process.
const BATCH: usize = 250;
/// Lines put before each script.
const PROLOGUE: usize = 2;
/// Variables that the builder or any base image gives to every RUN.
const GIVEN: [&str; 10] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
];

/// One script of one file.
struct Job {
    file: usize,
    dialect: &'static str,
    /// What ShellCheck reads, prologue first.
    text: String,
    /// Where each byte of each line stands in the author's file.
    places: Places,
}

/// Offsets in the author's file, by line and by character.
struct Places {
    lines: Vec<Vec<u32>>,
}

impl Places {
    fn of(text: &str, offset: &dyn Fn(usize) -> usize) -> Self {
        let place = |at: usize| u32::try_from(offset(at)).unwrap_or(u32::MAX);
        let mut lines = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let mut chars: Vec<u32> = line.char_indices().map(|(at, _)| place(start + at)).collect();
            start += line.len();
            // Just after the last character.
            chars.push(chars.last().map_or(place(start), |last| {
                last.saturating_add(line.chars().next_back().map_or(0, |c| u32::try_from(c.len_utf8()).unwrap_or(1)))
            }));
            lines.push(chars);
        }
        Self { lines }
    }

    /// The byte at a line and column of the script, both counted from 1.
    fn at(&self, line: usize, column: usize) -> Option<u32> {
        let chars = self.lines.get(line.checked_sub(1)?)?;
        chars.get(column.saturating_sub(1)).or(chars.last()).copied()
    }
}

#[derive(Deserialize)]
struct Report {
    comments: Vec<Comment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    file: String,
    line: usize,
    end_line: usize,
    column: usize,
    end_column: usize,
    level: String,
    code: u32,
    message: String,
}

/// What ShellCheck finds in the scripts of each of these texts.
pub fn check(texts: &[&str]) -> Result<Vec<Vec<Diagnostic>>> {
    let mut found: Vec<Vec<Diagnostic>> = texts.iter().map(|_| Vec::new()).collect();
    let jobs: Vec<Job> = texts.par_iter().enumerate().flat_map_iter(|(file, text)| scripts(file, text)).collect();
    if jobs.is_empty() {
        // Whoever asks for a program that is not there should hear of it in any case.
        return ask(std::process::Command::new("shellcheck").arg("--version")).map(|_| found);
    }
    let mut by_dialect: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for job in &jobs {
        by_dialect.entry(job.dialect).or_default().push(job);
    }
    // As many processes as there are processors, unless that makes the argument lists long.
    let share = jobs.len().div_ceil(rayon::current_num_threads()).clamp(1, BATCH);
    let batches: Vec<(&str, &[&Job])> =
        by_dialect.iter().flat_map(|(dialect, jobs)| jobs.chunks(share).map(move |batch| (*dialect, batch))).collect();
    let answers: Vec<Vec<(usize, Diagnostic)>> =
        batches.into_par_iter().map(|(dialect, batch)| run(dialect, batch)).collect::<Result<_>>()?;
    for (file, diagnostic) in answers.into_iter().flatten() {
        if let Some(list) = found.get_mut(file) {
            list.push(diagnostic);
        }
    }
    Ok(found)
}

/// The scripts of one file that ShellCheck can read.
fn scripts(file: usize, text: &str) -> Vec<Job> {
    let parsed = parse(text);
    let model = Model::new(&parsed, Inputs::default());
    model.runs().iter().filter_map(|run| script(file, &model, run)).collect()
}

fn script(file: usize, model: &Model<'_>, run: &Run<'_>) -> Option<Job> {
    let body = run.instruction.heredocs.first().filter(|_| run.heredoc).map(|doc| (doc, &*doc.body));
    // The script of a heredoc may name its own interpreter.
    let own = body.and_then(|(_, text)| Shell::of_shebang(text));
    let shell = own.as_ref().unwrap_or(&run.state.shell);
    let dialect = match shell.kind {
        ShellKind::Sh => "sh",
        ShellKind::Dash | ShellKind::Ash => "dash",
        ShellKind::Bash => "bash",
        ShellKind::Ksh => "ksh",
        _ => return None,
    };
    let Command::Shell(line) = &run.syntax.command else { return None };
    run.script.as_ref()?;
    let mut names: BTreeSet<&str> = GIVEN.into();
    if let Some(stage) = run.stage {
        names.extend(model.scopes().names(stage, run.index));
    }
    names.retain(|name| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.as_bytes()[0].is_ascii_digit()
    });
    // The options of SHELL stand where ShellCheck looks for them; -c is not for it.
    let mut prologue = String::from("#!");
    for word in shell.words.iter().filter(|word| *word != "-c" && !word.contains(['\n', '\r'])) {
        let word = if word.starts_with('-') { word.strip_suffix('c').unwrap_or(word) } else { word };
        let _ = write!(prologue, "{word} ");
    }
    prologue.push_str("\nexport");
    for name in names {
        let _ = write!(prologue, " {name}=1");
    }
    prologue.push('\n');
    if let Some((doc, text)) = body {
        let start = doc.body.range.start as usize;
        let places = Places::of(text, &|at| start + at);
        // What the first line says stands above; here it is a comment of the same length.
        let text = match text.strip_prefix("#!") {
            Some(rest) => format!("{prologue}# {rest}"),
            None => prologue + text,
        };
        return Some(Job { file, dialect, text, places });
    }
    let (script, places) = with_heredocs(line, run);
    Some(Job { file, dialect, text: prologue + &script, places })
}

/// The shell text, and the bodies of its heredocs below it as the shell gets them.
fn with_heredocs(line: &Logical<'_>, run: &Run<'_>) -> (String, Places) {
    let mut text = line.text.to_string();
    let mut places = Places::of(&text, &|at| line.offset(at));
    for doc in &run.instruction.heredocs {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let start = doc.body.range.start as usize;
        places.lines.extend(Places::of(&doc.body, &|at| start + at).lines);
        text.push_str(&doc.body);
        text.push_str(&doc.name);
        text.push('\n');
        places.lines.push(vec![doc.close.start]);
    }
    (text, places)
}

fn run(dialect: &str, batch: &[&Job]) -> Result<Vec<(usize, Diagnostic)>> {
    let folder = tempfile::Builder::new().prefix("plimsoll-scripts-").tempdir();
    let folder = folder.map_err(|error| miette!("failed to make a folder for scripts: {error}"))?;
    for (index, job) in batch.iter().enumerate() {
        write(&folder.path().join(index.to_string()), &job.text)?;
    }
    let mut command = std::process::Command::new("shellcheck");
    command.args(["--norc", "--format=json1", "--exclude", EXCLUDED, "-s", dialect, "--"]).current_dir(folder.path());
    command.args((0..batch.len()).map(|index| index.to_string()));
    let output = ask(&mut command)?;
    let report: Report = serde_json::from_slice(&output.stdout).map_err(|error| {
        miette!(
            help = "plimsoll needs ShellCheck 0.7.0 or later",
            "failed to read what shellcheck answered: {error}\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })?;
    let found = report.comments.into_iter().filter_map(|comment| {
        let job = batch.get(comment.file.parse::<usize>().ok()?)?;
        let line = comment.line.checked_sub(PROLOGUE).filter(|line| *line > 0)?;
        let start = job.places.at(line, comment.column)?;
        let end = comment.end_line.checked_sub(PROLOGUE).and_then(|line| job.places.at(line, comment.end_column));
        let range = TextRange { start, end: end.unwrap_or(start).max(start) };
        let mut diagnostic = Diagnostic::new(code(comment.code), range, comment.message);
        diagnostic.severity = comment.level.parse().unwrap_or(Severity::Info);
        Some((job.file, diagnostic))
    });
    Ok(found.collect())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| miette!("failed to write the script {}: {error}", path.display()))
}

/// Runs it; that it found something is no failure.
fn ask(command: &mut std::process::Command) -> Result<std::process::Output> {
    command.stdin(std::process::Stdio::null()).output().map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "install ShellCheck, or leave out --shellcheck: its most frequent findings are told without it"
            }
            _ => "`shellcheck --version` should work where plimsoll runs",
        };
        miette!(help = help, "failed to start shellcheck: {error}")
    })
}

/// `SC2086`. There are a few hundred of them, so each is kept for as long as the program runs.
fn code(number: u32) -> &'static str {
    static CODES: Mutex<BTreeMap<u32, &'static str>> = Mutex::new(BTreeMap::new());
    let name = || -> &'static str { Box::leak(format!("SC{number:04}").into_boxed_str()) };
    match CODES.lock() {
        Ok(mut codes) => codes.entry(number).or_insert_with(name),
        Err(_) => name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_lead_through_continuations_to_the_authors_bytes() {
        let text = "FROM a\nRUN echo é \\\n  # a comment\n  $x\n";
        let jobs = scripts(0, text);
        let job = jobs.first().expect("a script");
        let script = job.text.lines().nth(PROLOGUE).expect("the script");
        let column = script.chars().position(|c| c == '$').expect("there") + 1;
        assert_eq!(job.places.at(1, column).map(|at| at as usize), text.find("$x"));
        assert_eq!(job.places.at(1, column + 2).map(|at| at as usize), text.find("$x").map(|at| at + 2));
    }

    #[test]
    fn heredocs_and_shells_are_read_as_the_builder_reads_them() {
        let text = "FROM a\nARG X\nSHELL [\"/bin/bash\", \"-ec\"]\nRUN <<EOF\necho $y\nEOF\nRUN [\"sh\", \"-c\", \"x\"]\nRUN cat <<A > b\nc\nA\n";
        let jobs = scripts(0, text);
        assert_eq!(jobs.len(), 2, "the exec form is no script");
        assert!(jobs[0].text.starts_with("#!/bin/bash -e \nexport ") && jobs[0].text.contains(" X=1"));
        assert_eq!(jobs[0].places.at(1, 6).map(|at| at as usize), text.find("$y"));
        assert!(jobs[1].text.ends_with("cat <<A > b\nc\nA\n"), "{}", jobs[1].text);
    }

    #[test]
    fn a_heredoc_may_name_its_interpreter() {
        let text = "FROM a\nSHELL [\"pwsh\"]\nRUN <<EOF\n#!/usr/bin/env -S bash -e\necho $y\nEOF\nRUN <<EOF\n#!/usr/bin/python3\nprint()\nEOF\n";
        let jobs = scripts(0, text);
        assert_eq!(jobs.len(), 1, "Python is none of its languages");
        assert_eq!(jobs[0].dialect, "bash");
        assert!(jobs[0].text.starts_with("#!bash -e \nexport ") && jobs[0].text.contains("\n# /usr/bin/env"));
        assert_eq!(jobs[0].places.at(2, 6).map(|at| at as usize), text.find("$y"));
    }
}
