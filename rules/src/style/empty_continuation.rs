//! `empty-continuation`

use crate::prelude::{Diagnostic, Edit, Fix, Fixable, Group, Model, Rule, Severity, TextRange};

crate::declare_rule! {
    /// A blank line stands inside a continued instruction.
    ///
    /// Builders still read on after it, but say that they will not for ever.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN echo a \
    ///
    ///   b
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN echo a \
    ///   b
    /// ```
    pub EmptyContinuation {
        id: "empty-continuation", aliases: &["NoEmptyContinuation"], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::Sometimes,
    }
}

impl Rule for EmptyContinuation {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let mut blank: Vec<(u32, TextRange, Vec<TextRange>)> = Vec::new();
        for warning in model.file.warnings.iter().filter(|warning| warning.code == "empty-continuation") {
            let steps = model.steps();
            let at = steps.partition_point(|step| step.range.start <= warning.range.start);
            let Some(step) = at.checked_sub(1).and_then(|at| steps.get(at)) else { continue };
            let end = step.instruction.logical.full_range().end.saturating_sub(1);
            match blank.last_mut() {
                Some((_, range, lines)) if *range == step.range => lines.push(warning.range),
                _ => blank.push((end, step.range, vec![warning.range])),
            }
        }
        for (end, range, lines) in blank {
            let Some(first) = lines.first().copied() else { continue };
            let fix = Fix::safe("take the blank lines out", blank_lines(model.file.text, range));
            let message = "a blank line inside a continued instruction";
            found.push(Diagnostic::new(Self::META.id, first, message).with_fix(fix).at_line_of(end));
        }
    }
}

/// An edit for each run of blank lines in the range, heredocs left alone.
fn blank_lines(text: &str, range: TextRange) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let whole = range.of(text);
    if whole.contains("<<") {
        return edits;
    }
    let mut at = range.start as usize;
    for line in whole.split_inclusive('\n') {
        let end = at + line.len();
        if line.trim().is_empty() && line.ends_with('\n') {
            match edits.last_mut() {
                Some(last) if last.range.end as usize == at => {
                    last.range = TextRange::new(last.range.start as usize, end);
                }
                _ => edits.push(Edit::delete(TextRange::new(at, end))),
            }
        }
        at = end;
    }
    edits
}
