//! Syntax errors as people read them: the bytes, what is wrong, what to write instead.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use plimsoll_parser::syntax::{Dockerfile, SyntaxError};

/// All errors of a file, drawn one after another; nothing when there is none.
pub fn errors(file: &str, text: &str, tree: &Dockerfile<'_>, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_context_lines(1);
    let mut out = String::new();
    for error in &tree.errors {
        let shown = Shown { error, source: NamedSource::new(file, text.to_owned()) };
        if handler.render_report(&mut out, &shown).is_err() {
            out.push_str(&error.message);
        }
        out.push('\n');
    }
    out
}

struct Shown<'a> {
    error: &'a SyntaxError,
    source: NamedSource<String>,
}

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error.message)
    }
}
impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error.message)
    }
}
impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.error.code))
    }
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.error.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let range = self.error.range;
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, (range.start as usize, range.len())))))
    }
}
