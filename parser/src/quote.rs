//! Quoting as BuildKit's messages do it.

/// `text` in double quotes, with what does not print escaped (Go's `%q`).
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..' ' | '\u{7f}' => out.push_str(&format!("\\x{:02x}", c as u32)),
            '\u{80}'..'\u{a1}' | '\u{ad}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if c.is_control() || (c.is_whitespace() && c != ' ') => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_does_not_print_is_escaped() {
        assert_eq!(super::quote("a \"b\"\\\t\u{1a}\u{e9}\u{a0}"), r#""a \"b\"\\\t\x1aé\u00a0""#);
    }
}
