//! How often reading a Dockerfile allocates: the corpus once; divide by the number of files for one of them.

#[path = "support/corpus.rs"]
mod corpus;

use divan::counter::ItemsCount;
use plimsoll_parser::parse;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench]
fn allocations(bencher: divan::Bencher<'_, '_>) {
    let files = corpus::files();
    bencher.counter(ItemsCount::new(files.len())).bench(|| {
        for file in &files {
            divan::black_box(parse(divan::black_box(file)));
        }
    });
}
