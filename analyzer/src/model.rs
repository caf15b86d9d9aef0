//! What rules see: every instruction with its stage and surroundings, every RUN with its commands, every COPY with where it takes from.

use crate::commands::{self, Cmd, Effect};
use crate::context::Listing;
use crate::facts::{self, Fact, Surroundings};
use crate::pragma::{self, Ask, Pragma};
use crate::scope::Scopes;
use crate::shell::{Shell, ShellKind};
use crate::stages::{Base, Platform, SourceKind, Stage, Stages};
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::shell::{AndOrOp, Command as ShellCommand, Dialect, Script, Separator};
use plimsoll_parser::syntax::{self, Command, Dockerfile, Instruction, Kind};
use plimsoll_parser::{Logical, Text, TextRange};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is known beside the file.
#[derive(Clone, Debug, Default)]
pub struct Inputs<'m> {
    /// The build context, where one is known.
    pub listing: Option<&'m Listing>,
    /// The ignore file in force, where one exists.
    pub ignore: Option<&'m Ignore>,
    /// The platforms of base images, where known: the name as written in FROM, `linux/amd64`.
    pub base_platforms: BTreeMap<String, String>,
    /// Build arguments.
    pub build_args: BTreeMap<String, String>,
    /// The platform of the build.
    pub platform: Platform,
}

/// A Dockerfile and what it means.
#[derive(Debug)]
pub struct Model<'m> {
    /// The tree.
    pub file: &'m Dockerfile<'m>,
    /// What is known beside it.
    pub inputs: Inputs<'m>,
    stages: Stages,
    scopes: Scopes,
    pragmas: Vec<Pragma<'m>>,
    steps: Vec<Step<'m>>,
    runs: Vec<Run<'m>>,
    copies: Vec<Copied<'m>>,
}

/// One instruction and its surroundings. The trigger of an ONBUILD stands here in its place.
#[derive(Clone, Debug)]
pub struct Step<'m> {
    /// Its index in [`Dockerfile::instructions`].
    pub index: usize,
    /// The stage it belongs to; its FROM counts to it. Nothing before the first FROM.
    pub stage: Option<usize>,
    /// The instruction; of an ONBUILD, its trigger.
    pub instruction: &'m Instruction<'m>,
    /// Whether it is the trigger of an ONBUILD.
    pub onbuild: bool,
    /// From the first byte of the line's keyword on, `ONBUILD` included.
    pub range: TextRange,
    /// Shell, user and directory that it finds.
    pub state: Rc<State<'m>>,
}

/// What the builder remembers from one instruction to the next.
#[derive(Clone, Debug, Default)]
pub struct State<'m> {
    /// The shell of shell forms.
    pub shell: Shell<'m>,
    /// The last USER.
    pub user: Option<&'m Text<'m>>,
    /// The directory, variables as written; nothing where the base image decides.
    pub workdir: Option<String>,
}

/// One RUN.
#[derive(Debug)]
pub struct Run<'m> {
    /// Its index in [`Model::steps`].
    pub step: usize,
    /// Its index in [`Dockerfile::instructions`].
    pub index: usize,
    /// Its stage.
    pub stage: Option<usize>,
    /// The instruction; of an ONBUILD, its trigger.
    pub instruction: &'m Instruction<'m>,
    /// What the parser read.
    pub syntax: &'m syntax::Run<'m>,
    /// Whether it is the trigger of an ONBUILD.
    pub onbuild: bool,
    /// Shell, user and directory that it finds.
    pub state: Rc<State<'m>>,
    /// Its script; nothing for the exec form and for shells that are no shells.
    pub script: Option<Script<'m>>,
    /// Whether the script has places that the grammar does not explain.
    pub broken: bool,
    /// Whether a heredoc's body is the script.
    pub heredoc: bool,
    /// Its simple commands in the order of the text; none where the script is broken.
    pub commands: Vec<Cmd<'m>>,
    /// What they do, with the command's index.
    pub effects: Vec<(usize, Effect<'m>)>,
    /// What stands out in the script.
    pub facts: Vec<Fact>,
}

/// One COPY or ADD.
#[derive(Clone, Debug)]
pub struct Copied<'m> {
    /// Its index in [`Model::steps`].
    pub step: usize,
    /// Its index in [`Dockerfile::instructions`].
    pub index: usize,
    /// Its stage.
    pub stage: Option<usize>,
    /// The instruction; of an ONBUILD, its trigger.
    pub instruction: &'m Instruction<'m>,
    /// What the parser read.
    pub syntax: &'m syntax::Copy<'m>,
    /// ADD rather than COPY.
    pub add: bool,
    /// Whether it is the trigger of an ONBUILD.
    pub onbuild: bool,
    /// Where `--from=` leads; nothing for the build context.
    pub from: Option<SourceKind>,
}

impl<'m> Model<'m> {
    /// Reads the meaning of `file`.
    #[must_use]
    pub fn new(file: &'m Dockerfile<'m>, inputs: Inputs<'m>) -> Self {
        let stages = Stages::resolve(file, &inputs.build_args, &inputs.platform);
        let scopes = Scopes::follow(file, &stages, &inputs.build_args, &inputs.platform);
        let pragmas = pragma::read(file);
        let mut model =
            Self { file, inputs, stages, scopes, pragmas, steps: Vec::new(), runs: Vec::new(), copies: Vec::new() };
        model.walk();
        model
    }

    fn walk(&mut self) {
        let global_shell = self.pragmas.iter().find_map(|pragma| match &pragma.ask {
            Ask::Shell { name, global: true } => Some(*name),
            _ => None,
        });
        let fresh = || {
            let shell = global_shell.map_or_else(Shell::default, |name| Shell::new(vec![Cow::Borrowed(name)]));
            Rc::new(State { shell, ..State::default() })
        };
        let mut state = fresh();
        let mut ends: Vec<Rc<State<'m>>> = Vec::new();
        let mut pragmas = 0;
        let file = self.file;
        for (index, outer) in file.instructions.iter().enumerate() {
            while let Some(pragma) = self.pragmas.get(pragmas).filter(|pragma| pragma.range.start < outer.range.start) {
                if let Ask::Shell { name, global: false } = pragma.ask {
                    Rc::make_mut(&mut state).shell = Shell::new(vec![Cow::Borrowed(name)]);
                }
                pragmas += 1;
            }
            let stage = self.stages.of_instruction(index);
            let (instruction, onbuild) = match &outer.kind {
                Kind::Onbuild(inner) => (&**inner, true),
                _ => (outer, false),
            };
            if let Kind::From(_) = outer.kind {
                if !self.stages.stages.is_empty() && stage != Some(0) {
                    ends.push(Rc::clone(&state));
                }
                let base = stage.and_then(|stage| self.stages.stages.get(stage)).map(|stage| &stage.base);
                let inherited = match base {
                    Some(Base::Stage(base)) => ends.get(*base).cloned(),
                    _ => None,
                };
                let said = self.shell_said_above(pragmas, outer.range);
                state = inherited.unwrap_or_else(fresh);
                if let Some(name) = said {
                    Rc::make_mut(&mut state).shell = Shell::new(vec![Cow::Borrowed(name)]);
                }
            }
            let step = self.steps.len();
            self.steps.push(Step { index, stage, instruction, onbuild, range: outer.range, state: Rc::clone(&state) });
            match &instruction.kind {
                Kind::Run(run) => {
                    let mut run = Run::read(step, index, stage, instruction, run, onbuild, &state);
                    let body = instruction.heredocs.first().filter(|_| run.heredoc);
                    let own = body.and_then(|doc| Shell::of_shebang(&doc.body));
                    let shell = own.as_ref().unwrap_or(&state.shell);
                    if let Some(script) = run.script.as_ref().filter(|_| shell.is_posix() && !run.is_exec()) {
                        let known = if onbuild { Vec::new() } else { self.variables_before(step, stage) };
                        let known: Vec<&str> = known.iter().map(String::as_str).collect();
                        let plain_sh = matches!(shell.kind, ShellKind::Sh | ShellKind::Dash);
                        let errexit = shell.explicit && shell.has_errexit();
                        run.facts =
                            facts::find(script, Surroundings { text: file.text, plain_sh, errexit, known: &known });
                    }
                    self.runs.push(run);
                }
                Kind::Copy(copy) => self.push_copy(step, index, stage, instruction, copy, false, onbuild),
                Kind::Add(copy) => self.push_copy(step, index, stage, instruction, copy, true, onbuild),
                Kind::Shell(words) if !onbuild => {
                    let words = words.iter().map(|word| word.value.clone()).collect();
                    Rc::make_mut(&mut state).shell = Shell::new(words);
                }
                Kind::User(user) if !onbuild => Rc::make_mut(&mut state).user = Some(user),
                Kind::Workdir(path) if !onbuild => {
                    let state = Rc::make_mut(&mut state);
                    let path = path.trim_matches(['"', '\'']);
                    let joined = match (&state.workdir, is_absolute(path)) {
                        (Some(before), false) => format!("{}/{path}", before.trim_end_matches('/')),
                        _ => path.to_owned(),
                    };
                    state.workdir = Some(joined);
                }
                _ => {}
            }
        }
    }

    /// The names that ENV and ARG give the shell at a step, also in a file without FROM.
    fn variables_before(&self, step: usize, stage: Option<usize>) -> Vec<String> {
        if let (Some(stage), Some(at)) = (stage, self.steps.get(step)) {
            return self.scopes.names(stage, at.index).into_iter().map(str::to_owned).collect();
        }
        let mut names = Vec::new();
        for step in self.steps.iter().take(step) {
            match &step.instruction.kind {
                Kind::Env(pairs) if !step.onbuild => names.extend(pairs.iter().map(|pair| pair.key.to_string())),
                Kind::Arg(args) if !step.onbuild => names.extend(args.iter().map(|arg| arg.name.to_string())),
                _ => {}
            }
        }
        names
    }

    /// A `shell=` comment directly above a FROM speaks of the stage that begins there.
    fn shell_said_above(&self, before: usize, from: TextRange) -> Option<&'m str> {
        let pragma = self.pragmas.get(before.checked_sub(1)?)?;
        let between = TextRange::new(pragma.range.end as usize, from.start as usize).of(self.file.text);
        match pragma.ask {
            Ask::Shell { name, global: false } if between.bytes().filter(|b| *b == b'\n').count() <= 1 => Some(name),
            _ => None,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of what is pushed")]
    fn push_copy(
        &mut self,
        step: usize,
        index: usize,
        stage: Option<usize>,
        instruction: &'m Instruction<'m>,
        copy: &'m syntax::Copy<'m>,
        add: bool,
        onbuild: bool,
    ) {
        let from = copy.from.as_ref().map(|name| match self.stages.find(name) {
            Some(stage) => SourceKind::Stage(stage),
            None => SourceKind::Image(name.to_string()),
        });
        self.copies.push(Copied { step, index, stage, instruction, syntax: copy, add, onbuild, from });
    }

    /// The stages.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }
    /// The stage that is built when no target is named.
    #[must_use]
    pub fn last_stage(&self) -> Option<&Stage> {
        self.stages.stages.last()
    }
    /// Which variables hold where.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }
    /// Comments that speak to a linter.
    #[must_use]
    pub fn pragmas(&self) -> &[Pragma<'m>] {
        &self.pragmas
    }
    /// Every instruction in the order of the file.
    #[must_use]
    pub fn steps(&self) -> &[Step<'m>] {
        &self.steps
    }
    /// The steps of one stage, its FROM first.
    #[must_use]
    pub fn steps_of(&self, stage: usize) -> &[Step<'m>] {
        let range = self.stages.stages.get(stage).map_or(0..0, |stage| stage.from..stage.instructions.end);
        self.steps.get(range).unwrap_or_default()
    }
    /// Every RUN.
    #[must_use]
    pub fn runs(&self) -> &[Run<'m>] {
        &self.runs
    }
    /// The RUNs of one stage.
    pub fn runs_of(&self, stage: usize) -> impl Iterator<Item = &Run<'m>> {
        self.runs.iter().filter(move |run| run.stage == Some(stage))
    }
    /// Every COPY and ADD.
    #[must_use]
    pub fn copies(&self) -> &[Copied<'m>] {
        &self.copies
    }
    /// Every command of every RUN, with its RUN.
    pub fn commands(&self) -> impl Iterator<Item = (&Run<'m>, &Cmd<'m>)> {
        self.runs.iter().flat_map(|run| run.commands.iter().map(move |command| (run, command)))
    }
    /// What stands out in the scripts, of one kind, with its RUN.
    pub fn facts(&self, kind: facts::FactKind) -> impl Iterator<Item = (&Run<'m>, &Fact)> {
        self.runs
            .iter()
            .flat_map(|run| run.facts.iter().map(move |fact| (run, fact)))
            .filter(move |(_, fact)| fact.kind == kind)
    }
    /// The step of an instruction.
    #[must_use]
    pub fn step_of(&self, run: &Run<'m>) -> Option<&Step<'m>> {
        self.steps.get(run.step)
    }
    /// The image a stage stands on in the end, through other stages.
    #[must_use]
    pub fn root_image(&self, stage: usize) -> Option<&str> {
        let mut at = stage;
        for _ in 0..=self.stages.stages.len() {
            match &self.stages.stages.get(at)?.base {
                Base::Stage(base) => at = *base,
                Base::Image(image) => return Some(image),
                _ => return None,
            }
        }
        None
    }
    /// Whether `stage` is `base` or stands on it, through other stages.
    #[must_use]
    pub fn stands_on(&self, stage: usize, base: usize) -> bool {
        let mut at = Some(stage);
        for _ in 0..=self.stages.stages.len() {
            match at {
                Some(stage) if stage == base => return true,
                Some(stage) => {
                    at = match self.stages.stages.get(stage).map(|stage| &stage.base) {
                        Some(Base::Stage(base)) => Some(*base),
                        _ => None,
                    }
                }
                None => return false,
            }
        }
        false
    }
    /// Whether `stage` is part of the image that is built by default: the last stage, or one that it stands on.
    #[must_use]
    pub fn is_shipped(&self, stage: usize) -> bool {
        self.stages.stages.len().checked_sub(1).is_some_and(|last| self.stands_on(last, stage))
    }
    /// Whether `stage` is the last one, or another stands on it.
    #[must_use]
    pub fn is_built_upon(&self, stage: usize) -> bool {
        let stages = &self.stages.stages;
        stage + 1 == stages.len() || stages.iter().any(|other| other.base == Base::Stage(stage))
    }
    /// Entries of the context that a COPY takes, the ignore file in force; nothing where no context is known or the source
    /// is no plain path of it.
    #[must_use]
    pub fn taken(&self, copy: &Copied<'m>) -> Option<Vec<&'m crate::context::Entry>> {
        let listing = self.inputs.listing?;
        if copy.from.is_some() {
            return None;
        }
        let mut taken = Vec::new();
        for source in &copy.syntax.sources {
            if source.contains('$') || source.contains("://") {
                return None;
            }
            taken.extend(listing.taken_by(source.trim_matches(['"', '\'']), self.inputs.ignore));
        }
        Some(taken)
    }
}

/// Whether a path is absolute, on Linux or on Windows.
#[must_use]
pub fn is_absolute(path: &str) -> bool {
    let mut chars = path.chars();
    match (chars.next(), chars.next()) {
        (Some('/' | '\\'), _) => true,
        (Some(drive), Some(':')) => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

impl<'m> Run<'m> {
    fn read(
        step: usize,
        index: usize,
        stage: Option<usize>,
        instruction: &'m Instruction<'m>,
        run: &'m syntax::Run<'m>,
        onbuild: bool,
        state: &Rc<State<'m>>,
    ) -> Self {
        let mut read = Self {
            step,
            index,
            stage,
            instruction,
            syntax: run,
            onbuild,
            state: Rc::clone(state),
            script: None,
            broken: false,
            heredoc: false,
            commands: Vec::new(),
            effects: Vec::new(),
            facts: Vec::new(),
        };
        match &run.command {
            Command::Exec { words, range } => read.commands.extend(Cmd::of_words(words, *range)),
            Command::Shell(text) => {
                let dialect = if matches!(state.shell.kind, ShellKind::Bash | ShellKind::Zsh) {
                    Dialect::Bash
                } else {
                    Dialect::Posix
                };
                let line = text.text.trim();
                let whole = match instruction.heredocs.as_slice() {
                    [doc] if line.starts_with("<<") && line.len() == doc.operator.len() => Some(doc),
                    _ => None,
                };
                let script = match whole {
                    Some(doc) => {
                        read.heredoc = true;
                        match Dialect::of_shebang(&doc.body) {
                            Some(dialect) if !dialect.is_unix_shell() => None,
                            named => Some(plimsoll_parser::shell::parse(&body_of(doc), named.unwrap_or(dialect))),
                        }
                    }
                    None => Some(plimsoll_parser::shell::parse(text, dialect)),
                };
                if let Some(script) = script {
                    read.broken = !script.notes.is_empty();
                    if !read.broken {
                        read.commands = commands::read(&script);
                    }
                    read.script = Some(script);
                }
            }
        }
        for (at, command) in read.commands.iter().enumerate() {
            commands::effect::of(command, &mut |effect| read.effects.push((at, effect)));
        }
        read
    }

    /// Whether it is in exec form.
    #[must_use]
    pub fn is_exec(&self) -> bool {
        matches!(self.syntax.command, Command::Exec { .. })
    }
    /// The first command of that program whose first plain argument is `does`.
    #[must_use]
    pub fn command(&self, program: &str, does: &str) -> Option<&Cmd<'m>> {
        self.commands.iter().find(|command| command.is(program) && command.does(does))
    }
    /// The effects with their commands.
    pub fn effects(&self) -> impl Iterator<Item = (&Cmd<'m>, &Effect<'m>)> {
        self.effects.iter().filter_map(|(at, effect)| self.commands.get(*at).map(|command| (command, effect)))
    }
    /// Whether a `cache` or `tmpfs` mount covers `path`: its target is `path` or a directory above it.
    #[must_use]
    pub fn mounts_cache_over(&self, path: &str) -> bool {
        self.syntax.mounts().iter().any(|mount| {
            matches!(mount.kind(), "cache" | "tmpfs")
                && mount.get(&["target", "dst", "destination"]).is_some_and(|target| {
                    let target = target.trim_end_matches('/');
                    path.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
        })
    }
    /// Whether a command removes `path`, all below it, or a directory above it.
    #[must_use]
    pub fn removes(&self, path: &str) -> bool {
        self.effects.iter().any(|(_, effect)| match effect {
            Effect::Remove { paths, .. } => paths.iter().any(|removed| covers(&removed.text, path)),
            _ => false,
        })
    }
    /// Where another command can be joined by `&&`: the end of a script that is one list of commands joined by `&&` alone,
    /// for a shell of the sh family that the file does not hide.
    #[must_use]
    pub fn and_list_end(&self) -> Option<u32> {
        let script = self.script.as_ref().filter(|_| !self.broken && !self.heredoc && self.state.shell.is_posix())?;
        if !self.instruction.heredocs.is_empty() {
            return None;
        }
        let [item] = script.list.items.as_slice() else { return None };
        let plain = matches!(item.separator, Separator::End)
            && item.list.rest.iter().all(|link| link.op == AndOrOp::And)
            && item.list.pipelines().all(|(_, pipeline)| pipeline.negated.is_none() && pipeline.timed.is_none());
        let last = item.list.rest.last().map_or(&item.list.first, |link| &link.pipeline);
        let whole = last.commands.iter().all(|command| !matches!(command, ShellCommand::Opaque(_)));
        let heredoc = last.commands.iter().any(|command| match command {
            ShellCommand::Simple(simple) => simple.redirects.iter().any(|redirect| redirect.heredoc.is_some()),
            _ => true,
        });
        (plain && whole && !heredoc).then_some(item.list.range.end)
    }
    /// Whether the commands are one flat list joined by `&&` alone: no pipe, no branch, no substitution.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.and_list_end().is_some() && self.commands.iter().all(|c| c.place.depth == 0 && !c.place.piped)
    }
}

/// Whether removing `removed` (globs and trailing slashes as written) takes what is in `path` away.
fn covers(removed: &str, path: &str) -> bool {
    let removed = removed.trim_end_matches('*').trim_end_matches('/');
    !removed.is_empty() && path.strip_prefix(removed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The body of a heredoc as text to parse.
fn body_of<'m>(doc: &'m syntax::Heredoc<'m>) -> Logical<'m> {
    match &doc.body.value {
        Cow::Borrowed(text) => Logical::whole(text, doc.body.range.start as usize),
        Cow::Owned(text) => Logical::whole(text, doc.body.range.start as usize),
    }
}
