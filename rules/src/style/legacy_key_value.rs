//! `legacy-key-value`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Kind, Model, Rule, Severity, TextRange, syntax};

crate::declare_rule! {
    /// ENV or LABEL is in the blank-separated form.
    ///
    /// It takes one name only and reads everything after it as the value. With `=` several fit in one instruction.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ENV APP_HOME /srv/app
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ENV APP_HOME=/srv/app
    /// ```
    pub LegacyKeyValue {
        id: "legacy-key-value", aliases: &["LegacyKeyValueFormat"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::Sometimes,
    }
}

impl Rule for LegacyKeyValue {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps().iter().filter(|step| !step.onbuild) {
            let (Kind::Env(pairs) | Kind::Label(pairs)) = &step.instruction.kind else { continue };
            for pair in pairs.iter().filter(|pair| pair.legacy) {
                let fix = equals(model, pair).and_then(|edits| Fix::safe("write an equals sign", edits));
                let keyword = step.instruction.keyword.to_ascii_uppercase();
                let message = format!("{keyword} takes name=value");
                found.push(Diagnostic::new(Self::META.id, pair.range, message).with_fix(fix));
            }
        }
    }
}

/// The edits; nothing where a continuation, quotes or escapes stand in the way.
fn equals(model: &Model<'_>, pair: &syntax::Pair<'_>) -> Option<Vec<Edit>> {
    let text = model.file.text;
    let (key, value) = (pair.key.range.of(text), pair.value.range.of(text));
    let gap = TextRange { start: pair.key.range.end, end: pair.value.range.start };
    let plain = |word: &str| !word.is_empty() && !word.contains(['\n', '\\', '`', '\'']);
    if !plain(key) || !plain(value) || key.contains('"') || gap.of(text).contains('\n') || gap.is_empty() {
        return None;
    }
    let quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"') && value.matches('"').count() == 2;
    let bare = !value.contains('"') && !value.contains(char::is_whitespace) && !value.contains('#');
    if quoted || bare {
        return Some(vec![Edit::replace(gap, "=")]);
    }
    if value.contains('"') {
        return None;
    }
    Some(vec![Edit::replace(TextRange { start: gap.start, end: pair.value.range.end }, format!("=\"{value}\""))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixed;

    #[test]
    fn quotes_and_continuations() {
        assert_eq!(fixed(&LegacyKeyValue, "FROM a:1\nENV A  b c\n"), "FROM a:1\nENV A=\"b c\"\n");
        assert_eq!(fixed(&LegacyKeyValue, "FROM a:1\nENV A \"b c\"\n"), "FROM a:1\nENV A=\"b c\"\n");
        for left in ["FROM a:1\nENV A \\\n  b c\n", "FROM a:1\nENV A b 'c'\n", "FROM a:1\nENV A b\\ c\n"] {
            assert_eq!(fixed(&LegacyKeyValue, left), left);
        }
    }
}
