//! Two texts as a unified diff.

use similar::TextDiff;

/// A unified diff with three lines around each change; empty when the texts are the same.
#[must_use]
pub fn unified(old_name: &str, new_name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    TextDiff::from_lines(old, new).unified_diff().context_radius(3).header(old_name, new_name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_changed_and_what_is_around_them() {
        let diff = unified("a/Dockerfile", "b/Dockerfile", "FROM x\nRUN a\n", "FROM x\nRUN b\n");
        assert_eq!(diff, "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,2 +1,2 @@\n FROM x\n-RUN a\n+RUN b\n");
        assert_eq!(unified("a", "b", "x", "x"), "");
    }
}
