//! The verdict on images: a table, and on growth what to blame.

use super::growth;
pub use super::growth::signed;
use super::image::{Cause, short};
use super::markdown::{cell, code, fit};
use crate::growth::Growth;
use crate::terminal::{Paint, size};
use serde::Serialize;
use std::fmt::Write as _;

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For a pull request; under 60 kB
    Markdown,
}

/// Everything `gate` found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub version: u32,
    /// Whether every image passed.
    pub passed: bool,
    /// One for each image.
    pub targets: Vec<Verdict>,
}

/// One image.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Its name.
    pub name: String,
    /// Digest of its configuration.
    pub image: String,
    /// The Dockerfile that lines are of.
    pub dockerfile: Option<String>,
    /// Bytes, uncompressed.
    pub size: u64,
    /// Bytes as a registry gets it, where measured.
    pub compressed: Option<u64>,
    /// Layers.
    pub layers: usize,
    /// Bytes that need not be there, brought by layers above the base.
    pub avoidable: u64,
    /// Bytes of the build context.
    pub context: Option<u64>,
    /// What it was compared with.
    pub baseline: Option<String>,
    /// Whether it passed.
    pub passed: bool,
    /// Every limit.
    pub checks: Vec<Check>,
    /// What changed since the baseline.
    pub growth: Option<Growth>,
    /// What need not be there, the largest first.
    pub causes: Vec<Cause>,
}

/// A limit and what was measured.
#[derive(Debug, Serialize)]
pub struct Check {
    /// Its name.
    pub check: &'static str,
    /// What is allowed.
    pub limit: String,
    /// What is.
    pub actual: String,
    /// Whether that is within.
    pub passed: bool,
    /// Files or lines.
    pub details: Vec<String>,
}

/// Rows of each list.
const TOP: usize = 10;

/// The report in the format that was asked for, with a line end.
pub fn render(format: Format, report: &Report, color: bool) -> String {
    match format {
        Format::Text => text(report, Paint(color)),
        Format::Json => serde_json::to_string_pretty(report).unwrap_or_default() + "\n",
        Format::Markdown => markdown(report),
    }
}

fn word(passed: bool) -> &'static str {
    if passed { "pass" } else { "fail" }
}

/// `+41.0 MB, of which 38.0 MB is line 9: RUN npm ci`
fn sentence(growth: &Growth) -> Option<String> {
    let change = match growth.delta {
        0 => return None,
        grown if grown > 0 => format!("{} larger", size(grown.unsigned_abs())),
        shrunk => format!("{} smaller", size(shrunk.unsigned_abs())),
    };
    let rows = growth::by_difference(growth);
    let same_way = |row: &&&crate::growth::Row| row.delta.signum() == growth.delta.signum() && row.kind != "context";
    let most = rows.iter().find(same_way)?;
    let (bytes, place) = (size(most.delta.unsigned_abs()), growth::place(most, 100));
    // Other lines may have gone the other way.
    let whole = most.delta.unsigned_abs() <= growth.delta.unsigned_abs();
    Some(if whole { format!("{change}, of which {bytes} is {place}") } else { format!("{change}: {bytes} is {place}") })
}

fn text(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for verdict in &report.targets {
        let passed = word(verdict.passed);
        let passed = if verdict.passed { paint.green(passed) } else { paint.red(passed) };
        let grown = verdict.growth.as_ref().map(|growth| format!("  {}", signed(growth.delta))).unwrap_or_default();
        let (bytes, layers) = (size(verdict.size), verdict.layers);
        let _ = writeln!(out, "{passed}  {}  {bytes}{grown}  {layers} layers", paint.bold(&verdict.name));
        for check in &verdict.checks {
            let sign = if check.passed { paint.green("ok  ") } else { paint.red("over") };
            let limit = if check.check.starts_with("forbid") { "" } else { "at most " };
            let _ = writeln!(out, "  {sign} {:<15} {limit}{}: {}", check.check, check.limit, check.actual);
            for detail in check.details.iter().take(TOP) {
                let _ = writeln!(out, "         {detail}");
            }
        }
        if let Some(growth) = verdict.growth.as_ref() {
            if let Some(sentence) = sentence(growth) {
                let _ = writeln!(out, "\n  {}", paint.bold(sentence));
            }
            growth::text(&mut out, growth, TOP, paint);
        }
        if !verdict.checks.iter().all(|check| check.passed || check.check != "max-wasted") {
            for cause in verdict.causes.iter().filter(|cause| cause.how != "kept cache").take(5) {
                let place =
                    cause.line.map_or_else(|| format!("layer {}", cause.blame_layer), |line| format!("line {line}"));
                let _ = writeln!(out, "{:>10}  {} files {} by {place}", size(cause.bytes), cause.files, cause.how);
                let _ = writeln!(out, "{:>10}  {}", "", paint.green(&cause.remedy.advice));
            }
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn markdown(report: &Report) -> String {
    let mut out =
        format!("<!-- plimsoll gate -->\n### Image gate: {}\n\n", if report.passed { "passed" } else { "failed" });
    out.push_str("| | image | size | change | layers | avoidable |\n|---|---|---:|---:|---:|---:|\n");
    for verdict in report.targets.iter().take(100) {
        let grown = verdict.growth.as_ref().map(|growth| signed(growth.delta)).unwrap_or_default();
        let compressed = verdict.compressed.map(|bytes| format!(" ({} compressed)", size(bytes))).unwrap_or_default();
        let name = cell(&code(&verdict.name));
        let (layers, avoidable) = (verdict.layers, size(verdict.avoidable));
        let passed = word(verdict.passed);
        let _ = writeln!(
            out,
            "| {passed} | {name} | {}{compressed} | {grown} | {layers} | {avoidable} |",
            size(verdict.size)
        );
    }
    for verdict in &report.targets {
        let failed: Vec<&Check> = verdict.checks.iter().filter(|check| !check.passed).collect();
        let changed = verdict.growth.as_ref().is_some_and(|growth| !growth::by_difference(growth).is_empty());
        if failed.is_empty() && !changed {
            continue;
        }
        let file = verdict.dockerfile.as_ref().map(|file| format!(" ({})", code(file))).unwrap_or_default();
        let _ = writeln!(out, "\n#### {}{file}\n", code(&verdict.name));
        if !failed.is_empty() {
            out.push_str("| limit | allowed | is |\n|---|---:|---:|\n");
            for check in &failed {
                let limit = cell(&code(&check.limit));
                let _ = writeln!(out, "| {} | {limit} | {} |", check.check, cell(&check.actual));
            }
            out.push('\n');
            for detail in failed.iter().flat_map(|check| check.details.iter().take(20)) {
                let _ = writeln!(out, "- {}", code(&short(detail, 300)));
            }
        }
        if let Some(growth) = &verdict.growth {
            if let Some(sentence) = sentence(growth) {
                let _ = writeln!(out, "\n**{}**\n", sentence.replace('*', "\\*"));
            }
            growth::markdown(&mut out, growth, TOP);
        }
    }
    fit(out)
}
