//! Any text is a word, an image reference, a duration: expanded, split and taken apart without panic.
#![no_main]

#[path = "../../parser/tests/support/word.rs"]
mod word_checks;

use libfuzzer_sys::fuzz_target;
use plimsoll_parser::duration;
use plimsoll_parser::image_ref::{ImageRef, Written};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    word_checks::check_word(text, '\\');
    word_checks::check_word(text, '`');
    let _ = duration::parse(text);
    assert_eq!(ImageRef::check(text).is_err(), ImageRef::refused(text).is_some());
    if let Some(parsed) = ImageRef::parse(text) {
        assert_eq!(ImageRef::parse(&parsed.to_string()), Some(parsed));
    }
    let written = Written::of(text);
    assert!(text.get(written.name).is_some());
});
