//! Findings for people and for other programs.

use super::finding::{Checked, Finding};
use super::source::WholeLines;
use crate::terminal::{self, Paint};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Where a rule's manual page is read.
const MANUAL: &str = "https://plimsoll.dev/rules";

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// With the source around each finding
    #[default]
    Text,
    /// One line each: file:line:column: severity: message [rule]
    #[value(alias = "gnu")]
    Concise,
    /// Plimsoll's own JSON, with fixes
    Json,
    /// The shape of hadolint's JSON, for scripts that read it
    HadolintJson,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub workflows
    Github,
    /// Code quality report of GitLab
    Gitlab,
    /// Checkstyle XML
    Checkstyle,
    /// JUnit XML
    Junit,
    /// A table for a pull request
    Markdown,
}

/// Everything as one text that ends in a line end, or nothing when there is nothing to say.
pub fn render(format: Format, files: &[Checked], color: bool) -> String {
    match format {
        Format::Text => text(files, color),
        Format::Concise => concise(files),
        Format::Json => pretty(&own_json(files)),
        Format::HadolintJson => pretty(&hadolint_json(files)),
        Format::Sarif => pretty(&sarif(files)),
        Format::Github => github(files),
        Format::Gitlab => pretty(&gitlab(files)),
        Format::Checkstyle => checkstyle(files),
        Format::Junit => junit(files),
        Format::Markdown => markdown(files),
    }
}

fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn all(files: &[Checked]) -> impl Iterator<Item = &Finding> {
    files.iter().flat_map(|file| &file.findings)
}

/// One finding with the lines it is about, drawn by miette.
struct Shown<'a> {
    finding: &'a Finding,
    source: WholeLines<'a>,
}

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.finding.message)
    }
}
impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.finding.message)
    }
}
impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.finding.rule_with_aliases()))
    }
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            "error" => miette::Severity::Error,
            "warning" => miette::Severity::Warning,
            _ => miette::Severity::Advice,
        })
    }
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let mut parts = Vec::new();
        if let Some(help) = &self.finding.help {
            parts.push(help.clone());
        }
        if let Some(fix) = &self.finding.fix {
            let how = match fix.applicability {
                "safe" => "`--fix` does it",
                "unsafe" => "`--fix-unsafe` does it, `optimize --verify` proves it",
                _ => "yours to choose",
            };
            parts.push(format!("{} ({how})", fix.title));
        }
        if let Some(bytes) = self.finding.bytes {
            parts.push(format!("costs about {}", terminal::size(bytes)));
        }
        (!parts.is_empty()).then(|| Box::new(parts.join("\n")) as Box<dyn std::fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let range = self.finding.range;
        let main = LabeledSpan::new_primary_with_span(None, (range.start as usize, range.len()));
        let others = self.finding.labels.iter();
        let others = others
            .map(|(range, text)| LabeledSpan::new_with_span(Some(text.clone()), (range.start as usize, range.len())));
        Some(Box::new(std::iter::once(main).chain(others)))
    }
}

fn text(files: &[Checked], color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_context_lines(0);
    let mut out = String::new();
    for file in files {
        for finding in &file.findings {
            let shown = Shown { finding, source: WholeLines { name: &file.file, text: &file.text } };
            if handler.render_report(&mut out, &shown).is_err() {
                let _ = writeln!(out, "{}", line_of(finding));
            }
            out.push('\n');
        }
    }
    out.push_str(&summary(files, Paint(color)));
    out
}

/// How many of what, and the most expensive rules by bytes.
fn summary(files: &[Checked], paint: Paint) -> String {
    let total = all(files).count();
    let checked = files.len();
    let of_files = if checked == 1 { "1 file".to_owned() } else { format!("{checked} files") };
    if total == 0 {
        return format!("{} nothing found in {of_files}\n", paint.green("✓"));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut safe, mut risky) = (0, 0);
    for finding in all(files) {
        *counts.entry(finding.severity).or_default() += 1;
        *bytes.entry(&finding.rule).or_default() += finding.bytes.unwrap_or_default();
        match finding.fix.as_ref().map(|fix| fix.applicability) {
            Some("safe") => safe += 1,
            Some("unsafe") => risky += 1,
            _ => {}
        }
    }
    let mut parts = Vec::new();
    for (name, plural) in [("error", "errors"), ("warning", "warnings"), ("info", "infos"), ("style", "style")] {
        if let Some(&count) = counts.get(name) {
            parts.push(format!("{count} {}", if count == 1 { name } else { plural }));
        }
    }
    let mut out = format!("{} in {of_files}", parts.join(", "));
    if safe + risky > 0 {
        let _ = write!(out, "; `--fix` mends {safe}");
        if risky > 0 {
            let _ = write!(out, ", `--fix-unsafe` {risky} more");
        }
    }
    out.push('\n');
    let mut costly: Vec<_> = bytes.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    costly.sort_by_key(|(rule, bytes)| (std::cmp::Reverse(*bytes), *rule));
    for (rule, bytes) in costly {
        let _ = writeln!(out, "{:>10}  {rule}", terminal::size(bytes));
    }
    out
}

fn line_of(finding: &Finding) -> String {
    format!(
        "{}:{}:{}: {}: {} [{}]",
        finding.file,
        finding.start.line,
        finding.start.column,
        finding.severity,
        finding.message,
        finding.rule_with_aliases()
    )
}

fn concise(files: &[Checked]) -> String {
    all(files).fold(String::new(), |out, finding| out + &line_of(finding) + "\n")
}

fn own_json(files: &[Checked]) -> Value {
    json!({
        "version": 1,
        "files": files.iter().map(|file| &file.file).collect::<Vec<_>>(),
        "findings": all(files).collect::<Vec<_>>(),
    })
}

/// A finding as hadolint's JSON has it.
#[derive(Serialize)]
struct Theirs<'a> {
    code: &'a str,
    column: u32,
    file: &'a str,
    level: &'a str,
    line: u32,
    message: &'a str,
}

fn hadolint_json(files: &[Checked]) -> Vec<Theirs<'_>> {
    all(files).map(theirs).collect()
}

fn theirs(finding: &Finding) -> Theirs<'_> {
    let Finding { file, rule, aliases, severity: level, message, anchor, .. } = finding;
    let known = aliases.iter().find(|alias| alias.starts_with("DL") || alias.starts_with("SC"));
    Theirs { code: known.unwrap_or(rule), column: anchor.column, file, level, line: anchor.line, message }
}

/// SARIF 2.1.0, section 3: one run with the rules that fired.
fn sarif(files: &[Checked]) -> Value {
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in all(files) {
        rules.entry(&finding.rule).or_insert(finding);
    }
    let index: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(i, rule)| (*rule, i)).collect();
    let level = |severity: &str| match severity {
        "error" => "error",
        "warning" => "warning",
        _ => "note",
    };
    let descriptors: Vec<Value> = rules
        .iter()
        .map(|(rule, finding)| {
            let summary = plimsoll_rules::metas()
                .find(|meta| meta.is_named(rule))
                .map_or_else(|| rule.to_string(), |meta| meta.summary().to_owned());
            json!({
                "id": rule,
                "shortDescription": { "text": summary },
                "helpUri": format!("{MANUAL}/{rule}"),
                "properties": { "tags": finding.aliases },
            })
        })
        .collect();
    let results: Vec<Value> = all(files)
        .map(|finding| {
            let mut result = json!({
                "ruleId": finding.rule,
                "ruleIndex": index.get(finding.rule.as_str()),
                "level": level(finding.severity),
                "message": { "text": finding.message },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": uri(&finding.file) },
                        "region": {
                            "startLine": finding.start.line, "startColumn": finding.start.column,
                            "endLine": finding.end.line, "endColumn": finding.end.column,
                        },
                    },
                }],
                "partialFingerprints": { "plimsoll/v1": fingerprint(finding) },
            });
            if let (Some(fix), Some(object)) = (&finding.fix, result.as_object_mut()) {
                let replacements: Vec<Value> = fix
                    .edits
                    .iter()
                    .map(|edit| {
                        json!({
                            "deletedRegion": {
                                "startLine": edit.start.line, "startColumn": edit.start.column,
                                "endLine": edit.end.line, "endColumn": edit.end.column,
                            },
                            "insertedContent": { "text": edit.text },
                        })
                    })
                    .collect();
                object.insert(
                    "fixes".to_owned(),
                    json!([{
                        "description": { "text": fix.title },
                        "artifactChanges": [{ "artifactLocation": { "uri": uri(&finding.file) }, "replacements": replacements }],
                    }]),
                );
            }
            result
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "plimsoll",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": "https://plimsoll.dev",
                "rules": descriptors,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A relative URI reference as SARIF wants it.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The same finding keeps it when lines above it move: file, rule and message, not the line.
fn fingerprint(finding: &Finding) -> String {
    hash([&finding.file, &finding.rule, &finding.message].into_iter().flat_map(|part| part.bytes().chain([0])))
}

/// FNV-1a, 64 bits: the same in every version, and not meant to withstand anyone.
pub fn hash(bytes: impl IntoIterator<Item = u8>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

fn github(files: &[Checked]) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    all(files).fold(String::new(), |mut out, finding| {
        let level = match finding.severity {
            "error" => "error",
            "warning" => "warning",
            _ => "notice",
        };
        let _ = writeln!(
            out,
            "::{level} file={},line={},endLine={},col={},title={}::{}",
            property(&finding.file),
            finding.start.line,
            finding.end.line,
            finding.start.column,
            property(&finding.rule),
            escape(&finding.message)
        );
        out
    })
}

fn gitlab(files: &[Checked]) -> Value {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    all(files)
        .map(|finding| {
            let print = fingerprint(finding);
            let count = seen.entry(print.clone()).or_default();
            *count += 1;
            let severity = match finding.severity {
                "error" => "major",
                "warning" => "minor",
                _ => "info",
            };
            json!({
                "type": "issue",
                "check_name": finding.rule,
                "description": finding.message,
                "severity": severity,
                "categories": ["Style"],
                "fingerprint": format!("{print}{count:04x}"),
                "location": { "path": finding.file.trim_start_matches("./"), "lines": { "begin": finding.start.line, "end": finding.end.line } },
            })
        })
        .collect()
}

/// Text as XML 1.0 allows it: markup escaped, control characters replaced.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn checkstyle(files: &[Checked]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<checkstyle version=\"4.3\">\n");
    for file in files {
        let _ = writeln!(out, "  <file name=\"{}\">", xml(&file.file));
        for finding in &file.findings {
            let severity = if finding.severity == "style" { "info" } else { finding.severity };
            let _ = writeln!(
                out,
                "    <error line=\"{}\" column=\"{}\" severity=\"{severity}\" message=\"{}\" source=\"{}\"/>",
                finding.start.line,
                finding.start.column,
                xml(&finding.message),
                xml(&finding.rule)
            );
        }
        out.push_str("  </file>\n");
    }
    out.push_str("</checkstyle>\n");
    out
}

fn junit(files: &[Checked]) -> String {
    let failures = all(files).count();
    let clean = files.iter().filter(|file| file.findings.is_empty()).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"plimsoll\" tests=\"{}\" failures=\"{failures}\">\n",
        failures + clean
    );
    for file in files {
        let tests = file.findings.len().max(1);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{}\" errors=\"0\" skipped=\"0\">",
            xml(&file.file),
            file.findings.len()
        );
        if file.findings.is_empty() {
            let _ = writeln!(out, "    <testcase classname=\"plimsoll\" name=\"{}\"/>", xml(&file.file));
        }
        for finding in &file.findings {
            let _ = writeln!(
                out,
                "    <testcase classname=\"{}\" name=\"{}:{}:{}\">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
                xml(&finding.rule),
                xml(&finding.file),
                finding.start.line,
                finding.start.column,
                finding.severity,
                xml(&finding.message),
                xml(&line_of(finding))
            );
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn markdown(files: &[Checked]) -> String {
    let cell = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ").replace('<', "&lt;");
    if all(files).count() == 0 {
        return format!("No findings in {} file(s).\n", files.len());
    }
    let mut out = String::from("| place | severity | rule | finding | costs |\n|---|---|---|---|---|\n");
    for finding in all(files) {
        let _ = writeln!(
            out,
            "| {}:{} | {} | {} | {} | {} |",
            cell(&finding.file),
            finding.start.line,
            finding.severity,
            cell(&finding.rule_with_aliases()),
            cell(&finding.message),
            finding.bytes.map(terminal::size).unwrap_or_default()
        );
    }
    out
}
