//! A Dockerfile as pieces that can be left out, changed and put elsewhere with their comments.

use plimsoll_parser::syntax::{Dockerfile, Instruction, Kind};
use plimsoll_parser::{Edit, TextRange};

use crate::apply::splice;

/// A file and where its pieces begin and end.
pub(crate) struct Sheet<'s> {
    pub(crate) file: Dockerfile<'s>,
    pieces: Vec<Piece>,
}

/// One instruction with what stands above it.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Blank lines, directives and comments that belong to no instruction.
    lead: TextRange,
    /// From the first comment directly above to the end of the instruction's last line, line end included.
    body: TextRange,
}

impl<'s> Sheet<'s> {
    pub(crate) fn of(text: &'s str) -> Self {
        let file = plimsoll_parser::parse(text);
        let mut pieces = Vec::with_capacity(file.instructions.len());
        let mut at = 0;
        for instruction in &file.instructions {
            let above =
                file.comments.get(instruction.comments_above.start as usize..instruction.comments_above.end as usize);
            let first = above.and_then(<[TextRange]>::first).map_or(instruction.range.start, |comment| comment.start);
            let start = line_start(text, first as usize).max(at);
            let end = line_end(text, instruction.range.end as usize);
            pieces.push(Piece { lead: TextRange::new(at, start), body: TextRange::new(start, end) });
            at = end;
        }
        Self { file, pieces }
    }

    /// The instructions with their indices.
    pub(crate) fn instructions(&self) -> impl Iterator<Item = (usize, &Instruction<'s>)> {
        self.file.instructions.iter().enumerate()
    }

    pub(crate) fn instruction(&self, index: usize) -> Option<&Instruction<'s>> {
        self.file.instructions.get(index)
    }

    fn piece(&self, index: usize) -> Piece {
        self.pieces.get(index).copied().unwrap_or(Piece { lead: TextRange::at(0), body: TextRange::at(0) })
    }

    /// What stands above the instruction and does not belong to it.
    pub(crate) fn lead(&self, index: usize) -> &'s str {
        self.piece(index).lead.of(self.file.text)
    }

    /// The instruction with its comments, as written.
    pub(crate) fn body(&self, index: usize) -> String {
        with_line_end(self.piece(index).body.of(self.file.text))
    }

    /// Where the instruction and the comments above it stand, line end included; with the blank lines above when more
    /// follow below.
    pub(crate) fn paragraph(&self, index: usize) -> TextRange {
        let Piece { lead, body } = self.piece(index);
        let blank = lead.of(self.file.text).trim().is_empty();
        let below = if index + 1 < self.pieces.len() { self.lead(index + 1) } else { self.tail() };
        if blank && (below.starts_with('\n') || below.is_empty() && index + 1 == self.pieces.len()) {
            lead.cover(body)
        } else {
            body
        }
    }

    /// The instruction without the comments above it, as written.
    pub(crate) fn bare(&self, index: usize) -> String {
        let range = self.instruction(index).map_or(TextRange::at(0), |instruction| instruction.range);
        with_line_end(range.of(self.file.text))
    }

    /// The instruction with its comments after `edits` of the file that lie in it.
    pub(crate) fn edited(&self, index: usize, edits: &[Edit]) -> String {
        let body = self.piece(index).body;
        with_line_end(&splice_within(self.file.text, body, edits))
    }

    /// The same without the comments above it.
    pub(crate) fn bare_edited(&self, index: usize, edits: &[Edit]) -> String {
        let range = self.instruction(index).map_or(TextRange::at(0), |instruction| instruction.range);
        with_line_end(&splice_within(self.file.text, range, edits))
    }

    /// What follows the last instruction.
    pub(crate) fn tail(&self) -> &'s str {
        let end = self.pieces.last().map_or(0, |piece| piece.body.end as usize);
        self.file.text.get(end..).unwrap_or_default()
    }

    /// The indices of the FROMs.
    pub(crate) fn stages(&self) -> Vec<usize> {
        self.instructions().filter(|(_, i)| matches!(i.kind, Kind::From(_))).map(|(index, _)| index).collect()
    }
}

fn splice_within(text: &str, range: TextRange, edits: &[Edit]) -> String {
    let moved: Vec<Edit> = edits
        .iter()
        .filter(|edit| range.contains(edit.range))
        .map(|edit| Edit {
            range: TextRange { start: edit.range.start - range.start, end: edit.range.end - range.start },
            text: edit.text.clone(),
        })
        .collect();
    splice(range.of(text), &moved)
}

/// Where the line of `offset` begins.
fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
}

/// Where the line after that of `offset` begins.
fn line_end(text: &str, offset: usize) -> usize {
    text.get(offset..).and_then(|after| after.find('\n')).map_or(text.len(), |at| offset + at + 1)
}

fn with_line_end(text: &str) -> String {
    let mut text = text.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A Dockerfile in the making.
#[derive(Default)]
pub(crate) struct Draft {
    text: String,
}

impl Draft {
    /// Adds text as it is.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A blank line, unless there is one or nothing stands above.
    pub(crate) fn blank(&mut self) -> &mut Self {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
        self
    }

    /// The text: no two blank lines that this draft put together, one line end at the end.
    pub(crate) fn finish(self) -> String {
        let mut text = self.text;
        while text.ends_with("\n\n") {
            text.pop();
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}
