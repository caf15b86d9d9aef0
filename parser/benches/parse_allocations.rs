//! How often reading a Dockerfile allocates: the corpus once; divide by the number of files for one of them.

#[path = "support/corpus.rs"]
mod corpus;

use divan::counter::ItemsCount;
use plimsoll_parser::{parse, parse_tree};

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn tree(bencher: divan::Bencher<'_, '_>) {
    let files = corpus::files();
    let read = |file: &String| drop(divan::black_box(parse_tree(divan::black_box(file))));
    bencher.counter(ItemsCount::new(files.len())).bench(|| files.iter().for_each(read));
}

#[divan::bench]
fn checked(bencher: divan::Bencher<'_, '_>) {
    let files = corpus::files();
    let read = |file: &String| drop(divan::black_box(parse(divan::black_box(file))));
    bencher.counter(ItemsCount::new(files.len())).bench(|| files.iter().for_each(read));
}
