//! Growth as people read it: the line, the command, the packages and files to blame, and what mends it.

use super::image::{Cause, short};
use super::markdown::{cell, code};
use crate::growth::{Growth, PackageRow, PathRow, Row};
use crate::terminal::{Paint, size};
use std::fmt::Write as _;

/// A difference with its sign.
pub fn signed(delta: i64) -> String {
    match delta {
        0 => "0 B".to_owned(),
        delta if delta > 0 => format!("+{}", size(delta.unsigned_abs())),
        delta => format!("-{}", size(delta.unsigned_abs())),
    }
}

/// The rows by their difference, the largest first.
pub fn by_difference(growth: &Growth) -> Vec<&Row> {
    let mut rows: Vec<&Row> =
        growth.instructions.iter().filter(|row| row.delta != 0 || !row.packages.is_empty()).collect();
    // The context is no part of the image; it comes last.
    rows.sort_by_key(|row| (row.kind == "context", std::cmp::Reverse(row.delta.unsigned_abs()), row.line));
    rows
}

/// The line and text of an instruction.
pub fn place(row: &Row, most: usize) -> String {
    let said = short(&row.instruction, most);
    match row.line {
        Some(line) => format!("line {line}: {said}"),
        None => said,
    }
}

/// A package and what became of it.
pub fn package(row: &PackageRow) -> String {
    let PackageRow { manager, name, before, after, .. } = row;
    match (before, after) {
        (None, Some(after)) => format!("{manager} {name} {after}, new"),
        (Some(before), None) => format!("{manager} {name} {before}, gone"),
        (Some(before), Some(after)) if before != after => format!("{manager} {name} {before} → {after}"),
        (_, version) => format!("{manager} {name} {}", version.as_deref().unwrap_or_default()),
    }
}

/// The one sentence about a path.
fn path(row: &PathRow) -> String {
    let what = match (row.before, row.after) {
        (0, _) => ", new",
        (_, 0) => ", gone",
        _ => "",
    };
    format!("{}{what}", row.path)
}

/// Waste that an instruction brings, in a word.
fn cause(cause: &Cause) -> String {
    format!("{} in {} files {}", size(cause.bytes), cause.files, cause.how)
}

/// For a terminal.
pub fn text(out: &mut String, growth: &Growth, top: usize, paint: Paint) {
    for row in by_difference(growth).into_iter().take(top) {
        let by = format!("{:>10}  {}", signed(row.delta), place(row, 90));
        let _ = writeln!(out, "{}", if row.delta > 0 { paint.red(by) } else { paint.green(by) });
        for one in row.packages.iter().take(5) {
            let _ = writeln!(out, "{:>22}  {}", signed(one.delta), package(one));
        }
        for one in row.paths.iter().take(5) {
            let _ = writeln!(out, "{:>22}  {}", signed(one.delta), path(one));
        }
        for one in row.causes.iter().take(2).filter(|_| row.delta > 0) {
            let _ = writeln!(out, "{:>10}  {}", "", paint.yellow(cause(one)));
        }
        if let Some(remedy) = &row.remedy {
            let rule = remedy.rule.as_ref().map(|rule| format!(" ({rule})")).unwrap_or_default();
            let _ = writeln!(out, "{:>10}  {}{}", "", paint.green(&remedy.advice), paint.dim(rule));
            for line in remedy.fixed.iter().flat_map(|fixed| fixed.lines()) {
                let _ = writeln!(out, "{:>10}  {}", "", paint.green(format!("+ {line}")));
            }
        }
    }
}

/// For a pull request.
pub fn markdown(out: &mut String, growth: &Growth, top: usize) {
    let rows = by_difference(growth);
    if rows.is_empty() {
        return;
    }
    out.push_str("| change | instruction | what |\n|---:|---|---|\n");
    for row in rows.iter().take(top) {
        let mut what: Vec<String> = Vec::new();
        let packages = row.packages.iter().filter(|one| one.delta != 0);
        what.extend(packages.take(3).map(|one| format!("{} ({})", code(&package(one)), signed(one.delta))));
        if what.is_empty() {
            what.extend(
                row.paths
                    .iter()
                    .take(3)
                    .map(|one| format!("{} ({})", code(&short(&path(one), 120)), signed(one.delta))),
            );
        }
        what.extend(row.causes.iter().take(1).filter(|_| row.delta > 0).map(cause));
        let place = cell(&code(&place(row, 120)));
        let _ = writeln!(out, "| {} | {place} | {} |", signed(row.delta), cell(&what.join("<br>")));
    }
    for row in rows.iter().take(top).filter(|row| row.delta > 0) {
        let Some(remedy) = &row.remedy else { continue };
        let rule = remedy.rule.as_ref().map(|rule| format!(" ({})", code(rule))).unwrap_or_default();
        let line = row.line.map(|line| format!("Line {line}: ")).unwrap_or_default();
        let _ = writeln!(out, "\n{line}{}{rule}", short(&remedy.advice, 300));
        if let Some(fixed) = remedy.fixed.as_ref().filter(|fixed| fixed.len() < 4000) {
            let _ = writeln!(out, "\n````dockerfile\n{fixed}\n````");
        }
    }
    if !growth.packages.is_empty() {
        let _ = writeln!(out, "\n<details><summary>{} packages differ</summary>\n", growth.packages.len());
        out.push_str("| change | package |\n|---:|---|\n");
        for one in growth.packages.iter().take(100) {
            let _ = writeln!(out, "| {} | {} |", signed(one.delta), cell(&code(&package(one))));
        }
        out.push_str("\n</details>\n");
    }
    let paths: Vec<&PathRow> = rows.iter().flat_map(|row| row.paths.iter().take(20)).collect();
    if !paths.is_empty() {
        out.push_str("\n<details><summary>Paths</summary>\n\n| change | path |\n|---:|---|\n");
        for one in paths.iter().take(100) {
            let _ = writeln!(out, "| {} | {} |", signed(one.delta), cell(&code(&short(&path(one), 300))));
        }
        out.push_str("\n</details>\n");
    }
}
