//! Small questions about words that several rules ask.

/// Whether the word holds a variable of the builder.
pub(crate) fn has_variable(text: &str) -> bool {
    text.contains('$')
}

/// Without the quotes around it.
pub(crate) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// Bytes for people: `12.3 MB`.
pub(crate) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let count = count as f64;
    if count >= 1e9 {
        format!("{:.1} GB", count / 1e9)
    } else if count >= 1e6 {
        format!("{:.1} MB", count / 1e6)
    } else if count >= 1e3 {
        format!("{:.1} kB", count / 1e3)
    } else {
        format!("{count} B")
    }
}
