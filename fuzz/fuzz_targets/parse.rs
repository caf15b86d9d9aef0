//! Any bytes are a Dockerfile: its tokens give it back, and every range lies inside of what holds it.
#![no_main]

#[path = "../../parser/tests/support/file.rs"]
mod file;

use libfuzzer_sys::fuzz_target;
use plimsoll_parser::directive::{detect_syntax, directive};
use plimsoll_parser::{LineIndex, Source};

fuzz_target!(|data: &[u8]| {
    let source = Source::new(data.to_vec());
    assert_eq!(source.bytes(), data);
    file::check_file(source.text());
    let lines = LineIndex::new(source.text());
    assert!(lines.line_col(u32::try_from(data.len()).unwrap_or(u32::MAX)).0 <= lines.line_count());
    let _ = (detect_syntax(source.text()), directive("check", source.text()));
});
