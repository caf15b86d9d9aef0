//! An image taken apart, for a pull request.

use super::text::blamed;
use super::{ImageReport, short};
use crate::report::markdown::{cell, code, fit};
use crate::terminal::size;
use std::fmt::Write as _;

pub(super) fn markdown(report: &ImageReport, top: usize) -> String {
    let mut out = String::new();
    let layers = report.layers.len();
    let _ = writeln!(out, "### {}: {} in {layers} layers\n", code(&report.image), size(report.size));
    if let (Some(name), true) = (&report.base.name, report.base.by.is_some()) {
        let own = size(report.size - report.base.bytes);
        let _ = writeln!(out, "Base {}: {}; above it {own}.\n", code(name), size(report.base.bytes));
    }
    out.push_str("| size | wasted | line | made by |\n|---:|---:|---:|---|\n");
    for layer in report.layers.iter().filter(|layer| !layer.base).take(60) {
        let line = layer.line.map(|line| line.to_string()).unwrap_or_default();
        let said = code(&short(&layer.instruction, 90));
        let _ = writeln!(out, "| {} | {} | {line} | {} |", size(layer.size), size(layer.wasted), cell(&said));
    }
    let (wasted, twice) = (size(report.wasted_bytes), size(report.duplicate_bytes));
    let _ = writeln!(out, "\n**Wasted {wasted}, there twice {twice}**\n");
    let causes: Vec<_> = report.causes.iter().filter(|cause| !cause.base).take(top).collect();
    if !causes.is_empty() {
        out.push_str("| bytes | files | how | blame | mend |\n|---:|---:|---|---|---|\n");
        for cause in causes {
            let rule = cause.remedy.rule.as_ref().map(|rule| format!(" ({})", code(rule))).unwrap_or_default();
            let blame = cell(&code(&blamed(cause)));
            let mend = cell(&cause.remedy.advice);
            let _ =
                writeln!(out, "| {} | {} | {} | {blame} | {mend}{rule} |", size(cause.bytes), cause.files, cause.how);
        }
    }
    if !report.packages.is_empty() {
        let _ = writeln!(out, "\n<details><summary>{} packages</summary>\n", report.packages.len());
        out.push_str("| bytes | package | version | by |\n|---:|---|---|---|\n");
        for package in report.packages.iter().take(5 * top) {
            let (name, version) = (cell(&package.name), cell(&package.version));
            let _ = writeln!(out, "| {} | {name} | {version} | {} |", size(package.bytes), package.manager);
        }
        out.push_str("\n</details>\n");
    }
    out.push_str("\n<details><summary>Largest files</summary>\n\n| bytes | path |\n|---:|---|\n");
    for file in report.largest_files.iter().take(2 * top) {
        let _ = writeln!(out, "| {} | {} |", size(file.bytes), cell(&code(&short(&file.path, 200))));
    }
    out.push_str("\n</details>\n");
    fit(out)
}
