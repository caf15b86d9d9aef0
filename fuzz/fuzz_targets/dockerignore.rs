//! The first line is a path, the rest a `.dockerignore`: read, matched by path and by walk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_parser::dockerignore::{Ignore, Verdict};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((path, content)) = text.split_once('\n') else { return };
    let (ignore, errors) = Ignore::parse(content);
    for range in ignore.patterns().iter().map(|pattern| pattern.range()).chain(errors.iter().map(|error| error.range)) {
        assert!(!range.of(content).is_empty());
    }
    let excluded = ignore.is_excluded(path);
    assert_eq!(excluded, ignore.deciding(path).is_some_and(|pattern| !pattern.is_exception()));
    if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return;
    }
    let mut walker = ignore.walker();
    let mut directory = "";
    let mut last = Verdict::Keep;
    for name in path.split('/') {
        if !directory.is_empty() {
            walker.enter(directory.rsplit('/').next().unwrap_or_default());
        }
        last = walker.visit(name, true).unwrap();
        directory = path.get(..directory.len() + name.len() + usize::from(!directory.is_empty())).unwrap_or_default();
    }
    // Without exceptions both tests agree.
    if !ignore.has_exceptions() {
        assert_eq!(excluded, last != Verdict::Keep);
    }
    let _ = ignore.may_reinclude_below(path);
    let _ = Ignore::from_patterns(content.lines()).map(|ignore| ignore.test(path));
});
