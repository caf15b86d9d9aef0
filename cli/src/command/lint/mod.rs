//! `plimsoll lint`: findings, and fixes.

mod baseline;
mod context;
mod ignores;
mod shellcheck;

use crate::config::{Config, Configs};
use crate::exit::Exit;
use crate::report::finding::{Checked, Finding};
use crate::report::lint::{self as report, Format};
use crate::{Global, files};
use baseline::Baseline;
use context::Folder;
use miette::{Result, miette};
use plimsoll_analyzer::diagnostic::{Diagnostic, Severity};
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_optimizer::converge::{Converged, Outcome};
use plimsoll_optimizer::diff::unified;
use plimsoll_optimizer::{Level, converge};
use plimsoll_parser::syntax::Dockerfile;
use plimsoll_parser::{LineIndex, Source};
use plimsoll_rules::{Settings, check_beside, takes_context, wants_context};
use rayon::prelude::*;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Find what is wrong in Dockerfiles, and mend it
///
/// Folders are searched for Dockerfiles, .gitignore respected. Exit code 1 when something was found.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Files and folders; `-` is standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Apply the fixes that are safe
    #[arg(long)]
    fix: bool,
    /// Apply fixes that may change more than they say, too
    #[arg(long)]
    fix_unsafe: bool,
    /// Show what the fixes would change, and change nothing
    #[arg(long)]
    diff: bool,
    /// How findings are written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Only these rules: ids, aliases (DL3009, SC2086, JSONArgsRecommended) or groups
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    select: Vec<String>,
    /// Not these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Least severity that makes the exit code 1: error, warning, info, style or none
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<String>,
    /// Report only what this file of known findings does not have
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is found to the file of known findings
    #[arg(long, requires = "baseline")]
    update_baseline: bool,
    /// Run the installed ShellCheck on the scripts of RUN as well
    #[arg(long)]
    shellcheck: bool,
    /// Comments in the file do not switch rules off
    #[arg(long)]
    no_inline_ignore: bool,
    /// Report comments that switch off what is not found
    #[arg(long, conflicts_with = "no_inline_ignore")]
    report_unused_ignores: bool,
    /// The build context of the files [default: the folder of each]; its contents are looked at for context rules
    #[arg(long, value_name = "DIR")]
    context: Option<PathBuf>,
    /// Do not look at the build context
    #[arg(long, conflicts_with = "context")]
    no_context: bool,
    /// What standard input is called in reports
    #[arg(long, value_name = "NAME", default_value = "-")]
    stdin_filename: String,
}

impl Args {
    /// How far fixes go, where any are asked for.
    fn level(&self) -> Option<Level> {
        match (self.fix_unsafe, self.fix || self.diff) {
            (true, _) => Some(Level::Unsafe),
            (false, true) => Some(Level::Safe),
            _ => None,
        }
    }
}

/// One file and what holds for it.
struct Job {
    path: PathBuf,
    /// What reports call it.
    name: String,
    settings: Settings,
    fail_on: Severity,
    config: Arc<Config>,
    folder: Option<Arc<Folder>>,
}

/// A file after its fixes, before its findings.
struct Read {
    text: String,
    /// For standard error.
    note: Option<String>,
    diff: String,
    /// What standard output is to get, of a fixed standard input.
    output: Option<String>,
    undone: bool,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let paths = files::discover(&args.paths)?;
    if paths.is_empty() {
        return Err(miette!(
            help = "name a file, or a folder that has one",
            "failed to find a Dockerfile in {}",
            shown(&args.paths)
        ));
    }
    let baseline = args.baseline.as_deref().map(|path| Baseline::read(path, args.update_baseline)).transpose()?;
    let jobs = prepare(global, &args, paths)?;
    let asked: Vec<bool> = jobs.iter().map(|job| args.shellcheck || job.config.lint.shellcheck).collect();
    // A file is looked at as soon as it is read, where nothing is to happen in between.
    let in_between = args.diff || asked.contains(&true);
    let (read, found): (Vec<Read>, Vec<Option<Vec<Finding>>>) = each(&jobs, |job| {
        let read = read(job, &args)?;
        let found = (!in_between).then(|| findings(job, &read.text, None, &args));
        Ok((read, found))
    })?
    .into_iter()
    .unzip();
    for note in read.iter().filter_map(|read| read.note.as_deref()) {
        eprintln!("{note}");
    }
    if args.diff {
        let diffs: String = read.iter().map(|read| read.diff.as_str()).collect();
        crate::terminal::out!("{diffs}");
        return Ok(if diffs.is_empty() { Exit::Clean } else { Exit::Findings });
    }
    let found: Vec<Vec<Finding>> = if in_between {
        let beside = run_shellcheck(&asked, &read)?;
        let work: Vec<(&Job, &Read, Option<&Vec<Diagnostic>>)> =
            jobs.iter().zip(&read).zip(&beside).map(|((job, read), beside)| (job, read, beside.as_ref())).collect();
        each(&work, |(job, read, beside)| Ok(findings(job, &read.text, beside.cloned(), &args)))?
    } else {
        found.into_iter().map(Option::unwrap_or_default).collect()
    };
    let undone = read.iter().any(|read| read.undone);
    let mut outputs = Vec::new();
    let mut checked = Vec::with_capacity(jobs.len());
    for ((job, read), findings) in jobs.iter().zip(read).zip(found) {
        outputs.extend(read.output);
        checked.push(Checked { file: job.name.clone(), text: read.text, findings });
    }
    if let Some(baseline) = &baseline {
        if args.update_baseline {
            let known = baseline.update(&checked)?;
            if !global.quiet {
                eprintln!("{known} known findings in {}", args.baseline.unwrap_or_default().display());
            }
            return Ok(Exit::Clean);
        }
        let gone = baseline.hide_known(&mut checked);
        if gone > 0 && !global.quiet {
            eprintln!("{gone} of the known findings are gone; `--update-baseline` forgets them");
        }
    }
    let out = report::render(args.format, &checked, global.color.stdout());
    // With a fixed file on standard output, findings go beside it.
    for output in &outputs {
        crate::terminal::out!("{output}");
    }
    if outputs.is_empty() {
        crate::terminal::out!("{out}");
    } else {
        eprint!("{out}");
    }
    let fails = |(job, file): (&Job, &Checked)| {
        job.fail_on != Severity::Off && file.findings.iter().any(|finding| finding.rank() <= job.fail_on)
    };
    let failing = undone || jobs.iter().zip(&checked).any(fails);
    // The process ends here: nobody is to wait until each finding is freed.
    std::mem::forget((jobs, checked));
    Ok(if failing { Exit::Findings } else { Exit::Clean })
}

/// The same for each, at once where there are several; results in their order, or the first error by that order.
fn each<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> Result<R> + Send + Sync) -> Result<Vec<R>> {
    match items {
        // No threads are started for one file.
        [one] => Ok(vec![act(one)?]),
        many => many.par_iter().map(act).collect::<Vec<_>>().into_iter().collect(),
    }
}

/// Finds out what holds for each file; configurations and folders are looked up once.
fn prepare(global: &Global, args: &Args, paths: Vec<PathBuf>) -> Result<Vec<Job>> {
    let mut configs = Configs::new(global.config.as_deref());
    let mut folders: HashMap<OsString, Arc<Folder>> = HashMap::new();
    let mut jobs = Vec::with_capacity(paths.len());
    for path in paths {
        let stdin = path.as_os_str() == files::STDIN;
        // Standard input is configured as the file that it stands for.
        let place = if stdin && args.stdin_filename != files::STDIN { Path::new(&args.stdin_filename) } else { &path };
        let parent = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let config = configs.of(parent)?;
        let settings = settings(args, &config, place)?;
        let fail_on = threshold(args, &config)?;
        let folder = match &args.context {
            Some(context) => Some(context.as_path()),
            // A file by itself is no context; a folder that was named is one.
            None if args.no_context || stdin => None,
            None => Some(parent),
        };
        let folder = folder.map(|folder| match folders.get(folder.as_os_str()) {
            Some(known) => Arc::clone(known),
            None => {
                let new = Arc::new(Folder::new(folder.to_path_buf()));
                folders.insert(folder.as_os_str().to_owned(), Arc::clone(&new));
                new
            }
        });
        let name = if stdin { args.stdin_filename.clone() } else { path.display().to_string() };
        jobs.push(Job { path, name, settings, fail_on, config, folder });
    }
    Ok(jobs)
}

/// Reads a file and applies what fixes are asked for.
fn read(job: &Job, args: &Args) -> Result<Read> {
    let source = Source::new(files::read(&job.path)?);
    let mut read =
        Read { text: source.text().to_owned(), note: None, diff: String::new(), output: None, undone: false };
    let Some(level) = args.level() else { return Ok(read) };
    let name = &job.name;
    if !source.invalid().is_empty() {
        read.note = Some(format!("{name}: not UTF-8, so it is not fixed"));
        return Ok(read);
    }
    let done = converge(&read.text, &mut |text| check(text, job, None).0, level);
    read.note = undone(name, &done);
    read.undone = read.note.is_some();
    if args.diff {
        if done.text != read.text {
            read.diff = unified(&format!("a/{name}"), &format!("b/{name}"), &read.text, &done.text);
        }
        return Ok(read);
    }
    if job.path.as_os_str() == files::STDIN {
        read.output = Some(done.text.clone());
    } else if done.text != read.text {
        files::write_atomically(&job.path, done.text.as_bytes())?;
    }
    read.text = done.text;
    Ok(read)
}

/// For each file, what ShellCheck says of it where it is asked.
fn run_shellcheck(asked: &[bool], read: &[Read]) -> Result<Vec<Option<Vec<Diagnostic>>>> {
    let texts: Vec<&str> = read.iter().zip(asked).filter(|(_, asked)| **asked).map(|(r, _)| r.text.as_str()).collect();
    let mut answers = shellcheck::check(&texts)?.into_iter();
    Ok(asked.iter().map(|asked| if *asked { answers.next() } else { None }).collect())
}

/// The findings of a file as reports show them.
fn findings(job: &Job, text: &str, beside: Option<Vec<Diagnostic>>, args: &Args) -> Vec<Finding> {
    let report_unused = args.report_unused_ignores || job.config.lint.report_unused_ignores;
    let (mut found, about_ignores) = check(text, job, beside);
    if !about_ignores.is_empty() {
        found.extend(about_ignores.into_iter().filter(|d| report_unused || d.rule != ignores::UNUSED));
        found.sort_by(|a, b| (a.range, a.rule).cmp(&(b.range, b.rule)));
    }
    let index = LineIndex::new(text);
    // Only a baseline asks in which instruction a finding is.
    let file = args.baseline.as_ref().map(|_| plimsoll_parser::parse(text));
    let instruction = |d: &Diagnostic| file.as_ref().map_or(d.range, |file| instruction(file, d));
    found.iter().map(|d| Finding::new(&job.name, &index, d, instruction(d))).collect()
}

/// The instruction that a finding is in; where it is in none, its own bytes.
fn instruction(file: &Dockerfile<'_>, diagnostic: &Diagnostic) -> plimsoll_parser::TextRange {
    let at = diagnostic.range.start;
    let next = file.instructions.partition_point(|instruction| instruction.range.start <= at);
    let holds = next.checked_sub(1).and_then(|index| file.instructions.get(index));
    holds.filter(|instruction| at < instruction.range.end).map_or(diagnostic.range, |instruction| instruction.range)
}

/// All findings of a text, syntax errors among them; and what is to be said of the comments that switch findings off.
fn check(text: &str, job: &Job, beside: Option<Vec<Diagnostic>>) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    let file = plimsoll_parser::parse(text);
    let mut inputs = Inputs::default();
    // Files that take nothing from the context have nothing to ask it.
    let folder = job.folder.as_ref().filter(|_| takes_context(&file));
    let ignore = folder.and_then(|folder| folder.ignore(&job.path));
    inputs.ignore = ignore.as_deref();
    if let Some(folder) = folder.filter(|_| wants_context(&job.settings)) {
        inputs.listing = folder.listing();
    }
    let mut found: Vec<Diagnostic> = file
        .errors
        .iter()
        .map(|error| {
            let mut diagnostic = Diagnostic::new(error.code, error.range, error.message.clone());
            diagnostic.severity = Severity::Error;
            match &error.help {
                Some(help) => diagnostic.with_help(help.clone()),
                None => diagnostic,
            }
        })
        .collect();
    let model = Model::new(&file, inputs);
    let checked = check_beside(&model, &job.settings, beside);
    found.extend(checked.found);
    found.sort_by(|a, b| (a.range, a.rule).cmp(&(b.range, b.rule)));
    let require_reason = job.config.lint.require_reason && !job.settings.disregard_comments;
    let mut about = ignores::about(&model, &checked.unused, require_reason);
    let selection = &job.settings.selection;
    about.retain_mut(|diagnostic| {
        let said = selection.severity.iter().find(|(name, _)| name.eq_ignore_ascii_case(diagnostic.rule));
        diagnostic.severity = said.map_or(diagnostic.severity, |(_, severity)| *severity);
        let is_off = selection.ignore.iter().any(|name| name.eq_ignore_ascii_case(diagnostic.rule));
        !is_off && diagnostic.severity != Severity::Off
    });
    (found, about)
}

fn settings(args: &Args, config: &Config, path: &Path) -> Result<Settings> {
    let mut settings = config.lint_settings(path)?;
    if !args.select.is_empty() {
        settings.selection.select.clone_from(&args.select);
    }
    settings.selection.ignore.extend(args.ignore.iter().cloned());
    settings.disregard_comments |= args.no_inline_ignore;
    let selection = &settings.selection;
    for name in selection.select.iter().chain(&selection.ignore).chain(selection.severity.keys()) {
        known(name)?;
    }
    Ok(settings)
}

/// Refuses names that no rule and no group has.
fn known(name: &str) -> Result<()> {
    let holds = |meta: &plimsoll_rules::Meta| meta.is_named(name) || meta.group.as_str() == name;
    if plimsoll_rules::metas().any(holds) || foreign(name) {
        return Ok(());
    }
    Err(miette!(help = "`plimsoll rules` lists them all", "failed to find a rule or group called `{name}`"))
}

/// Codes of other linters that have no rule here: a configuration may well name them.
fn foreign(name: &str) -> bool {
    let code = name.strip_prefix("SC").or_else(|| name.strip_prefix("DL"));
    code.is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn threshold(args: &Args, config: &Config) -> Result<Severity> {
    args.fail_on.as_ref().or(config.lint.fail_on.as_ref()).map_or(Ok(Severity::Style), |name| {
        name.parse()
            .map_err(|()| miette!(help = "use error, warning, info, style or none", "failed to read fail-on `{name}`"))
    })
}

/// Why nothing of a file was fixed, if fixes led nowhere.
fn undone(name: &str, done: &Converged) -> Option<String> {
    let Outcome::UndoneBecause { rules, reason } = &done.outcome else { return None };
    Some(format!(
        "{name}: nothing was fixed: {reason}; please report this together with the file (rules: {})",
        rules.join(", ")
    ))
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
