//! Runs rules over small files, and their manual pages over themselves.

use crate::options::{LabelKind, Options};
use crate::rule::{Meta, Rule};
use plimsoll_analyzer::context::{Entry, Listing};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix};
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_parser::TextRange;
use plimsoll_parser::dockerignore::Ignore;

/// What is around a file under test.
#[derive(Default)]
pub(crate) struct Around {
    pub(crate) listing: Option<Listing>,
    pub(crate) ignore: Option<String>,
    pub(crate) options: Options,
}

/// What `rule` finds in `text`.
pub(crate) fn findings(rule: &dyn Rule, text: &str, around: &Around) -> Vec<Diagnostic> {
    let file = plimsoll_parser::parse(text);
    let ignore = around.ignore.as_ref().map(|text| Ignore::parse(text).0);
    let inputs = Inputs { listing: around.listing.as_ref(), ignore: ignore.as_ref(), ..Inputs::default() };
    let model = Model::new(&file, inputs);
    let mut found = Vec::new();
    rule.check_with(&model, &around.options, &mut found);
    found
}

/// Asserts that `rule` finds exactly what stands between `«` and `»` in `marked`.
pub(crate) fn check(rule: &dyn Rule, marked: &str) {
    let (text, want) = unmark(marked);
    let mut got: Vec<TextRange> =
        findings(rule, &text, &Around::default()).into_iter().map(|diagnostic| diagnostic.range).collect();
    got.sort();
    let show = |ranges: &[TextRange]| ranges.iter().map(|range| range.of(&text).to_owned()).collect::<Vec<_>>();
    assert_eq!(show(&got), show(&want), "in\n{text}");
    assert_eq!(got, want, "in\n{text}");
}

fn unmark(marked: &str) -> (String, Vec<TextRange>) {
    let (mut text, mut open, mut ranges) = (String::new(), Vec::new(), Vec::new());
    for c in marked.chars() {
        match c {
            '«' => open.push(text.len()),
            '»' => ranges.push(TextRange::new(open.pop().expect("a mark is opened before it is closed"), text.len())),
            c => text.push(c),
        }
    }
    ranges.sort();
    (text, ranges)
}

/// Applies the fixes that `rule` offers in `text`, all that do not overlap.
pub(crate) fn fixed(rule: &dyn Rule, text: &str) -> String {
    let fixes: Vec<Fix> =
        findings(rule, text, &Around::default()).into_iter().filter_map(|diagnostic| diagnostic.fix).collect();
    let mut edits: Vec<_> = fixes.iter().flat_map(|fix| fix.edits().to_vec()).collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.range));
    let mut text = text.to_owned();
    for edit in edits {
        text.replace_range(edit.range.to_usize(), &edit.text);
    }
    text
}

/// One example of a manual page.
struct Example {
    bad: bool,
    around: Around,
    text: String,
}

fn examples(meta: &Meta) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut open: Option<Example> = None;
    for line in meta.page {
        let line = line.strip_prefix(' ').unwrap_or(line);
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some(begin(info)),
            (Some(_), Some(_)) => examples.extend(open.take()),
            (None, Some(example)) => {
                example.text.push_str(line);
                example.text.push('\n');
            }
            (None, None) => {}
        }
    }
    examples.retain(|example| !example.text.is_empty());
    examples
}

/// `dockerfile,bad,context=.git/HEAD:1000|app.py:20,ignore=venv|*.pyc,labels=foo:url,registries=a.b|c.d,strict,experimental=X`
fn begin(info: &str) -> Example {
    let mut example = Example { bad: false, around: Around::default(), text: String::new() };
    for part in info.split(',') {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let list = || value.split('|').filter(|item| !item.is_empty());
        match key {
            "bad" => example.bad = true,
            "context" => {
                example.around.listing = Some(Listing::new(list().map(|item| {
                    let (path, size) = item.split_once(':').expect("path:size");
                    Entry::file(path, size.parse().expect("a size"))
                })));
            }
            "ignore" => example.around.ignore = Some(list().collect::<Vec<_>>().join("\n")),
            "labels" => {
                example.around.options.label_schema = list()
                    .map(|item| {
                        let (name, kind) = item.split_once(':').expect("label:kind");
                        (name.to_owned(), LabelKind::named(kind).expect("a kind"))
                    })
                    .collect();
            }
            "strict" => example.around.options.strict_labels = true,
            "registries" => example.around.options.trusted_registries = list().map(str::to_owned).collect(),
            "experimental" => example.around.options.experimental = list().map(str::to_owned).collect(),
            _ => {}
        }
    }
    example
}

#[test]
fn examples_hold() {
    let mut wrong = Vec::new();
    for rule in crate::ALL {
        let meta = rule.meta();
        let (mut bad, mut good) = (0, 0);
        for example in examples(meta) {
            let found = findings(*rule, &example.text, &example.around);
            let want = usize::from(example.bad);
            if found.len() != want || found.iter().any(|diagnostic| diagnostic.rule != meta.id) {
                wrong.push(format!("{}: {} findings instead of {want} in\n{}", meta.id, found.len(), example.text));
            }
            *(if example.bad { &mut bad } else { &mut good }) += 1;
        }
        if bad == 0 || good == 0 {
            wrong.push(format!("{}: {bad} bad and {good} good examples", meta.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ids_are_unique_and_kebab_case() {
    let mut ids: Vec<_> = crate::ALL.iter().map(|rule| rule.meta().id).collect();
    assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')));
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for rule in crate::ALL {
        assert!(!rule.meta().summary().is_empty(), "{}", rule.meta().id);
    }
}

/// Pages are committed; `PLIMSOLL_BLESS=1` writes them anew.
#[test]
fn manual_pages_are_current() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("manual");
    let bless = std::env::var_os("PLIMSOLL_BLESS").is_some();
    let mut names: Vec<String> = Vec::new();
    for meta in crate::metas() {
        let page = crate::manual::page(meta);
        let name = format!("{}.md", meta.id);
        let path = folder.join(&name);
        if bless {
            std::fs::create_dir_all(&folder).expect("the folder of pages can be made");
            std::fs::write(&path, &page).expect("a page can be written");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == page, "{name} is not current: run the tests with PLIMSOLL_BLESS=1");
        names.push(name);
    }
    for entry in std::fs::read_dir(&folder).expect("the folder of pages") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if !names.contains(&name) {
            assert!(bless, "{name} is the page of no rule");
            std::fs::remove_file(entry.path()).expect("an old page can go");
        }
    }
}
