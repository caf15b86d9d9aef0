//! The shell grammar alone, on every shell text of the corpus (`PLIMSOLL_CORPUS`, default `../shared/corpus/files`).

use divan::Bencher;
use divan::counter::BytesCount;
use plimsoll_parser::Logical;
use plimsoll_parser::shell::{Dialect, Script, parse, source};
use std::path::{Path, PathBuf};

fn main() {
    divan::main();
}

fn files(folder: &Path, texts: &mut Vec<String>) {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, texts);
        } else {
            texts.extend(std::fs::read_to_string(&path).ok());
        }
    }
}

fn corpus() -> Vec<String> {
    let folder = std::env::var_os("PLIMSOLL_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/files"), PathBuf::from);
    let mut texts = Vec::new();
    files(&folder, &mut texts);
    if texts.is_empty() {
        eprintln!("no corpus in {}: a text of its own is read", folder.display());
        texts.push("FROM a\nRUN apt-get update && apt-get install -y \"$x\" $(cat y) > /dev/null || true\n".repeat(99));
    }
    texts
}

/// Runs `read` on every shell text of the corpus. A sample is short, so that the fastest is one nothing came between.
fn measure(bencher: Bencher<'_, '_>, read: impl Fn(&Script<'_>) -> usize) {
    let texts = corpus();
    let files: Vec<_> = texts.iter().map(|text| (text, plimsoll_parser::parse(text))).collect();
    let scripts: Vec<Logical<'_>> = files
        .iter()
        .flat_map(|(text, file)| file.instructions.iter().filter_map(|instruction| source(text, instruction)))
        .map(|source| source.text.into_owned())
        .collect();
    let bytes: usize = scripts.iter().map(|script| script.text.len()).sum();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        let trees = scripts.iter().map(|script| parse(divan::black_box(script), Dialect::Bash));
        trees.map(|tree| read(&tree)).sum::<usize>()
    });
}

#[divan::bench(sample_count = 300, sample_size = 1)]
fn tree(bencher: Bencher<'_, '_>) {
    measure(bencher, |script| script.list.items.len());
}

#[divan::bench(sample_count = 300, sample_size = 1)]
fn tree_and_simple_commands(bencher: Bencher<'_, '_>) {
    measure(bencher, |script| script.simple_commands().len());
}

#[divan::bench(sample_count = 300, sample_size = 1)]
fn tree_and_invocations(bencher: Bencher<'_, '_>) {
    measure(bencher, |script| {
        script.simple_commands().iter().filter(|placed| placed.command.invocation().is_some()).count()
    });
}
