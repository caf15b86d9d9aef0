//! An image taken apart as one page that needs nothing else: tables, and a map of each layer.

use super::{ImageReport, Tree, of_layer, of_visible};
use crate::report::html::{self as web, escape};
use crate::report::treemap::{self, Node};
use crate::terminal::size;
use plimsoll_runtime::inspect::Inspected;
use std::fmt::Write as _;

/// Boxes smaller than this share of a map are put together.
const LEAST: u64 = 2000;

/// The page.
pub fn page(report: &ImageReport, found: &Inspected) -> String {
    let mut body = format!("<h1>{}</h1>\n", escape(&report.image));
    let (bytes, layers, platform) = (size(report.size), report.layers.len(), escape(&report.platform));
    let digest = report.digest.as_ref().unwrap_or(&report.id);
    let _ = writeln!(body, "<p>{bytes} in {layers} layers, {platform} <code>{digest}</code></p>");
    if report.base.by.is_some() {
        let name = report.base.name.as_deref().unwrap_or("the base image");
        let own = size(report.size - report.base.bytes);
        let _ = writeln!(body, "<p>Base {}: {}; above it {own}.</p>", escape(name), size(report.base.bytes));
    }
    layers_table(&mut body, report);
    causes(&mut body, report);
    map(&mut body, "Everything a container sees", &of_visible(found, found.visible_bytes() / LEAST));
    for (layer, index) in report.layers.iter().zip(&found.layers) {
        if index.bytes > 0 {
            let place = layer.line.map_or_else(String::new, |line| format!(", line {line}"));
            let title = format!("Layer {}{place}: {}", layer.number, layer.instruction);
            map(&mut body, &title, &of_layer(index, index.bytes / LEAST));
        }
    }
    let rows = report.packages.iter().take(200).map(|package| {
        vec![size(package.bytes), package.manager.to_owned(), package.name.clone(), package.version.clone()]
    });
    table(&mut body, "Packages", &["bytes", "by", "name", "version"], rows);
    let rows = report
        .kinds
        .iter()
        .map(|kind| vec![size(kind.bytes), kind.kind.to_owned(), kind.files.to_string(), size(kind.above_base)]);
    table(&mut body, "Kinds of files", &["bytes", "kind", "files", "above the base"], rows);
    let rows = report.largest_files.iter().map(|file| vec![size(file.bytes), file.path.clone()]);
    table(&mut body, "Largest files", &["bytes", "path"], rows);
    web::page(&report.image, &body)
}

fn map(body: &mut String, title: &str, tree: &Tree) {
    let _ = writeln!(body, "<details open><summary>{} {}</summary>", size(tree.bytes), escape(title));
    body.push_str(&treemap::svg(&node(tree), tree.bytes, 1100.0, 500.0));
    body.push_str("</details>\n");
}

fn node(tree: &Tree) -> Node {
    let children = tree.children.iter().filter(|child| !child.name.starts_with('…'));
    Node { name: tree.name.clone(), bytes: tree.bytes, children: children.map(node).collect() }
}

fn layers_table(body: &mut String, report: &ImageReport) {
    let rows = report.layers.iter().map(|layer| {
        let line = if layer.base { "base".to_owned() } else { layer.line.map(|l| l.to_string()).unwrap_or_default() };
        let wasted = if layer.wasted > 0 { size(layer.wasted) } else { String::new() };
        vec![size(layer.size), wasted, line, layer.instruction.clone()]
    });
    table(body, "Layers", &["size", "wasted", "line", "made by"], rows);
}

fn causes(body: &mut String, report: &ImageReport) {
    let rows = report.causes.iter().filter(|cause| !cause.base).take(100).map(|cause| {
        let rule = cause.remedy.rule.as_ref().map(|rule| format!(" ({rule})")).unwrap_or_default();
        vec![
            size(cause.bytes),
            cause.files.to_string(),
            cause.how.to_owned(),
            super::text::blamed(cause),
            format!("{}{rule}", cause.remedy.advice),
            cause.examples.join(" "),
        ]
    });
    let title = format!("Wasted {}, there twice {}", size(report.wasted_bytes), size(report.duplicate_bytes));
    table(body, &title, &["bytes", "files", "how", "blame", "mend", "files"], rows);
}

/// A table, unless it has no rows.
pub fn table(body: &mut String, title: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = writeln!(body, "<h2>{}</h2>\n<table>\n<tr>", escape(title));
    for name in head {
        let _ = write!(body, "<th>{}</th>", escape(name));
    }
    body.push_str("</tr>\n");
    for row in rows {
        body.push_str("<tr>");
        for value in row {
            let _ = write!(body, "<td>{}</td>", escape(&value));
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</table>\n");
}
