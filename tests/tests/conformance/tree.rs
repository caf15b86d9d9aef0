//! Our tree in the form the cases are written in.

use plimsoll_parser::syntax::{ErrorStage, Instruction, Kind, SyntaxError};
use plimsoll_parser::{Arguments, Dockerfile, LineIndex, Text, Trigger};
use serde_json::{Value, json};

/// A file, its tree and its lines.
pub(crate) struct Read<'s> {
    pub(crate) file: Dockerfile<'s>,
    pub(crate) lines: LineIndex<'s>,
}

impl<'s> Read<'s> {
    pub(crate) fn new(text: &'s str) -> Self {
        Self { file: plimsoll_parser::parse(text), lines: LineIndex::new(text) }
    }

    pub(crate) fn line(&self, offset: u32) -> u32 {
        self.lines.line(offset)
    }

    /// The line BuildKit would report, and the error. It ends at the first error of the first stage that has one.
    pub(crate) fn refusal(&self) -> Option<(u32, &SyntaxError)> {
        self.file.refusal().map(|error| (self.line(self.place(error)), error))
    }

    /// BuildKit reports the instruction, our range is of the bytes in it that are wrong.
    fn place(&self, error: &SyntaxError) -> u32 {
        let holds = |instruction: &&Instruction<'_>| instruction.range.contains(error.range);
        self.file.instructions.iter().find(holds).map_or(error.range.start, |instruction| instruction.range.start)
    }

    /// The instruction that holds an offset.
    pub(crate) fn at(&self, offset: u32) -> Option<&Instruction<'s>> {
        self.file.instructions.iter().find(|i| i.range.start <= offset && offset <= i.range.end)
    }

    /// As the cases of `parse_ok` write an instruction.
    pub(crate) fn instruction(&self, index: usize) -> Value {
        let instruction = &self.file.instructions[index];
        let mut value = split(&instruction.keyword, instruction.flag_words(), &self.file.arguments(instruction));
        let fields = value.as_object_mut().expect("an object");
        if !instruction.heredocs.is_empty() {
            let heredocs = instruction.heredocs.iter().map(|heredoc| {
                json!({"name": heredoc.name.as_str(), "fd": heredoc.fd, "expand": heredoc.expand,
                       "chomp": heredoc.chomp, "content": heredoc.body.as_str()})
            });
            fields.insert("heredocs".to_owned(), heredocs.collect());
        }
        fields.insert("start_line".to_owned(), self.line(instruction.range.start).into());
        let last = instruction.range.end.saturating_sub(1).max(instruction.range.start);
        let last = instruction.heredocs.last().map_or(last, |heredoc| heredoc.close.start.max(last));
        fields.insert("end_line".to_owned(), self.line(last).into());
        fields.insert("text".to_owned(), (*instruction.logical.text).into());
        let comments = self.file.doc_comments(index);
        if !comments.is_empty() {
            fields.insert("comments".to_owned(), comments.into());
        }
        value
    }

    pub(crate) fn instructions(&self) -> Value {
        (0..self.file.instructions.len()).map(|index| self.instruction(index)).collect()
    }

    /// As the cases write warnings: one an instruction, at its last line.
    pub(crate) fn warnings(&self) -> Value {
        let warnings = self.file.warnings.iter().filter(|warning| warning.code == "empty-continuation");
        let warning = |warning: &SyntaxError| {
            let instruction = self.at(warning.range.start).expect("the warning is of an instruction");
            let line = self.line(instruction.range.end.saturating_sub(1));
            json!({"kind": "empty-continuation", "line": line, "text": &*instruction.logical.text})
        };
        warnings.map(warning).collect()
    }
}

pub(crate) fn stage(error: &SyntaxError) -> &'static str {
    match error.stage {
        ErrorStage::Syntax => "syntax",
        ErrorStage::Instruction => "instruction",
        ErrorStage::Build => "build",
    }
}

fn split(keyword: &str, flags: Vec<String>, arguments: &Arguments<'_>) -> Value {
    let mut value = json!({"keyword": keyword.to_uppercase(), "flags": flags});
    if keyword.to_uppercase() != keyword {
        value["raw_keyword"] = keyword.into();
    }
    match arguments {
        Arguments::Words { words, json } => {
            value["args"] = words.iter().map(Text::as_str).collect();
            value["json"] = (*json).into();
        }
        Arguments::Pairs(pairs) => {
            let pair = |pair: &plimsoll_parser::syntax::Pair<'_>| json!({"key": pair.key.as_str(), "value": pair.value.as_str(), "sep": if pair.legacy { "" } else { "=" }});
            value["pairs"] = pairs.iter().map(pair).collect();
        }
        Arguments::Trigger(trigger) => {
            let Trigger { keyword, flags, arguments } = &**trigger;
            value["trigger"] = split(keyword, flags.clone(), arguments);
        }
        Arguments::Unknown => value["unknown"] = true.into(),
    }
    value
}

/// What every tree of every text has to be: tokens that give the text back, and ranges inside of what holds them.
pub(crate) fn is_sound(file: &Dockerfile<'_>) -> Result<(), String> {
    let joined: String = file.tokens().map(|token| token.range.of(file.text)).collect();
    if joined != file.text {
        return Err("the tokens do not give the text back".to_owned());
    }
    let mut last = 0;
    for instruction in &file.instructions {
        if instruction.range.start < last {
            return Err(format!("{:?} stands before the end of the instruction above", instruction.range));
        }
        last = instruction.range.end;
        if !instruction.range.contains(instruction.keyword.range) {
            return Err(format!("keyword {:?} outside of {:?}", instruction.keyword.range, instruction.range));
        }
        if let Kind::Onbuild(trigger) = &instruction.kind
            && !instruction.range.contains(trigger.range)
        {
            return Err(format!("trigger {:?} outside of {:?}", trigger.range, instruction.range));
        }
    }
    Ok(())
}
