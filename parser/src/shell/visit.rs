//! Every simple command of a script with what surrounds it.

use super::tree::*;
use crate::text::TextRange;
use std::rc::Rc;

/// A simple command and its surroundings.
#[derive(Clone, Debug)]
pub struct Placed<'t, 's> {
    /// The command.
    pub command: &'t Simple<'s>,
    /// The list that holds it directly.
    pub list: &'t List<'s>,
    /// Which item of that list.
    pub item: usize,
    /// The and-or list that holds it directly.
    pub and_or: &'t AndOr<'s>,
    /// Which pipeline of that and-or list; 0 is the first.
    pub link: usize,
    /// The pipeline that holds it directly.
    pub pipeline: &'t Pipeline<'s>,
    /// Which command of that pipeline; 0 is the first.
    pub stage: usize,
    /// The operator in front of its pipeline.
    pub before: Option<AndOrOp>,
    /// The operator behind its pipeline.
    pub after: Option<AndOrOp>,
    /// What becomes of its failure.
    pub failure: Failure,
    /// Whether a `!` stands in front of its pipeline or of one around it.
    pub negated: bool,
    /// Whether it, or something around it, runs in the background.
    pub background: bool,
    /// What it stands in, outermost first; empty at the top of the script.
    pub inside: Rc<[Enclosure<'t>]>,
}

/// What becomes of a command's failure, as far as the text tells (`set -e` and `pipefail` are the reader's business).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// It fails the and-or list it stands in.
    Counts,
    /// `|| true`, `|| :`, `|| exit 0` stands behind it, or behind something around it.
    Swallowed,
    /// Another command runs instead: `|| something`.
    Handled,
    /// Its result decides where to go on: the condition of `if`, `while`, `until`.
    Tested,
    /// It is not the last of its pipeline, so its status is lost unless `pipefail` is set.
    Piped,
    /// It stands in a substitution or in the background; nobody waits for its status here.
    Lost,
}

/// Something a command stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enclosure<'t> {
    /// What it is.
    pub kind: EnclosureKind<'t>,
    /// All of it.
    pub range: TextRange,
}

/// The things a command may stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnclosureKind<'t> {
    /// `{ … }`
    Brace,
    /// `( … )`
    Subshell,
    /// The condition of `if` or `elif`.
    IfCondition,
    /// What `then` or `else` guards.
    IfBody,
    /// The condition of `while` or `until`.
    LoopCondition,
    /// The body of a loop.
    LoopBody,
    /// An arm of `case`.
    CaseArm,
    /// The body of a function.
    Function(&'t str),
    /// `$(…)` or `` `…` ``
    CommandSubstitution,
    /// `<(…)`, `>(…)`
    ProcessSubstitution,
    /// A substitution in a here-document's body.
    HereDoc,
    /// `coproc`
    Coproc,
}

impl<'s> Script<'s> {
    /// Every simple command, also those in compound commands, functions and substitutions, in the order they begin in;
    /// here-document bodies come with the command that asks for them.
    #[must_use]
    pub fn simple_commands(&self) -> Vec<Placed<'_, 's>> {
        self.list.simple_commands()
    }

    /// Every command that was not understood, or every statement of PowerShell and cmd.
    #[must_use]
    pub fn opaque_commands(&self) -> Vec<&Opaque<'s>> {
        let mut walk = Walk::default();
        walk.list(&self.list, &State::default());
        walk.opaque
    }
}

impl<'s> List<'s> {
    /// As [`Script::simple_commands`], for a nested list seen on its own.
    #[must_use]
    pub fn simple_commands(&self) -> Vec<Placed<'_, 's>> {
        let mut walk = Walk::default();
        walk.list(self, &State::default());
        walk.found
    }
}

#[derive(Clone)]
struct State<'t> {
    inside: Rc<[Enclosure<'t>]>,
    failure: Failure,
    negated: bool,
    background: bool,
}

impl Default for State<'_> {
    fn default() -> Self {
        Self { inside: Rc::new([]), failure: Failure::Counts, negated: false, background: false }
    }
}

impl<'t> State<'t> {
    fn within(&self, kind: EnclosureKind<'t>, range: TextRange) -> Self {
        let inside = self.inside.iter().copied().chain([Enclosure { kind, range }]).collect();
        Self { inside, ..self.clone() }
    }
    fn failing(self, failure: Failure) -> Self {
        Self { failure, ..self }
    }
}

#[derive(Default)]
struct Walk<'t, 's> {
    found: Vec<Placed<'t, 's>>,
    opaque: Vec<&'t Opaque<'s>>,
}

/// Where a command stands among its neighbours.
#[derive(Clone, Copy)]
struct Position<'t, 's> {
    list: &'t List<'s>,
    item: usize,
    and_or: &'t AndOr<'s>,
    link: usize,
    pipeline: &'t Pipeline<'s>,
    stage: usize,
    before: Option<AndOrOp>,
    after: Option<AndOrOp>,
}

impl<'t, 's> Walk<'t, 's> {
    fn list(&mut self, list: &'t List<'s>, state: &State<'t>) {
        for (index, item) in list.items.iter().enumerate() {
            let mut state = state.clone();
            if item.separator == Separator::Background {
                state.background = true;
                state.failure = Failure::Lost;
            }
            self.and_or(list, index, &item.list, &state);
        }
    }

    fn and_or(&mut self, list: &'t List<'s>, item: usize, and_or: &'t AndOr<'s>, state: &State<'t>) {
        // From the back: what catches the failure of each pipeline is the next one behind an `||`.
        let mut caught = Vec::with_capacity(and_or.rest.len() + 1);
        let mut failure = state.failure;
        caught.push(failure);
        for link in and_or.rest.iter().rev() {
            if link.op == AndOrOp::Or {
                failure = if never_fails(&link.pipeline) { Failure::Swallowed } else { Failure::Handled };
            }
            caught.push(failure);
        }
        for (link, (op, pipeline)) in and_or.pipelines().enumerate() {
            let after = and_or.rest.get(link).map(|link| link.op);
            let failure = caught.pop().unwrap_or(state.failure);
            let last = pipeline.commands.len().saturating_sub(1);
            for (stage, command) in pipeline.commands.iter().enumerate() {
                let failure = match failure {
                    Failure::Swallowed => failure,
                    _ if stage < last => Failure::Piped,
                    _ => failure,
                };
                let negated = state.negated || pipeline.negated.is_some();
                let state = State { negated, ..state.clone() }.failing(failure);
                let position = Position { list, item, and_or, link, pipeline, stage, before: op, after };
                self.command(command, position, &state);
            }
        }
    }

    fn command(&mut self, command: &'t Command<'s>, position: Position<'t, 's>, state: &State<'t>) {
        match command {
            Command::Simple(simple) => self.simple(simple, position, state),
            Command::Compound(compound) => self.compound(compound, position, state),
            Command::Function(function) => {
                let state = state.within(EnclosureKind::Function(&function.name.value), function.range);
                self.command(&function.body, position, &state.failing(Failure::Counts));
            }
            Command::Opaque(opaque) => {
                self.opaque.push(opaque);
                self.words(&opaque.words, state);
            }
        }
    }

    fn simple(&mut self, simple: &'t Simple<'s>, at: Position<'t, 's>, state: &State<'t>) {
        self.found.push(Placed {
            command: simple,
            list: at.list,
            item: at.item,
            and_or: at.and_or,
            link: at.link,
            pipeline: at.pipeline,
            stage: at.stage,
            before: at.before,
            after: at.after,
            failure: state.failure,
            negated: state.negated,
            background: state.background,
            inside: Rc::clone(&state.inside),
        });
        for assignment in &simple.assignments {
            if let Some(index) = &assignment.index {
                self.parts(&index.parts, state, Failure::Lost);
            }
            match &assignment.value {
                // Alone, `NAME=$(command)` has the status of the command.
                AssignedValue::Word(word) if simple.words.is_empty() => self.parts(&word.parts, state, state.failure),
                AssignedValue::Word(word) => self.parts(&word.parts, state, Failure::Lost),
                AssignedValue::Array(words) => self.words(words, state),
            }
        }
        self.words(&simple.words, state);
        self.redirects(&simple.redirects, state);
    }

    fn compound(&mut self, compound: &'t Compound<'s>, position: Position<'t, 's>, state: &State<'t>) {
        let range = compound.range;
        let tested = |kind| state.within(kind, range).failing(Failure::Tested);
        match &compound.kind {
            CompoundKind::Brace(list) => self.list(list, &state.within(EnclosureKind::Brace, range)),
            CompoundKind::Subshell(list) => self.list(list, &state.within(EnclosureKind::Subshell, range)),
            CompoundKind::If { branches, otherwise } => {
                for branch in branches {
                    self.list(&branch.condition, &tested(EnclosureKind::IfCondition));
                    self.list(&branch.body, &state.within(EnclosureKind::IfBody, range));
                }
                if let Some(list) = otherwise {
                    self.list(list, &state.within(EnclosureKind::IfBody, range));
                }
            }
            CompoundKind::While { condition, body, .. } => {
                self.list(condition, &tested(EnclosureKind::LoopCondition));
                self.list(body, &state.within(EnclosureKind::LoopBody, range));
            }
            CompoundKind::For { words, body, .. } => {
                self.words(words.as_deref().unwrap_or_default(), state);
                self.list(body, &state.within(EnclosureKind::LoopBody, range));
            }
            CompoundKind::ArithmeticFor { header, body } => {
                self.parts(&header.parts, state, Failure::Lost);
                self.list(body, &state.within(EnclosureKind::LoopBody, range));
            }
            CompoundKind::Case { word, arms } => {
                self.parts(&word.parts, state, Failure::Lost);
                for arm in arms {
                    self.words(&arm.patterns, state);
                    self.list(&arm.body, &state.within(EnclosureKind::CaseArm, arm.range));
                }
            }
            CompoundKind::Arithmetic(arithmetic) => self.parts(&arithmetic.parts, state, Failure::Lost),
            CompoundKind::Test(words) => self.words(words, state),
            CompoundKind::Coproc(command) => {
                let state = State { background: true, ..state.within(EnclosureKind::Coproc, range) };
                self.command(command, position, &state.failing(Failure::Lost));
            }
        }
        self.redirects(&compound.redirects, state);
    }

    fn redirects(&mut self, redirects: &'t [Redirect<'s>], state: &State<'t>) {
        for redirect in redirects {
            self.parts(&redirect.target.parts, state, Failure::Lost);
            if let Some(heredoc) = &redirect.heredoc {
                let state = state.within(EnclosureKind::HereDoc, heredoc.range);
                self.parts(&heredoc.parts, &state, Failure::Lost);
            }
        }
    }

    fn words(&mut self, words: &'t [Word<'s>], state: &State<'t>) {
        for word in words {
            self.parts(&word.parts, state, Failure::Lost);
        }
    }

    fn parts(&mut self, parts: &'t [WordPart<'s>], state: &State<'t>, failure: Failure) {
        for part in parts {
            match part {
                WordPart::Literal(_) | WordPart::Glob(_) | WordPart::Single(_) | WordPart::AnsiC(_) => {}
                WordPart::Double(double) => self.parts(&double.parts, state, failure),
                WordPart::Arithmetic(arithmetic) => self.parts(&arithmetic.parts, state, failure),
                WordPart::Parameter(parameter) => {
                    if let Some(index) = &parameter.index {
                        self.parts(&index.parts, state, failure);
                    }
                    if let Some(op) = &parameter.op {
                        self.parts(&op.word.parts, state, failure);
                        if let Some(second) = &op.second {
                            self.parts(&second.parts, state, failure);
                        }
                    }
                }
                WordPart::Array(array) => self.words(&array.words, state),
                WordPart::Command(nested) => {
                    let state = state.within(EnclosureKind::CommandSubstitution, nested.range);
                    self.list(&nested.list, &state.failing(failure));
                }
                WordPart::Process(nested) => {
                    let state = state.within(EnclosureKind::ProcessSubstitution, nested.range);
                    self.list(&nested.list, &state.failing(Failure::Lost));
                }
            }
        }
    }
}

/// `true`, `:`, `exit 0`, `return 0`
fn never_fails(pipeline: &Pipeline<'_>) -> bool {
    let [Command::Simple(simple)] = pipeline.commands.as_slice() else { return false };
    if pipeline.negated.is_some() {
        return false;
    }
    match simple.words.as_slice() {
        [] => false,
        [name, rest @ ..] if name.is("exit") || name.is("return") => matches!(rest, [status] if status.is("0")),
        [name, ..] => name.is("true") || name.is(":") || name.is("/bin/true"),
    }
}
