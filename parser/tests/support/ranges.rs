//! What holds for the ranges of every shell tree, whatever the text. Used by the tests and by the fuzzer.

use plimsoll_parser::TextRange;
use plimsoll_parser::shell::*;

/// Checks a script of `file`; `whole` where its text stands there in one piece.
pub(crate) fn check_script(file: &str, script: &Script<'_>, whole: bool) {
    // Between backquotes the backslashes that belong to them are nobody's.
    let tiled = whole && !(file.contains('`') && file.contains('\\'));
    let check = Check { file, all: script.range, tiled };
    check.list(&script.list, script.range);
    for comment in &script.comments {
        assert!(comment.of(file).starts_with('#'), "{comment:?}");
        check.inside(*comment, script.range);
    }
    for note in &script.notes {
        check.inside(note.range, script.range);
        assert!(!note.message.is_empty());
    }
    // The visitor comes by every command once.
    let _ = script.opaque_commands();
    for placed in script.simple_commands() {
        check.inside(placed.command.range, script.range);
        let _ = placed
            .command
            .invocation()
            .map(|invocation| (invocation.operands().count(), invocation.literals().count()));
    }
}

struct Check<'f> {
    file: &'f str,
    all: TextRange,
    /// Whether the parts of a word leave nothing out.
    tiled: bool,
}

impl Check<'_> {
    fn inside(&self, inner: TextRange, outer: TextRange) {
        assert!(outer.contains(inner), "{inner:?} is not in {outer:?} of {:?}", self.file);
        assert!(self.file.get(inner.to_usize()).is_some(), "{inner:?} is no part of {:?}", self.file);
    }

    fn list(&self, list: &List<'_>, outer: TextRange) {
        self.inside(list.range, outer);
        let mut end = list.range.start;
        for item in &list.items {
            assert!(item.list.range.start >= end, "{:?} comes before {end} in {:?}", item.list.range, self.file);
            self.inside(item.list.range, list.range);
            self.inside(item.separator_range, self.all);
            assert_eq!(item.separator_range.is_empty(), item.separator == Separator::End);
            end = item.list.range.end;
            self.and_or(&item.list);
        }
    }

    fn and_or(&self, list: &AndOr<'_>) {
        self.pipeline(&list.first, list.range);
        for link in &list.rest {
            self.inside(link.op_range, list.range);
            self.pipeline(&link.pipeline, list.range);
        }
    }

    fn pipeline(&self, pipeline: &Pipeline<'_>, outer: TextRange) {
        self.inside(pipeline.range, outer);
        assert_eq!(pipeline.commands.len(), pipeline.pipes.len() + 1);
        for pipe in &pipeline.pipes {
            self.inside(pipe.range, pipeline.range);
        }
        for command in &pipeline.commands {
            self.command(command, pipeline.range);
        }
    }

    fn command(&self, command: &Command<'_>, outer: TextRange) {
        let range = command.range();
        self.inside(range, outer);
        match command {
            Command::Simple(simple) => {
                for assignment in &simple.assignments {
                    self.inside(assignment.range, range);
                    self.inside(assignment.name.range, assignment.range);
                    if let Some(index) = &assignment.index {
                        self.word(index, assignment.range);
                    }
                    match &assignment.value {
                        AssignedValue::Word(word) => self.word(word, assignment.range),
                        AssignedValue::Array(words) => self.words(words, assignment.range),
                    }
                }
                self.words(&simple.words, range);
                self.redirects(&simple.redirects, range);
            }
            Command::Compound(compound) => {
                match &compound.kind {
                    CompoundKind::Brace(list) | CompoundKind::Subshell(list) => self.list(list, range),
                    CompoundKind::If { branches, otherwise } => {
                        for branch in branches {
                            self.list(&branch.condition, range);
                            self.list(&branch.body, range);
                        }
                        if let Some(list) = otherwise {
                            self.list(list, range);
                        }
                    }
                    CompoundKind::While { condition, body, .. } => {
                        self.list(condition, range);
                        self.list(body, range);
                    }
                    CompoundKind::For { name, words, body, .. } => {
                        self.inside(name.range, range);
                        self.words(words.as_deref().unwrap_or_default(), range);
                        self.list(body, range);
                    }
                    CompoundKind::ArithmeticFor { header, body } => {
                        self.arithmetic(header, range);
                        self.list(body, range);
                    }
                    CompoundKind::Case { word, arms } => {
                        self.word(word, range);
                        for arm in arms {
                            self.inside(arm.range, range);
                            self.words(&arm.patterns, arm.range);
                            self.list(&arm.body, arm.range);
                        }
                    }
                    CompoundKind::Arithmetic(arithmetic) => self.arithmetic(arithmetic, range),
                    CompoundKind::Test(words) => self.words(words, range),
                    CompoundKind::Coproc(command) => self.command(command, range),
                    _ => {}
                }
                self.redirects(&compound.redirects, range);
            }
            Command::Function(function) => {
                self.inside(function.name.range, range);
                self.command(&function.body, range);
            }
            Command::Opaque(opaque) => self.words(&opaque.words, range),
        }
    }

    fn redirects(&self, redirects: &[Redirect<'_>], outer: TextRange) {
        for redirect in redirects {
            self.inside(redirect.range, outer);
            self.inside(redirect.op_range, redirect.range);
            self.word(&redirect.target, redirect.range);
            if let Some(heredoc) = &redirect.heredoc {
                self.inside(heredoc.range, self.all);
                self.inside(heredoc.close, self.all);
                self.parts(&heredoc.parts, heredoc.range);
            }
        }
    }

    fn words(&self, words: &[Word<'_>], outer: TextRange) {
        for word in words {
            self.word(word, outer);
        }
    }

    fn word(&self, word: &Word<'_>, outer: TextRange) {
        self.inside(word.range, outer);
        self.parts(&word.parts, word.range);
        let tiled: usize = word.parts.iter().map(|part| part.range().len()).sum();
        assert!(
            tiled == word.range.len() || (!self.tiled && tiled < word.range.len()),
            "the parts of {word:?} do not tile it in {:?}",
            self.file
        );
    }

    fn parts(&self, parts: &[WordPart<'_>], outer: TextRange) {
        let mut end = outer.start;
        for part in parts {
            let range = part.range();
            self.inside(range, outer);
            assert!(range.start >= end, "{range:?} comes before {end} in {:?}", self.file);
            end = range.end;
            match part {
                WordPart::Double(double) => self.parts(&double.parts, double.range),
                WordPart::Parameter(parameter) => {
                    self.inside(parameter.name.range, range);
                    if let Some(index) = &parameter.index {
                        self.word(index, range);
                    }
                    if let Some(op) = &parameter.op {
                        self.inside(op.op_range, range);
                        self.word(&op.word, range);
                        if let Some(second) = &op.second {
                            self.word(second, range);
                        }
                    }
                }
                WordPart::Command(nested) | WordPart::Process(nested) => self.list(&nested.list, range),
                WordPart::Arithmetic(arithmetic) => self.arithmetic(arithmetic, range),
                WordPart::Array(array) => self.words(&array.words, range),
                _ => {}
            }
        }
    }

    fn arithmetic(&self, arithmetic: &Arithmetic<'_>, outer: TextRange) {
        self.inside(arithmetic.range, outer);
        self.inside(arithmetic.text.range, arithmetic.range);
        self.parts(&arithmetic.parts, arithmetic.range);
    }
}
