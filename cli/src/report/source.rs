//! Source excerpts: the whole lines of what a finding is about, nothing around them.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A file whose excerpts begin and end with its lines.
pub struct WholeLines<'a> {
    /// How the file is called.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl SourceCode for WholeLines<'_> {
    fn read_span<'s>(
        &'s self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'s> + 's>, MietteError> {
        let bytes = self.text.as_bytes();
        let start = span.offset().min(bytes.len());
        let end = (span.offset() + span.len()).clamp(start, bytes.len());
        let line = bytes.iter().take(start).rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = bytes.get(end..).unwrap_or_default();
        let line_end = end + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let whole = SourceSpan::from(line..line_end);
        let inner = self.text.read_span(&whole, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_owned(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}
