//! "Did you mean …?": the nearest of the words that would have been right.

/// A word further away than this is no misspelling (as in BuildKit).
const NEAR: usize = 2;

/// The nearest of `options` to `word`, case-sensitive. None where `word` is one of them.
pub(crate) fn exact<'o>(word: &str, options: impl IntoIterator<Item = &'o str>) -> Option<&'o str> {
    let mut best = None;
    let mut least = NEAR + 1;
    for option in options {
        let distance = distance(word, option);
        if distance == 0 {
            return None;
        }
        if distance < least {
            least = distance;
            best = Some(option);
        }
    }
    best
}

/// The nearest keyword (given in upper case), written in the case of `word`.
pub(crate) fn keyword<'o>(word: &str, options: impl IntoIterator<Item = &'o str>) -> Option<String> {
    let best = exact(&word.to_uppercase(), options)?;
    Some(if word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase) {
        best.to_owned()
    } else {
        best.to_lowercase()
    })
}

/// Levenshtein distance in characters; anything above [`NEAR`] counts as far.
fn distance(a: &str, b: &str) -> usize {
    let (a_len, b_len) = (a.chars().count(), b.chars().count());
    if a_len.abs_diff(b_len) > NEAR {
        return NEAR + 1;
    }
    if a == b {
        return 0;
    }
    let mut row: Vec<usize> = (0..=b_len).collect();
    for (line, a) in a.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut least = left;
        for (cell, b) in row.iter_mut().skip(1).zip(b.chars()) {
            let changed = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
            least = least.min(left);
        }
        // From here on it can only grow.
        if least > NEAR {
            return NEAR + 1;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("ENTRYPOINT", "FNTRYPOINT"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("typ", "type"), 1);
        assert_eq!(distance("abc", "abc"), 0);
    }

    #[test]
    fn case_is_kept() {
        assert_eq!(keyword("FNTRYPOINT", ["ENTRYPOINT"]).as_deref(), Some("ENTRYPOINT"));
        assert_eq!(keyword("fron", ["FROM", "RUN"]).as_deref(), Some("from"));
        assert_eq!(keyword("INVALID", ["FROM", "RUN"]), None);
        assert_eq!(exact("mont", ["mount", "network"]), Some("mount"));
    }
}
