//! The size ladder: what each step saved and whether the program is the same.

mod html;

use crate::packages::{Change, Installed};
pub use crate::report::Format;
use crate::report::markdown::{cell, fit};
use crate::report::treemap::Node;
use crate::terminal::{self, Paint, size};
use plimsoll_runtime::compare::{Difference, DifferenceKind};
use serde::Serialize;
use std::fmt::Write as _;

/// Everything `optimize` found out. Serialized as it stands: the output's contract.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub version: u32,
    /// The build context.
    pub context: String,
    /// The Dockerfile.
    pub dockerfile: String,
    /// How owners were mapped.
    pub id_map: String,
    /// Base images that are stand-ins made of Debian packages.
    pub stand_ins: Vec<String>,
    /// What was asked of every image.
    pub probes: Vec<String>,
    /// How many comparisons are those of an earlier run of the same images.
    pub remembered: usize,
    /// Containers that were started beside every image.
    pub services: Vec<crate::services::Told>,
    /// Probes on which two runs of the original differ.
    pub flaky: Vec<String>,
    /// What two builds of the original differ in, where that was found out; held against no step.
    pub noise: Vec<Difference>,
    /// The image before.
    pub original: Rung,
    /// Every step that was tried, in order.
    pub steps: Vec<Rung>,
    /// The image after.
    pub result: Outcome,
    /// Unified diffs of the Dockerfile and the ignore file.
    pub diff: String,
    /// The new files.
    pub files: Files,
    /// Normalizers and noise lists that were used.
    pub normalized: Vec<String>,
    /// What a change of one source file costs, before and after.
    pub rebuild: Option<Rebuild>,
    /// Packages that the result has no longer, has newly, or has in another version; nothing where nothing was built.
    pub packages: Option<Change>,
    /// Whether the files were written.
    pub written: bool,
    /// Bytes by path, before and after, where somebody wants to see them.
    #[serde(skip)]
    pub trees: Option<(Node, Node)>,
}

/// A build again after one line of the sources was changed.
#[derive(Debug, Serialize)]
pub struct Rebuild {
    /// The file that was changed.
    pub changed: String,
    /// With the original's text.
    pub original: BuiltIn,
    /// With the result's.
    pub result: BuiltIn,
}

/// The new files.
#[derive(Debug, Serialize)]
pub struct Files {
    /// Text of the Dockerfile.
    pub dockerfile: String,
    /// Text of the ignore file.
    pub dockerignore: Option<String>,
}

/// The image after all steps.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Bytes, uncompressed.
    pub size: u64,
    /// Manifest digest.
    pub digest: String,
    /// Original size by result size.
    pub factor: f64,
    /// Whether every step that was kept is proven.
    pub verified: bool,
    /// Whole seconds and fractions the command took.
    pub seconds: f64,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Rung {
    /// The move's name; `original` for the first.
    pub name: String,
    /// Its line in the ladder.
    pub title: String,
    /// `taken`, `dropped`, `not-applicable` or `skipped`.
    pub outcome: &'static str,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bytes of the image, uncompressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Bytes saved against the step before; negative when it grew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<i64>,
    /// Manifest digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Number of layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Checks that agreed with the original and all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed: Option<(usize, usize)>,
    /// Seconds of build and how many instructions were really carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built: Option<BuiltIn>,
    /// What differs beyond what the step declares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What differs as declared; the number of paths alone, they may be thousands.
    pub declared: usize,
    /// Globs of the paths in which this image may differ from the original.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub may_change: Vec<String>,
    /// Fields of the config in which it may differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_may_change: Vec<String>,
    /// What the author should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a build took.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BuiltIn {
    /// Wall time.
    pub seconds: f64,
    /// Instructions carried out.
    pub executed: usize,
    /// Instructions whose result was there already.
    pub cached: usize,
}

impl Rung {
    /// A step that was not built.
    pub fn unbuilt(name: &str, title: &str, outcome: &'static str, reason: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            outcome,
            reason: Some(reason.to_owned()),
            size: None,
            saved: None,
            digest: None,
            layers: None,
            agreed: None,
            built: None,
            differences: Vec::new(),
            declared: 0,
            may_change: Vec::new(),
            config_may_change: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// The report in the format that was asked for, with a line end.
pub fn render(format: Format, report: &Report, color: bool) -> String {
    match format {
        Format::Text => text(report, Paint(color)),
        Format::Json => serde_json::to_string_pretty(report).unwrap_or_default() + "\n",
        Format::Html => html::render(report),
        Format::Markdown => fit(markdown(report)),
    }
}

/// Steps that make the ladder: the original and what was taken.
fn climbed(report: &Report) -> impl Iterator<Item = &Rung> {
    std::iter::once(&report.original).chain(report.steps.iter().filter(|step| step.outcome == "taken"))
}

fn agreed(rung: &Rung, original: bool) -> String {
    match rung.agreed {
        _ if original => "-".to_owned(),
        Some((same, all)) => format!("{same}/{all}"),
        None => "not run".to_owned(),
    }
}

fn text(report: &Report, paint: Paint) -> String {
    const BAR: usize = 24;
    let mut out = String::new();
    if report.original.size.is_none() {
        for step in report.steps.iter().filter(|step| step.outcome == "taken") {
            let _ = writeln!(out, "{}  {}", paint.green("+"), step.title);
        }
        for step in report.steps.iter().filter(|step| step.outcome == "skipped") {
            let _ = writeln!(out, "{}  {}: {}", paint.dim("-"), step.title, step.reason.as_deref().unwrap_or_default());
        }
        show_diff(&mut out, report, paint);
        let _ = writeln!(out, "\n{}", paint.yellow(verdict(report)));
        return out;
    }
    let width = climbed(report).map(|rung| rung.title.chars().count()).max().unwrap_or(0).max(8);
    let largest = report.original.size.unwrap_or(1).max(1);
    let heading = format!("{:width$}  {:>9}  {:>9}  {:>14}", "step", "size", "saved", "same behaviour");
    let _ = writeln!(out, "{}", paint.bold(heading));
    for (index, rung) in climbed(report).enumerate() {
        let bytes = rung.size.unwrap_or_default();
        let saved = rung.saved.filter(|_| index > 0).map(signed).unwrap_or_default();
        let same = format!("{:>14}", agreed(rung, index == 0));
        let same = if rung.differences.is_empty() { same } else { paint.red(same) };
        let eighths = (bytes as f64 / largest as f64 * (BAR * 8) as f64).round() as usize;
        let bar = paint.cyan(bar(eighths));
        let pad = width - rung.title.chars().count();
        let _ = writeln!(out, "{}{:pad$}  {:>9}  {saved:>9}  {same}  {bar}", rung.title, "", size(bytes));
    }
    let dropped: Vec<&Rung> = report.steps.iter().filter(|step| step.outcome == "dropped").collect();
    if !dropped.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("not kept"));
        for rung in dropped {
            let _ = writeln!(out, "  {}: {}", rung.title, rung.reason.as_deref().unwrap_or("no reason given"));
            differences(&mut out, &rung.differences, "    ");
        }
    }
    let left = left_alone(report);
    if !left.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("left alone"));
        for rung in left {
            let _ = writeln!(out, "  {}: {}", rung.title, rung.reason.as_deref().unwrap_or_default());
        }
    }
    let notes: Vec<(&str, &String)> =
        climbed(report).flat_map(|rung| rung.notes.iter().map(|note| (rung.title.as_str(), note))).collect();
    if !notes.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("worth knowing"));
        for (title, note) in notes {
            let _ = writeln!(out, "  {title}: {note}");
        }
    }
    if let Some(packages) = report.packages.as_ref().filter(|change| !change.is_empty()) {
        let now = match packages.after {
            0 => "the result keeps no list of them".to_owned(),
            after => format!("{after} now"),
        };
        let _ = writeln!(out, "\n{}", paint.bold(format!("packages: {} before, {now}", packages.before)));
        for (what, names) in package_lines(packages, SHOWN_PACKAGES).into_iter().filter(|_| packages.after > 0) {
            let _ = writeln!(out, "  {what}: {names}");
        }
    }
    let _ = writeln!(out);
    if !report.flaky.is_empty() {
        let _ =
            writeln!(out, "{} two runs of the original differ in: {}", paint.yellow("flaky:"), report.flaky.join(", "));
    }
    if !report.noise.is_empty() {
        let _ = writeln!(
            out,
            "{} two builds of the original differ in {}, which is held against no step:",
            paint.yellow("noise:"),
            counted(report.noise.len(), "place")
        );
        // It is held against nobody, so that a few show what it is about.
        let few = report.noise.get(..3).unwrap_or(&report.noise);
        differences(&mut out, few, "    ");
        if report.noise.len() > few.len() {
            let _ = writeln!(out, "    … and {} more", report.noise.len() - few.len());
        }
    }
    if let Some(rebuild) = &report.rebuild {
        let _ = writeln!(out, "{}", rebuilt(rebuild));
    }
    for image in &report.stand_ins {
        let _ = writeln!(
            out,
            "{} {image} is a stand-in made of Debian packages, not the image of that name",
            paint.yellow("note:")
        );
    }
    if !report.probes.is_empty() {
        let _ = writeln!(out, "asked of each: {}", report.probes.join(", "));
    }
    if report.remembered > 0 {
        let what = if report.remembered == 1 { "one proof is that" } else { "proofs are those" };
        let count = if report.remembered == 1 { String::new() } else { format!("{} ", report.remembered) };
        let _ = writeln!(out, "{count}{what} of an earlier run of the same images; --no-cache asks again");
    }
    if !report.services.is_empty() {
        let beside: Vec<String> = report.services.iter().map(|s| format!("{} ({})", s.name, s.from)).collect();
        let _ = writeln!(out, "beside each: {}", beside.join(", "));
    }
    if !report.normalized.is_empty() {
        let _ = writeln!(out, "not compared: {}", report.normalized.join(", "));
    }
    let _ = writeln!(out, "IDs: {}; sizes are uncompressed", report.id_map);
    show_diff(&mut out, report, paint);
    let verdict = verdict(report);
    let _ = writeln!(out, "\n{}", if report.result.verified { paint.green(verdict) } else { paint.yellow(verdict) });
    out
}

fn show_diff(out: &mut String, report: &Report, paint: Paint) {
    if report.diff.is_empty() {
        return;
    }
    let _ = writeln!(out);
    for line in report.diff.lines() {
        let line = match line.as_bytes().first() {
            Some(b'+') if !line.starts_with("+++") => paint.green(line),
            Some(b'-') if !line.starts_with("---") => paint.red(line),
            Some(b'@') => paint.cyan(line),
            _ => line.to_owned(),
        };
        let _ = writeln!(out, "{line}");
    }
}

fn verdict(report: &Report) -> String {
    let before = report.original.size.unwrap_or_default();
    let after = report.result.size;
    let kept = report.steps.iter().filter(|step| step.outcome == "taken").count();
    let time = terminal::duration(std::time::Duration::from_secs_f64(report.result.seconds));
    let candidates: Vec<&Rung> = report.steps.iter().filter(|step| step.name == "candidate").collect();
    if let [candidate] = candidates[..] {
        let sizes = match candidate.size {
            Some(after) => format!("{} -> {}", size(before), size(after)),
            None => "no image".to_owned(),
        };
        return match candidate.differences.len() {
            0 if report.result.verified => format!("{sizes}: the same program as far as it was asked ({time})"),
            0 => format!("{sizes}: nothing was asked of it, so nothing is proven ({time})"),
            1 => format!("{sizes}: not the same, 1 difference ({time})"),
            count => format!("{sizes}: not the same, {count} differences ({time})"),
        };
    }
    if !candidates.is_empty() {
        return format!("{kept} of {} candidates are the same program ({time})", candidates.len());
    }
    if before == 0 {
        return format!(
            "{}; --verify builds and proves them, --write puts them in place unproven ({time})",
            if kept == 1 { "1 step applies".to_owned() } else { format!("{kept} steps apply") }
        );
    }
    if kept == 0 {
        return format!("{} as it is: no step made it smaller ({time})", size(before));
    }
    let proof = if report.result.verified { "each step proven" } else { "not proven" };
    let written = if report.written { "; files written" } else { "; --write puts it in place" };
    format!("{} -> {} ({:.1} times smaller), {proof}, {time}{written}", size(before), size(after), report.result.factor)
}

/// `a change of app.py costs 31 s (4 steps) before, 0.4 s (1 step) now`
fn rebuilt(rebuild: &Rebuild) -> String {
    let cost = |built: &BuiltIn| {
        let time = terminal::duration(std::time::Duration::from_secs_f64(built.seconds));
        format!("{time} ({})", counted(built.executed, "step"))
    };
    format!("a change of {} cost {} before, now {}", rebuild.changed, cost(&rebuild.original), cost(&rebuild.result))
}

/// Large steps that were not taken for a reason that lies in this very file, where no other of their kind was.
fn left_alone(report: &Report) -> Vec<&Rung> {
    const SAID_OF_ANY_FILE: &[&str] = &[
        "nothing here installs packages",
        "is no image of Go",
        "no go build is here",
        "several stages already",
        "nothing here is compiled",
        "nothing would stay behind",
        "what its commands wrote is not known",
        "no kit of Java",
        "no smaller variant",
    ];
    let staged = |rung: &&Rung| rung.name.starts_with("two-stage-");
    if report.steps.iter().filter(staged).any(|rung| rung.outcome == "taken") {
        return Vec::new();
    }
    let mut said = std::collections::BTreeSet::new();
    let alone = report.steps.iter().filter(staged).filter(|rung| rung.outcome == "not-applicable");
    alone
        .filter(|rung| {
            let reason = rung.reason.as_deref().unwrap_or_default();
            !SAID_OF_ANY_FILE.iter().any(|known| reason.contains(known)) && said.insert(reason)
        })
        .collect()
}

/// Names of packages that a terminal shows; JSON has all of them.
const SHOWN_PACKAGES: usize = 12;

/// `no longer there: gcc-12 (60.2 MB), perl (9 MB), and 31 more`: what happened to packages, and at most `most` names each.
fn package_lines(change: &Change, most: usize) -> Vec<(&'static str, String)> {
    let sized = |one: &Installed| format!("{} ({})", one.name, size(one.bytes));
    let versions = change.versions.iter().map(|one| format!("{} {} -> {}", one.name, one.before, one.after)).collect();
    let lines: [(&str, Vec<String>); 4] = [
        ("in another version", versions),
        ("no longer there", change.gone.iter().map(sized).collect()),
        ("new", change.new.iter().map(sized).collect()),
        ("not compared, since the result has no list of them", change.unlisted.clone()),
    ];
    let lines = lines.into_iter().filter(|(_, names)| !names.is_empty());
    lines
        .map(|(what, mut names)| {
            let more = names.len().saturating_sub(most);
            names.truncate(most);
            if more > 0 {
                names.push(format!("and {more} more"));
            }
            (what, names.join(", "))
        })
        .collect()
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn signed(saved: i64) -> String {
    if saved < 0 { format!("-{}", size(saved.unsigned_abs())) } else { size(saved.unsigned_abs()) }
}

/// A bar of `eighths` of a character cell.
fn bar(eighths: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(PARTS.get(eighths % 8).copied().unwrap_or_default());
    if bar.is_empty() { "▏".to_owned() } else { bar }
}

/// Differences, at most twenty of them, each on a line.
pub fn differences(out: &mut String, all: &[Difference], indent: &str) {
    const SHOWN: usize = 20;
    for difference in all.iter().take(SHOWN) {
        let _ = writeln!(out, "{indent}{}", difference_line(difference));
    }
    if all.len() > SHOWN {
        let _ = writeln!(out, "{indent}… and {} more", all.len() - SHOWN);
    }
}

/// One difference as a person reads it: `/usr/bin/x mode 0755 -> 0644`.
pub fn difference_line(difference: &Difference) -> String {
    let subject = &difference.subject;
    let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), |v| shorten(v, 160));
    let before = shown(&difference.before);
    let after = shown(&difference.after);
    match difference.kind {
        DifferenceKind::Added => format!("{subject} is new ({})", signed_bytes(difference.bytes)),
        DifferenceKind::Removed => format!("{subject} is gone ({})", signed_bytes(difference.bytes)),
        DifferenceKind::Value => format!("{subject}: {before} -> {after}"),
        DifferenceKind::Type => format!("{subject} type {before} -> {after}"),
        DifferenceKind::Mode => format!("{subject} mode {before} -> {after}"),
        DifferenceKind::Owner => format!("{subject} owner {before} -> {after}"),
        DifferenceKind::Content => format!("{subject} content differs ({})", signed_bytes(difference.bytes)),
        DifferenceKind::Target => format!("{subject} target {before} -> {after}"),
        DifferenceKind::Attributes => format!("{subject} extended attributes {before} -> {after}"),
        DifferenceKind::Answer => format!("{subject} answers {before} -> {after}"),
    }
}

fn signed_bytes(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "+" };
    format!("{sign}{}", size(bytes.unsigned_abs()))
}

fn shorten(text: &str, most: usize) -> String {
    let line = text.trim_end().replace('\n', "\\n");
    if line.chars().count() <= most { line } else { line.chars().take(most).collect::<String>() + "…" }
}

fn markdown(report: &Report) -> String {
    let mut out = String::from("| step | size | saved | same behaviour |\n|---|---:|---:|---:|\n");
    for (index, rung) in climbed(report).enumerate() {
        let saved = rung.saved.filter(|_| index > 0).map(signed).unwrap_or_default();
        let bytes = size(rung.size.unwrap_or_default());
        let _ = writeln!(out, "| {} | {bytes} | {saved} | {} |", cell(&rung.title), agreed(rung, index == 0));
    }
    let _ = writeln!(out, "\n{}", verdict(report));
    if let Some(rebuild) = &report.rebuild {
        let _ = writeln!(out, "\nRebuilding: {}.", cell(&rebuilt(rebuild)));
    }
    for image in &report.stand_ins {
        let _ = writeln!(out, "\n`{image}` is a stand-in made of Debian packages.");
    }
    let dropped: Vec<&Rung> = report.steps.iter().filter(|step| step.outcome == "dropped").collect();
    if !dropped.is_empty() {
        let _ = writeln!(out, "\nNot kept:\n");
        for rung in dropped {
            let _ = writeln!(out, "- {}: {}", cell(&rung.title), cell(rung.reason.as_deref().unwrap_or_default()));
        }
    }
    if let Some(packages) = report.packages.as_ref().filter(|change| !change.is_empty()) {
        let (before, after) = (packages.before, packages.after);
        let _ = writeln!(out, "\n<details><summary>Packages: {before} before, {after} now</summary>\n");
        for (what, names) in package_lines(packages, 200) {
            let _ = writeln!(out, "- {what}: {}", cell(&names));
        }
        let _ = writeln!(out, "\n</details>");
    }
    if !report.diff.is_empty() {
        let fence = "`".repeat(longest_run(&report.diff, '`').max(2) + 1);
        let _ = writeln!(
            out,
            "\n<details><summary>The change</summary>\n\n{fence}diff\n{}\n{fence}\n</details>",
            report.diff.trim_end()
        );
    }
    out
}

fn longest_run(text: &str, wanted: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
