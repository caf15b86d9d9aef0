//! `plimsoll lint`: findings, and fixes.

use crate::config::{self, Config};
use crate::exit::Exit;
use crate::report::finding::{Checked, Finding};
use crate::report::lint::{self as report, Format};
use crate::{Global, files};
use miette::{Result, miette};
use plimsoll_analyzer::context::Listing;
use plimsoll_analyzer::diagnostic::{Diagnostic, Severity};
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_optimizer::converge::{Converged, Outcome};
use plimsoll_optimizer::diff::unified;
use plimsoll_optimizer::{Level, converge};
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::{LineIndex, Source};
use plimsoll_rules::{Settings, check_all};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// Comments in the file do not switch rules off
    #[arg(long)]
    no_inline_ignore: bool,
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

/// A context and its ignore file.
#[derive(Default)]
struct Surroundings {
    listing: Option<Listing>,
    ignore: Option<Ignore>,
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
    let fail_on = threshold(&args, global, &paths)?;
    let mut contexts: BTreeMap<PathBuf, Surroundings> = BTreeMap::new();
    let mut checked = Vec::new();
    let mut diffs = String::new();
    let mut undone = 0;
    for path in &paths {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let config = config::load(global.config.as_deref(), folder)?;
        let settings = settings(&args, &config, path)?;
        let source = Source::new(files::read(path)?);
        let name =
            if path.as_os_str() == files::STDIN { args.stdin_filename.clone() } else { path.display().to_string() };
        let around = surroundings(&args, path, folder, &mut contexts);
        let mut text = source.text().to_owned();
        if args.fix || args.fix_unsafe || args.diff {
            if !source.invalid().is_empty() {
                eprintln!("{name}: not UTF-8, so it is not fixed");
            } else {
                let level = if args.fix_unsafe { Level::Unsafe } else { Level::Safe };
                let done = converge(&text, &mut |text| check(text, &settings, around), level);
                undone += report_undone(&name, &done);
                if done.text != text {
                    if args.diff {
                        diffs.push_str(&unified(&format!("a/{name}"), &format!("b/{name}"), &text, &done.text));
                    } else if path.as_os_str() == files::STDIN {
                        crate::terminal::out!("{}", done.text);
                    } else {
                        files::write_atomically(path, done.text.as_bytes())?;
                    }
                    if !args.diff {
                        text = done.text;
                    }
                } else if path.as_os_str() == files::STDIN && !args.diff {
                    crate::terminal::out!("{text}");
                }
            }
        }
        let diagnostics = check(&text, &settings, around);
        let index = LineIndex::new(&text);
        let findings = diagnostics.iter().map(|diagnostic| Finding::new(&name, &index, diagnostic)).collect();
        checked.push(Checked { file: name, text, findings });
    }
    if args.diff {
        crate::terminal::out!("{diffs}");
        return Ok(if diffs.is_empty() { Exit::Clean } else { Exit::Findings });
    }
    let out = report::render(args.format, &checked, global.color.stdout());
    // With a fixed file on standard output, findings go beside it.
    let fixed_stdin = (args.fix || args.fix_unsafe) && paths.iter().any(|path| path.as_os_str() == files::STDIN);
    if fixed_stdin {
        eprint!("{out}");
    } else {
        crate::terminal::out!("{out}");
    }
    let failing = checked.iter().flat_map(|file| &file.findings).any(|finding| finding.rank() <= fail_on);
    Ok(if undone > 0 || (failing && fail_on != Severity::Off) { Exit::Findings } else { Exit::Clean })
}

/// All findings of a text, syntax errors among them.
fn check(text: &str, settings: &Settings, around: Option<&Surroundings>) -> Vec<Diagnostic> {
    let file = plimsoll_parser::parse(text);
    let mut inputs = Inputs::default();
    if let Some(around) = around {
        inputs.listing = around.listing.as_ref();
        inputs.ignore = around.ignore.as_ref();
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
    found.extend(check_all(&Model::new(&file, inputs), settings));
    found.sort_by(|a, b| (a.range, a.rule).cmp(&(b.range, b.rule)));
    found
}

fn surroundings<'c>(
    args: &Args,
    path: &Path,
    folder: &Path,
    contexts: &'c mut BTreeMap<PathBuf, Surroundings>,
) -> Option<&'c Surroundings> {
    let folder = match &args.context {
        Some(context) => context.clone(),
        // A file by itself is no context; a folder that was named is one.
        None if args.no_context || path.as_os_str() == files::STDIN => return None,
        None => folder.to_path_buf(),
    };
    let entry = contexts.entry(folder.clone()).or_insert_with(|| {
        let ignore = std::fs::read_to_string(folder.join(".dockerignore")).ok().map(|text| Ignore::parse(&text).0);
        Surroundings { listing: crate::builder::listing(&folder).ok(), ignore }
    });
    Some(entry)
}

fn settings(args: &Args, config: &Config, path: &Path) -> Result<Settings> {
    let mut settings = config.lint_settings(path)?;
    if !args.select.is_empty() {
        settings.selection.select.clone_from(&args.select);
    }
    settings.selection.ignore.extend(args.ignore.iter().cloned());
    settings.disregard_comments = args.no_inline_ignore;
    for name in
        settings.selection.select.iter().chain(&settings.selection.ignore).chain(settings.selection.severity.keys())
    {
        known(name)?;
    }
    Ok(settings)
}

/// Refuses names that no rule and no group has.
fn known(name: &str) -> Result<()> {
    let group = |rule: &&dyn plimsoll_rules::Rule| rule.meta().group.as_str() == name;
    if plimsoll_rules::find(name).is_some() || plimsoll_rules::ALL.iter().any(group) || foreign(name) {
        return Ok(());
    }
    Err(miette!(help = "`plimsoll rules` lists them all", "failed to find a rule or group called `{name}`"))
}

/// Codes of other linters that have no rule here: a configuration may well name them.
fn foreign(name: &str) -> bool {
    let code = name.strip_prefix("SC").or_else(|| name.strip_prefix("DL"));
    code.is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn threshold(args: &Args, global: &Global, paths: &[PathBuf]) -> Result<Severity> {
    let named = match &args.fail_on {
        Some(name) => Some(name.clone()),
        None => {
            let first = paths.first().and_then(|path| path.parent()).filter(|p| !p.as_os_str().is_empty());
            config::load(global.config.as_deref(), first.unwrap_or(Path::new(".")))?.lint.fail_on
        }
    };
    named.map_or(Ok(Severity::Style), |name| {
        name.parse()
            .map_err(|()| miette!(help = "use error, warning, info, style or none", "failed to read fail-on `{name}`"))
    })
}

fn report_undone(name: &str, done: &Converged) -> usize {
    let Outcome::UndoneBecause { rules, reason } = &done.outcome else { return 0 };
    eprintln!(
        "{name}: nothing was fixed: {reason}; please report this together with the file (rules: {})",
        rules.join(", ")
    );
    1
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
