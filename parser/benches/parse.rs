//! How fast Dockerfiles are read: the corpus joined and repeated to 50 MB, as one tree and file by file.

#[path = "support/corpus.rs"]
mod corpus;

use corpus::files;
use divan::counter::{BytesCount, ItemsCount};
use plimsoll_parser::{parse, parse_tree};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TARGET: usize = 50_000_000;

fn main() {
    divan::main();
}

/// The files one after another, as one file, until that has 50 MB.
fn joined() -> String {
    let files = files();
    let mut text = String::with_capacity(TARGET + 100_000);
    for file in files.iter().cycle() {
        if text.len() >= TARGET {
            break;
        }
        text.push_str(file);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

/// One tree of 50 MB, with its typed instructions.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn one_tree(bencher: divan::Bencher<'_, '_>) {
    let text = joined();
    bencher.counter(BytesCount::of_str(&text)).bench(|| divan::black_box(parse_tree(divan::black_box(&text))));
}

/// The same, with the errors of a build.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn one_tree_checked(bencher: divan::Bencher<'_, '_>) {
    let text = joined();
    bencher.counter(BytesCount::of_str(&text)).bench(|| divan::black_box(parse(divan::black_box(&text))));
}

/// The files repeated to 50 MB, each a tree of its own that is dropped before the next.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn file_by_file(bencher: divan::Bencher<'_, '_>) {
    each(bencher, |file| drop(divan::black_box(parse_tree(divan::black_box(file)))));
}

/// The same, with the errors of a build.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn file_by_file_checked(bencher: divan::Bencher<'_, '_>) {
    each(bencher, |file| drop(divan::black_box(parse(divan::black_box(file)))));
}

fn each(bencher: divan::Bencher<'_, '_>, read: impl Fn(&str) + Sync) {
    let files = files();
    let bytes: usize = files.iter().map(String::len).sum();
    let times = TARGET.div_ceil(bytes.max(1));
    let counted = bencher.counter(BytesCount::new(bytes * times)).counter(ItemsCount::new(files.len() * times));
    counted.bench(|| (0..times).for_each(|_| files.iter().for_each(|file| read(file))));
}

/// The tokens of the corpus, from trees that are there.
#[divan::bench(sample_count = 10)]
fn tokens(bencher: divan::Bencher<'_, '_>) {
    let files = files();
    let bytes: usize = files.iter().map(String::len).sum();
    let trees: Vec<_> = files.iter().map(|file| parse(file)).collect();
    bencher.counter(BytesCount::new(bytes)).bench(|| trees.iter().map(|tree| tree.tokens().count()).sum::<usize>());
}
