//! The ladder as a page that stands alone.

use super::{Report, Rung, agreed, climbed, difference_line, package_lines, signed, verdict};
use crate::report::html::{diff, escape, page};
use crate::report::treemap;
use crate::terminal::size;
use std::fmt::Write as _;

/// Differences shown of a step that was not kept.
const SHOWN: usize = 20;

/// The page.
pub(super) fn render(report: &Report) -> String {
    let mut body = String::new();
    let name = if report.context == "." { "this folder" } else { report.context.as_str() };
    let _ = writeln!(body, "<h1>Size ladder of {}</h1>", escape(name));
    let tone = if report.result.verified { "good" } else { "bad" };
    let _ = writeln!(body, "<p class=\"verdict {tone}\">{}</p>", escape(&verdict(report)));
    steps(&mut body, report);
    not_kept(&mut body, report);
    notes(&mut body, report);
    maps(&mut body, report);
    packages(&mut body, report);
    if !report.diff.is_empty() {
        let _ = writeln!(body, "<h2>The change</h2>\n{}", diff(&report.diff));
    }
    proof(&mut body, report);
    page(&format!("size ladder of {name}"), &body)
}

fn steps(body: &mut String, report: &Report) {
    let Some(largest) = report.original.size.filter(|bytes| *bytes > 0) else {
        body.push_str("<h2>Steps that apply</h2><ul>");
        for step in report.steps.iter().filter(|step| step.outcome == "taken") {
            let _ = write!(body, "<li>{}</li>", escape(&step.title));
        }
        body.push_str("</ul>\n");
        return;
    };
    body.push_str(
        "<h2>Steps</h2>\n<div class=\"scroll\"><table><thead><tr><th>step</th><th class=\"n\">size</th>\
         <th class=\"n\">saved</th><th class=\"n\">same behaviour</th><th class=\"wide\"></th></tr></thead><tbody>\n",
    );
    for (index, rung) in climbed(report).enumerate() {
        let bytes = rung.size.unwrap_or_default();
        let share = bytes as f64 / largest as f64 * 100.0;
        let _ = writeln!(
            body,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"wide\"><div class=\"bar\"><i style=\"width:{:.1}%\"></i></div></td></tr>",
            escape(&rung.title),
            size(bytes),
            rung.saved.filter(|_| index > 0).map(signed).unwrap_or_default(),
            agreed(rung, index == 0),
            share.min(100.0)
        );
    }
    body.push_str("</tbody></table></div>\n<p class=\"quiet\">Sizes are those of the uncompressed layers.</p>\n");
}

fn not_kept(body: &mut String, report: &Report) {
    let dropped: Vec<&Rung> = report.steps.iter().filter(|step| step.outcome == "dropped").collect();
    if dropped.is_empty() {
        return;
    }
    body.push_str("<h2>Not kept</h2>\n<ul>");
    for rung in dropped {
        let reason = rung.reason.as_deref().unwrap_or("no reason given");
        let _ = write!(body, "<li>{}: {}", escape(&rung.title), escape(reason));
        if !rung.differences.is_empty() {
            body.push_str("<ul>");
            for difference in rung.differences.iter().take(SHOWN) {
                let _ = write!(body, "<li><code>{}</code></li>", escape(&difference_line(difference)));
            }
            if let Some(more) = rung.differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                let _ = write!(body, "<li>… and {more} more</li>");
            }
            body.push_str("</ul>");
        }
        body.push_str("</li>");
    }
    body.push_str("</ul>\n");
}

fn notes(body: &mut String, report: &Report) {
    let notes: Vec<(&str, &String)> =
        climbed(report).flat_map(|rung| rung.notes.iter().map(|note| (rung.title.as_str(), note))).collect();
    if notes.is_empty() {
        return;
    }
    body.push_str("<h2>Worth knowing</h2>\n<ul>");
    for (title, note) in notes {
        let _ = write!(body, "<li>{}: {}</li>", escape(title), escape(note));
    }
    body.push_str("</ul>\n");
}

fn maps(body: &mut String, report: &Report) {
    let Some((before, after)) = &report.trees else { return };
    let full = before.bytes.max(after.bytes);
    body.push_str("<h2>Where the bytes are</h2>\n<div class=\"maps\">\n");
    for (what, tree) in [("before", before), ("after", after)] {
        let _ = writeln!(
            body,
            "<figure><figcaption>{what}: {} of files</figcaption>{}</figure>",
            size(tree.bytes),
            treemap::svg(tree, full, 560.0, 400.0)
        );
    }
    body.push_str("</div>\n<p class=\"quiet\">Both drawings have the same scale.</p>\n");
}

fn packages(body: &mut String, report: &Report) {
    let Some(packages) = report.packages.as_ref().filter(|change| !change.is_empty()) else { return };
    let (before, after) = (packages.before, packages.after);
    let _ = writeln!(body, "<h2>Packages</h2>\n<details><summary>{before} before, {after} now</summary>\n<ul>");
    for (what, names) in package_lines(packages, usize::MAX) {
        let _ = write!(body, "<li>{what}: {}</li>", escape(&names));
    }
    body.push_str("</ul></details>\n");
}

fn proof(body: &mut String, report: &Report) {
    body.push_str("<h2>What was compared</h2>\n");
    if report.probes.is_empty() {
        body.push_str("<p>Nothing was asked of the program.</p>\n");
    } else {
        body.push_str(
            "<table><thead><tr><th>asked of every image</th><th class=\"n\">answer</th></tr></thead><tbody>\n",
        );
        for probe in &report.probes {
            let answer = if report.flaky.contains(probe) {
                "<span class=\"bad\">not the same twice on the original</span>"
            } else if report.result.verified {
                "<span class=\"good\">the same</span>"
            } else {
                "see above"
            };
            let _ = writeln!(body, "<tr><td><code>{}</code></td><td class=\"n\">{answer}</td></tr>", escape(probe));
        }
        body.push_str("</tbody></table>\n");
    }
    body.push_str(
        "<p class=\"quiet\">Config and files are compared too, but for what a step declares that it changes.",
    );
    if !report.normalized.is_empty() {
        let _ = write!(body, " Not compared: {}.", escape(&report.normalized.join(", ")));
    }
    let _ = writeln!(body, " IDs: {}.</p>", escape(&report.id_map));
    for image in &report.stand_ins {
        let _ = writeln!(
            body,
            "<p class=\"bad\">{} is a stand-in made of Debian packages, not the image of that name.</p>",
            escape(image)
        );
    }
    if let Some(digest) = &report.original.digest {
        let _ = writeln!(
            body,
            "<p class=\"quiet\">original <code>{}</code><br>result <code>{}</code></p>",
            escape(digest),
            escape(&report.result.digest)
        );
    }
}
