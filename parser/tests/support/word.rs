//! What holds for every word; shared by the property tests and the fuzz targets.

use plimsoll_parser::{heredoc, word};

/// Expands a word in every way and asserts that its parts stand in it one after another.
pub(crate) fn check_word(text: &str, escape: char) {
    let env = |name: &str| (name.len() % 2 == 1).then(|| name.repeat(2));
    let _ = word::expand(text, escape, &env);
    let _ = word::expand_words(text, escape, &env);
    let _ = word::expand_heredoc(text, &env);
    let mut last = 0;
    for part in word::parts(text, escape) {
        assert!(last <= part.range.start && text.get(part.range.clone()).is_some(), "{part:?} in {text:?}");
        last = part.range.end;
    }
    let _ = heredoc::operator(text);
    for (_, place) in heredoc::operators(text).unwrap_or_default() {
        assert!(text.get(place).is_some());
    }
}
