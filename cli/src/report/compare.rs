//! Two images side by side.

use super::growth;
use super::html as web;
use super::image::html;
use super::ladder::differences;
use super::markdown::{cell, fit};
use crate::growth::Growth;
pub use crate::report::Format;
use crate::terminal::{self, Paint, size};
use plimsoll_runtime::compare::Comparison;
use plimsoll_runtime::image::Image;
use serde::Serialize;
use std::fmt::Write as _;

/// Everything `compare` found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub version: u32,
    /// The image before.
    pub before: Side,
    /// The image after.
    pub after: Side,
    /// What both were asked; empty when they were not run.
    pub probes: Vec<String>,
    /// Bytes by instruction, package and path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
    /// Nothing differs beyond what may.
    pub same: bool,
    /// What differs.
    pub comparison: Comparison,
    /// How owners were mapped.
    pub id_map: String,
}

/// One of the images.
#[derive(Debug, Serialize)]
pub struct Side {
    /// As it was named.
    pub name: String,
    /// Manifest digest.
    pub digest: String,
    /// Bytes, uncompressed.
    pub size: u64,
    /// Its layers, lowest first.
    pub layers: Vec<LayerOut>,
}

/// A layer.
#[derive(Debug, Serialize)]
pub struct LayerOut {
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// Bytes of it.
    pub size: u64,
    /// The instruction that made it.
    pub created_by: Option<String>,
}

impl Side {
    /// An image under the name it was asked for by.
    pub fn new(name: &str, image: &Image) -> Self {
        let layers = image.layers.iter();
        let layers = layers.map(|layer| LayerOut {
            diff_id: layer.diff_id.to_string(),
            size: layer.size,
            created_by: layer.created_by.clone(),
        });
        Self { name: name.to_owned(), digest: image.manifest.to_string(), size: image.size(), layers: layers.collect() }
    }
}

/// The report in the format that was asked for, with a line end.
pub fn render(format: Format, report: &Report, color: bool) -> String {
    match format {
        Format::Text => text(report, Paint(color)),
        Format::Json => serde_json::to_string_pretty(report).unwrap_or_default() + "\n",
        Format::Markdown => markdown(report),
        Format::Html => html(report),
    }
}

fn text(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    let (a, b) = (&report.before, &report.after);
    let _ = writeln!(out, "{}  {}  {} layers", paint.bold(&a.name), size(a.size), a.layers.len());
    let _ = writeln!(out, "{}  {}  {} layers", paint.bold(&b.name), size(b.size), b.layers.len());
    let _ = writeln!(out, "saved {}\n", terminal::saved(a.size, b.size));
    let common = a.layers.iter().zip(&b.layers).take_while(|(a, b)| a.diff_id == b.diff_id).count();
    if common > 0 {
        let _ = writeln!(out, "{}", paint.dim(format!("{common} layers are the same")));
    }
    for (sign, side) in [("-", a), ("+", b)] {
        for layer in side.layers.iter().skip(common) {
            let line = format!("{sign} {:>9}  {}", size(layer.size), short(layer.created_by.as_deref().unwrap_or("")));
            let _ = writeln!(out, "{}", if sign == "-" { paint.red(line) } else { paint.green(line) });
        }
    }
    if let Some(growth) = report.growth.as_ref().filter(|growth| !growth::by_difference(growth).is_empty()) {
        let _ = writeln!(out, "\n{}", paint.bold("bytes"));
        growth::text(&mut out, growth, 10, paint);
    }
    for (title, list) in sections(&report.comparison) {
        if !list.is_empty() {
            let _ = writeln!(out, "\n{} ({})", paint.bold(title), list.len());
            differences(&mut out, list, "  ");
        }
    }
    if !report.comparison.declared.is_empty() {
        let _ = writeln!(out, "\n{} declared differences", report.comparison.declared.len());
    }
    if !report.probes.is_empty() {
        let (same, all) = report.comparison.agreed;
        let _ = writeln!(out, "\nasked: {}\n{same}/{all} answers agree", report.probes.join(", "));
    }
    if !report.comparison.flaky.is_empty() {
        let _ = writeln!(out, "{} {}", paint.yellow("flaky:"), report.comparison.flaky.join(", "));
    }
    if !report.comparison.normalized.is_empty() {
        let _ = writeln!(out, "not compared: {}", report.comparison.normalized.join(", "));
    }
    let _ = writeln!(out, "\n{}", if report.same { paint.green("the same") } else { paint.red("they differ") });
    out
}

fn sections(comparison: &Comparison) -> [(&'static str, &[plimsoll_runtime::compare::Difference]); 3] {
    let tree = comparison.tree.as_deref().unwrap_or_default();
    [("config", &comparison.config), ("files", tree), ("behaviour", &comparison.behaviour)]
}

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 90 { line.chars().take(90).collect::<String>() + "…" } else { line }
}

fn markdown(report: &Report) -> String {
    let (a, b) = (&report.before, &report.after);
    let mut out = String::from("| image | size | layers |\n|---|---:|---:|\n");
    for side in [a, b] {
        let _ = writeln!(out, "| {} | {} | {} |", cell(&side.name), size(side.size), side.layers.len());
    }
    out.push('\n');
    if let Some(growth) = &report.growth {
        growth::markdown(&mut out, growth, 10);
    }
    for (title, list) in sections(&report.comparison) {
        if !list.is_empty() {
            let _ = writeln!(out, "\n**{title}** ({})\n\n```", list.len());
            differences(&mut out, list, "");
            out.push_str("```\n");
        }
    }
    let _ = writeln!(out, "\n{}", if report.same { "The same." } else { "They differ." });
    fit(out)
}

fn html(report: &Report) -> String {
    let (a, b) = (&report.before, &report.after);
    let mut body = format!("<h1>{} and {}</h1>\n", web::escape(&a.name), web::escape(&b.name));
    let sides =
        [a, b].map(|side| vec![size(side.size), side.layers.len().to_string(), side.name.clone(), side.digest.clone()]);
    html::table(&mut body, "Images", &["size", "layers", "image", "digest"], sides.into_iter());
    if let Some(growth) = &report.growth {
        let rows = growth::by_difference(growth).into_iter().map(|row| {
            let bytes = |bytes: Option<u64>| bytes.map(size).unwrap_or_default();
            let mend = row.remedy.as_ref().map(|remedy| remedy.advice.clone()).unwrap_or_default();
            vec![growth::signed(row.delta), bytes(row.before), bytes(row.after), growth::place(row, 300), mend]
        });
        html::table(&mut body, "Bytes by instruction", &["change", "before", "after", "instruction", "mend"], rows);
        let rows = growth.packages.iter().map(|row| vec![growth::signed(row.delta), growth::package(row)]);
        html::table(&mut body, "Packages", &["change", "package"], rows);
        let paths = growth.instructions.iter().flat_map(|row| &row.paths);
        let rows =
            paths.map(|row| vec![growth::signed(row.delta), size(row.before), size(row.after), row.path.clone()]);
        html::table(&mut body, "Paths", &["change", "before", "after", "path"], rows);
    }
    for (title, list) in sections(&report.comparison) {
        let rows = list.iter().map(|one| vec![super::ladder::difference_line(one)]);
        html::table(&mut body, title, &["difference"], rows);
    }
    let said = if report.same { "The same." } else { "They differ." };
    web::page(&format!("{} and {}", a.name, b.name), &format!("{body}<p>{said}</p>\n"))
}
