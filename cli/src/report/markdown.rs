//! What every report in Markdown needs: texts that break no table, and an end before forges cut it off.

/// The most bytes of a comment: forges take 65,536 characters, and others may write around it.
pub const MOST: usize = 59_000;

/// A text inside a table's cell.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// A text as code, whatever stands in it.
pub fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// The text, or what of its lines fits, with a word about the rest. Open folds and fences are closed.
pub fn fit(text: String) -> String {
    if text.len() <= MOST {
        return text;
    }
    let mut kept = String::new();
    let (mut folds, mut fence) = (0usize, false);
    for line in text.split_inclusive('\n') {
        if kept.len() + line.len() > MOST - 400 {
            break;
        }
        folds += line.matches("<details>").count();
        folds = folds.saturating_sub(line.matches("</details>").count());
        fence ^= line.trim_start().starts_with("```");
        kept.push_str(line);
    }
    if fence {
        kept.push_str("```\n");
    }
    for _ in 0..folds {
        kept.push_str("\n</details>\n");
    }
    kept.push_str("\nMore would not fit here; `--format json` has all of it.\n");
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_at_a_line_and_closes_what_it_opened() {
        let text = format!("<details>\n\n```\n{}```\n</details>\n", "a line\n".repeat(20_000));
        let fitted = fit(text);
        assert!(fitted.len() < 60_000, "{}", fitted.len());
        assert!(fitted.contains("\n```\n\n</details>\n"), "{}", &fitted[fitted.len() - 200..]);
        assert_eq!(fit("short\n".to_owned()), "short\n");
    }

    #[test]
    fn texts_break_no_table() {
        assert_eq!(cell("a|b\nc"), "a\\|b c");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
