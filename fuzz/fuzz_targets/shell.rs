//! Any text is read as shell; ranges hold, also through continuations.
#![no_main]

#[path = "../../parser/tests/support/ranges.rs"]
mod ranges;

use libfuzzer_sys::fuzz_target;
use plimsoll_parser::Logical;
use plimsoll_parser::shell::{Dialect, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for dialect in [Dialect::Bash, Dialect::PowerShell, Dialect::Cmd] {
        let logical = Logical::whole(text, 0);
        ranges::check_script(text, &parse(&logical, dialect), true);
    }
    // The same text, each `=` followed by a continuation.
    let file = text.replace('=', "=\\\n");
    let mut offset = 0;
    let parts = text.split_inclusive('=').map(|part| {
        let at = offset;
        offset += part.len() + 2;
        (file.get(at..at + part.len()).unwrap_or_default(), at)
    });
    let logical = Logical::joined((&file, 0), parts);
    ranges::check_script(&file, &parse(&logical, Dialect::Posix), false);
});
