//! `labels-apart`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::{Model, Step};
use plimsoll_parser::syntax::Kind;
use plimsoll_parser::{Edit, TextRange};

crate::declare_rule! {
    /// Labels stand in several instructions one after the other.
    ///
    /// One LABEL with all of them is one line of the image's history (with builders older than BuildKit, one layer) instead
    /// of several.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// LABEL maintainer="me@example.org"
    /// LABEL version="0.1"
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// LABEL maintainer="me@example.org" \
    ///       version="0.1"
    /// ```
    pub LabelsApart {
        id: "labels-apart", aliases: &[], since: "0.1.0",
        group: Group::Style, severity: Severity::Style, fixable: Fixable::Sometimes,
        may_change: &["history"],
    }
}

impl Rule for LabelsApart {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let mut rest = model.steps();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if !is_label(first) {
                continue;
            }
            let more = after.iter().take_while(|step| is_label(step)).count();
            if more == 0 {
                continue;
            }
            let (group, after) = after.split_at(more);
            rest = after;
            let fix = joined(model, first, group)
                .and_then(|edits| Some(Fix::safe("join the labels", edits)?.changing(Self::META.may_change)));
            let count = more + 1;
            let message = format!("{count} LABEL instructions could be one");
            let mut diagnostic = Diagnostic::new(Self::META.id, first.range, message).with_fix(fix);
            for step in group {
                diagnostic = diagnostic.with_label(step.range, "joins the first");
            }
            found.push(diagnostic);
        }
    }
}

fn is_label(step: &Step<'_>) -> bool {
    matches!(step.instruction.kind, Kind::Label(_)) && !step.onbuild
}

/// The edits that make one LABEL of all; nothing where one is in the blank-separated form or uses what another sets.
fn joined(model: &Model<'_>, first: &Step<'_>, group: &[Step<'_>]) -> Option<Vec<Edit>> {
    let text = model.file.text;
    let mut edits = Vec::new();
    let mut before = first;
    for step in std::iter::once(first).chain(group) {
        let Kind::Label(pairs) = &step.instruction.kind else { return None };
        if pairs.iter().any(|pair| pair.legacy) || pairs.is_empty() {
            return None;
        }
    }
    for step in group {
        let Kind::Label(pairs) = &step.instruction.kind else { return None };
        let start = pairs.first()?.range.start;
        let gap = TextRange { start: before.range.end, end: step.range.start };
        let mut at = gap.start;
        for (index, line) in gap.of(text).split_inclusive('\n').enumerate() {
            let range = TextRange::new(at as usize, at as usize + line.len());
            at = range.end;
            let body = line.trim();
            match index {
                0 if body.is_empty() && line.ends_with('\n') => {
                    edits.push(Edit::insert(gap.start, format!(" {}", model.file.escape)));
                }
                0 => return None,
                _ if body.is_empty() && line.ends_with('\n') => edits.push(Edit::delete(range)),
                _ if body.is_empty() || body.starts_with('#') => {}
                _ => return None,
            }
        }
        let column = first.instruction.keyword.range.len() + 1;
        edits.push(Edit::replace(TextRange { start: step.range.start, end: start }, " ".repeat(column)));
        before = step;
    }
    let mut merged: Vec<Edit> = Vec::new();
    for edit in edits {
        match merged.last_mut() {
            Some(last) if last.range.end == edit.range.start => {
                last.range.end = edit.range.end;
                last.text.push_str(&edit.text);
            }
            _ => merged.push(edit),
        }
    }
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixed;

    #[test]
    fn comments_between_stay() {
        let text = "FROM a:1\nLABEL a=\"1\"\n# why\nLABEL b='2' c=3\n\nLABEL d=4\nRUN x\n";
        let want = "FROM a:1\nLABEL a=\"1\" \\\n# why\n      b='2' c=3 \\\n      d=4\nRUN x\n";
        assert_eq!(fixed(&LabelsApart, text), want);
    }

    #[test]
    fn the_old_form_is_left() {
        let text = "FROM a:1\nLABEL a 1\nLABEL b=2\n";
        assert_eq!(fixed(&LabelsApart, text), text);
    }
}
