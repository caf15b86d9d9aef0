//! The walk.

use super::variables::Variables;
use super::{Fact, FactKind};
use plimsoll_parser::TextRange;
use plimsoll_parser::shell::*;

/// What the script finds when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The file, for what the tree does not keep.
    pub text: &'a str,
    /// Whether it is for plain sh, where bash's own things do not work.
    pub plain_sh: bool,
    /// Whether the shell stops at the first failure.
    pub errexit: bool,
    /// The variables that are set already.
    pub known: &'a [&'a str],
}

/// Everything that stands out in `script`, in the order of the text.
#[must_use]
pub fn find(script: &Script<'_>, around: Surroundings<'_>) -> Vec<Fact> {
    let mut walk =
        Walk { around, found: Vec::new(), variables: Variables::new(around.known), errexit: around.errexit, depth: 0 };
    if let Some(note) = script.notes.first() {
        let before = around.text.get(..note.range.start as usize).unwrap_or_default();
        let apart = before.ends_with(|c: char| c.is_whitespace());
        let bracket = apart && note.range.of(around.text).starts_with(['(', ')']);
        let kind = if bracket { FactKind::StrayBracket } else { FactKind::Unreadable };
        return vec![Fact { kind, range: note.range, name: String::new() }];
    }
    if script.list.items.is_empty() {
        return Vec::new();
    }
    walk.errexit |= walk.sets_errexit(script);
    walk.list(&script.list, false);
    walk.variables.finish(&mut walk.found);
    walk.found.sort_by_key(|fact| (fact.range, fact.kind));
    walk.found
}

/// In what a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The name of a command.
    Name,
    /// An argument, or the file of a redirection: split into words.
    Argument,
    /// Where nothing is split: assignments, `case`, `for`, `[[`.
    Free,
}

pub(super) struct Walk<'a> {
    pub(super) around: Surroundings<'a>,
    pub(super) found: Vec<Fact>,
    pub(super) variables: Variables,
    pub(super) errexit: bool,
    depth: usize,
}

impl Walk<'_> {
    pub(super) fn tell(&mut self, kind: FactKind, range: TextRange, name: &str) {
        self.found.push(Fact { kind, range, name: name.to_owned() });
    }

    fn sets_errexit(&self, script: &Script<'_>) -> bool {
        script.simple_commands().iter().any(|placed| {
            let words = &placed.command.words;
            let mut words = words.iter();
            if !words.next().is_some_and(|word| word.is("set")) {
                return false;
            }
            let rest: Vec<String> = words.map(|word| word.raw.to_string()).collect();
            rest.iter()
                .any(|word| word == "errexit" || word.starts_with('-') && !word.starts_with("--") && word.contains('e'))
        })
    }

    /// Walks a list; `condition` says that something looks at its status.
    pub(super) fn list(&mut self, list: &List<'_>, condition: bool) {
        let last = list.items.len().saturating_sub(1);
        for (at, item) in list.items.iter().enumerate() {
            self.and_or(&item.list, condition && at == last, item.separator == Separator::Background, at == last);
        }
    }

    fn and_or(&mut self, list: &AndOr<'_>, condition: bool, background: bool, last_item: bool) {
        let count = list.rest.len() + 1;
        for (at, (op, pipeline)) in list.pipelines().enumerate() {
            let checked = condition || at + 1 < count;
            if op == Some(AndOrOp::Or) {
                self.variables.enter_branch();
            }
            if at == 1 {
                // Whether anything behind the first operator runs is not known to what follows the list.
                self.variables.enter_branch();
            }
            self.pipeline(pipeline, checked, background, last_item && at + 1 == count);
            if op == Some(AndOrOp::Or) && at != 1 {
                self.variables.leave_branch();
            }
        }
        if count > 1 {
            self.variables.leave_branch();
            if list.rest.first().is_some_and(|link| link.op == AndOrOp::Or) {
                self.variables.leave_branch();
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline<'_>, checked: bool, background: bool, last: bool) {
        let piped = pipeline.commands.len() > 1;
        self.pipeline_facts(pipeline, checked, last);
        for command in &pipeline.commands {
            let contained = piped || background;
            if contained {
                self.variables.enter_subshell();
            }
            // A `!` or a pipe takes the status to another place; only conditions look at it as it is.
            self.command(command, checked && !piped);
            if contained {
                self.variables.leave_subshell();
            }
        }
    }

    fn command(&mut self, command: &Command<'_>, checked: bool) {
        if self.depth > MAX_DEPTH {
            return;
        }
        self.depth += 1;
        match command {
            Command::Simple(simple) => self.simple(simple, checked),
            Command::Compound(compound) => {
                self.compound(compound, checked);
                for redirect in &compound.redirects {
                    self.redirect(redirect);
                }
            }
            Command::Function(function) => {
                self.variables.enter_branch();
                self.command(&function.body, false);
                self.variables.leave_branch();
            }
            Command::Opaque(_) => {}
        }
        self.depth -= 1;
    }

    fn compound(&mut self, compound: &Compound<'_>, checked: bool) {
        match &compound.kind {
            CompoundKind::Brace(list) => self.list(list, checked),
            CompoundKind::Subshell(list) => {
                self.variables.enter_subshell();
                self.list(list, checked);
                self.variables.leave_subshell();
            }
            CompoundKind::If { branches, otherwise } => {
                let mut arms = self.variables.fork();
                for branch in branches {
                    self.list(&branch.condition, true);
                    let before = self.variables.fork();
                    self.list(&branch.body, false);
                    arms.end(&self.variables, leaves(&branch.body));
                    self.variables.back_to(&before);
                }
                if let Some(list) = otherwise {
                    self.list(list, false);
                    arms.end(&self.variables, leaves(list));
                } else {
                    arms.end(&self.variables, false);
                }
                self.variables.join(arms);
            }
            CompoundKind::While { condition, body, .. } => {
                self.list(condition, true);
                self.branch(body);
            }
            CompoundKind::For { name, words, body, .. } => {
                let words = words.as_deref().unwrap_or_default();
                for word in words {
                    self.word(word, Place::Free);
                }
                self.loop_facts(words);
                self.variables.assign_each(name, words);
                self.branch(body);
            }
            CompoundKind::ArithmeticFor { header, body } => {
                self.parts(&header.parts, Place::Free, false);
                self.variables.mention(&header.text);
                self.branch(body);
            }
            CompoundKind::Case { word, arms } => {
                self.word(word, Place::Free);
                let before = self.variables.fork();
                let mut ends = self.variables.fork();
                let mut whole = false;
                for arm in arms {
                    for pattern in &arm.patterns {
                        self.word(pattern, Place::Free);
                        whole |= pattern.raw == "*";
                    }
                    self.list(&arm.body, false);
                    ends.end(&self.variables, leaves(&arm.body));
                    self.variables.back_to(&before);
                }
                if !whole {
                    ends.end(&self.variables, false);
                }
                self.variables.join(ends);
            }
            CompoundKind::Arithmetic(arithmetic) => {
                self.parts(&arithmetic.parts, Place::Free, false);
                self.variables.mention(&arithmetic.text);
            }
            CompoundKind::Test(words) => {
                if self.around.plain_sh {
                    self.tell(FactKind::DoubleBracketInSh, compound.range, "[[");
                }
                for word in words {
                    self.word(word, Place::Free);
                }
            }
            CompoundKind::Coproc(command) => self.command(command, false),
            _ => {}
        }
    }

    fn branch(&mut self, list: &List<'_>) {
        self.variables.enter_branch();
        self.list(list, false);
        self.variables.leave_branch();
    }

    fn simple(&mut self, simple: &Simple<'_>, checked: bool) {
        for assignment in &simple.assignments {
            match &assignment.value {
                AssignedValue::Word(word) => self.word(word, Place::Free),
                AssignedValue::Array(words) => {
                    for word in words {
                        self.word(word, Place::Free);
                    }
                    if self.around.plain_sh {
                        self.tell(FactKind::ArrayInSh, assignment.range, &assignment.name);
                    }
                }
            }
        }
        let declares = simple
            .words
            .first()
            .is_some_and(|word| ["export", "local", "declare", "readonly", "typeset"].iter().any(|name| word.is(name)));
        for (at, word) in simple.words.iter().enumerate() {
            let assigns = declares && !self.around.plain_sh && word.raw.contains('=');
            let place = match at {
                0 => Place::Name,
                _ if assigns => Place::Free,
                _ => Place::Argument,
            };
            self.word(word, place);
        }
        for redirect in &simple.redirects {
            self.redirect(redirect);
        }
        self.command_facts(simple, checked);
        self.variables.follow(simple);
    }

    fn redirect(&mut self, redirect: &Redirect<'_>) {
        self.redirect_facts(redirect);
        match &redirect.heredoc {
            Some(doc) => self.parts(&doc.parts, Place::Free, true),
            None => self.word(&redirect.target, Place::Argument),
        }
    }

    pub(super) fn word(&mut self, word: &Word<'_>, place: Place) {
        self.word_facts(word, place);
        self.parts(&word.parts, place, false);
    }

    pub(super) fn parts(&mut self, parts: &[WordPart<'_>], place: Place, quoted: bool) {
        for part in parts {
            self.part_facts(part, place, quoted);
            match part {
                WordPart::Double(double) => self.parts(&double.parts, place, true),
                WordPart::Parameter(parameter) => {
                    self.variables.refer(parameter);
                    if let Some(index) = &parameter.index {
                        self.parts(&index.parts, Place::Free, true);
                    }
                    if let Some(op) = &parameter.op {
                        self.parts(&op.word.parts, Place::Free, true);
                        if let Some(second) = &op.second {
                            self.parts(&second.parts, Place::Free, true);
                        }
                    }
                }
                WordPart::Command(substitution) | WordPart::Process(substitution) => {
                    self.depth += 1;
                    if self.depth <= MAX_DEPTH {
                        self.variables.enter_subshell();
                        self.list(&substitution.list, false);
                        self.variables.leave_subshell();
                    }
                    self.depth -= 1;
                }
                WordPart::Arithmetic(arithmetic) => {
                    self.parts(&arithmetic.parts, Place::Free, true);
                    self.variables.mention(&arithmetic.text);
                }
                _ => {}
            }
        }
    }
}

/// Whether a list ends by leaving the script, so that nothing after it follows.
fn leaves(list: &List<'_>) -> bool {
    let Some(item) = list.items.last() else { return false };
    match item.list.first.commands.as_slice() {
        [Command::Simple(simple)] => simple.words.first().is_some_and(|word| word.is("exit") || word.is("return")),
        _ => false,
    }
}
