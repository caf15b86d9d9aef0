//! An image taken apart, for people.

use super::{Cause, ImageReport, short};
use crate::terminal::{Paint, size};
use std::fmt::Write as _;

pub(super) fn text(report: &ImageReport, top: usize, paint: Paint) -> String {
    let mut out = String::new();
    head(&mut out, report, paint);
    layers(&mut out, report, paint);
    causes(&mut out, report, top, paint);
    for (title, list) in
        [("largest directories", &report.largest_directories), ("largest files", &report.largest_files)]
    {
        let _ = writeln!(out, "\n{}", paint.bold(title));
        for row in list.iter().take(top) {
            let _ = writeln!(out, "{:>9}  {}", size(row.bytes), row.path);
        }
    }
    let kinds: Vec<_> = report.kinds.iter().filter(|kind| kind.kind != "other").collect();
    if !kinds.is_empty() {
        let _ = writeln!(out, "\n{}  {}", paint.bold("kinds of files"), paint.dim("above the base"));
        for kind in kinds.iter().take(top) {
            let above = if kind.above_base > 0 { size(kind.above_base) } else { String::new() };
            let _ = writeln!(out, "{:>9}  {:<18} {:>7} files  {above:>9}", size(kind.bytes), kind.kind, kind.files);
        }
    }
    if !report.packages.is_empty() {
        let _ = writeln!(out, "\n{} {}", paint.bold("packages"), report.packages.len());
        for package in report.packages.iter().take(top) {
            let place = place(report, package.layer);
            let name = format!("{} {}", package.name, package.version);
            let _ = writeln!(out, "{:>9}  {:<5} {name}  {}", size(package.bytes), package.manager, paint.dim(place));
        }
    }
    for (title, list) in [("secrets", &report.secrets), ("setuid programs", &report.setuid)] {
        if !list.is_empty() {
            let title = if title == "secrets" { paint.red(title) } else { paint.bold(title) };
            let _ = writeln!(out, "\n{title} {}", list.len());
            for path in list.iter().take(top) {
                let _ = writeln!(out, "{:>9}  {path}", "");
            }
        }
    }
    let _ = writeln!(out, "\na container sees {} paths, {}", report.visible.paths, size(report.visible.bytes));
    out
}

fn head(out: &mut String, report: &ImageReport, paint: Paint) {
    let compressed = report.compressed.map(|bytes| format!(" ({} compressed)", size(bytes))).unwrap_or_default();
    let (bytes, layers) = (size(report.size), report.layers.len());
    let _ = writeln!(out, "{}  {bytes}{compressed}  {layers} layers  {}", paint.bold(&report.image), report.platform);
    let _ = writeln!(out, "{}", report.digest.as_ref().unwrap_or(&report.id));
    let base = &report.base;
    if let Some(by) = base.by {
        let name = base.name.as_deref().unwrap_or("the base image");
        let by = if by == "history" { "a guess from its history" } else { by };
        let own = size(report.size - base.bytes);
        let _ = writeln!(out, "base {}  {} in {} layers ({by}); above it {own}", name, size(base.bytes), base.layers);
    }
}

fn layers(out: &mut String, report: &ImageReport, paint: Paint) {
    let _ = writeln!(
        out,
        "\n{}",
        paint.bold(format!("{:>9}  {:>9}  {:>7}  {:>5}  made by", "size", "wasted", "entries", "line"))
    );
    for layer in &report.layers {
        let wasted = if layer.wasted > 0 { size(layer.wasted) } else { String::new() };
        let line = match (layer.base, layer.line) {
            (true, _) => "base".to_owned(),
            (false, line) => line.map(|line| line.to_string()).unwrap_or_default(),
        };
        let said = short(&layer.instruction, 80);
        let said = if layer.base { paint.dim(said) } else { said };
        let wasted = paint.yellow(format!("{wasted:>9}"));
        let _ = writeln!(out, "{:>9}  {wasted}  {:>7}  {line:>5}  {said}", size(layer.size), layer.entries);
    }
}

fn causes(out: &mut String, report: &ImageReport, top: usize, paint: Paint) {
    let of = |base: bool| report.causes.iter().filter(move |cause| cause.base == base);
    let (wasted, twice) = (size(report.wasted_bytes), size(report.duplicate_bytes));
    let _ = writeln!(out, "\n{} {wasted}, there twice {twice}", paint.bold("wasted"));
    for cause in of(false).take(top) {
        let what = format!("{} {}", count(cause.files), cause.how);
        let _ = writeln!(out, "{:>9}  {what} by {}", size(cause.bytes), blamed(cause));
        let example = cause.examples.first().map(String::as_str).unwrap_or_default();
        let more = if cause.files > 1 { format!(" and {} more", cause.files - 1) } else { String::new() };
        let _ = writeln!(out, "{:>9}  {}", "", paint.dim(format!("{example}{more}")));
        let rule = cause.remedy.rule.as_ref().map(|rule| format!(" ({rule})")).unwrap_or_default();
        let _ = writeln!(out, "{:>9}  {}{}", "", paint.green(&cause.remedy.advice), paint.dim(rule));
        if let Some(fixed) = &cause.remedy.fixed {
            for line in fixed.lines() {
                let _ = writeln!(out, "{:>9}  {}", "", paint.green(format!("+ {line}")));
            }
        }
    }
    let in_base: u64 = of(true).filter(|cause| cause.how != "kept cache").map(|cause| cause.bytes).sum();
    if in_base > 0 {
        let _ = writeln!(out, "{:>9}  {}", size(in_base), paint.dim("of it in the base image"));
    }
}

/// The instruction to blame: its line, where known.
pub(super) fn blamed(cause: &Cause) -> String {
    let said = short(&cause.instruction, 60);
    match cause.line {
        Some(line) => format!("line {line}: {said}"),
        None => format!("layer {}: {said}", cause.blame_layer),
    }
}

fn place(report: &ImageReport, layer: usize) -> String {
    match report.layers.get(layer.saturating_sub(1)) {
        Some(layer) if layer.base => "base".to_owned(),
        Some(layer) => layer.line.map_or_else(|| format!("layer {}", layer.number), |line| format!("line {line}")),
        None => String::new(),
    }
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}
