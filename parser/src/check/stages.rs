//! Stages, what they are built from, and what they take from each other.

use super::scope::Global;
use super::{Checker, Notes, platform};
use crate::grammar::{self, Reader};
use crate::image_ref::ImageRef;
use crate::quote::quote;
use crate::syntax::{Dockerfile, ErrorStage, From, Instruction, Kind};
use crate::text::{Text, TextRange};
use crate::word;
use std::borrow::Cow;
use std::collections::HashMap;

/// A stage of the file.
pub(super) struct Stage<'f, 's> {
    /// Its name, where it has one; case means nothing in it.
    name: Option<Cow<'s, str>>,
    /// Where its FROM names the base, and the whole FROM.
    image: TextRange,
    from: TextRange,
    /// The base's name after expansion.
    base: Cow<'s, str>,
    /// The stage it is built on, where that is one.
    pub(super) parent: Option<usize>,
    /// The instructions after its FROM.
    pub(super) body: &'f [Instruction<'s>],
    /// Where its first instruction is among those of the file.
    first: usize,
    /// Those of its instructions that hold something to judge.
    open: &'f [u32],
    /// What its COPYs and mounts take from, and where they name it.
    takes: Vec<(Source, TextRange)>,
}

/// Where a COPY or a mount takes files from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A stage of this file.
    Stage(usize),
    /// An image.
    Image(String),
}

pub(super) struct Graph<'f, 's> {
    pub(super) stages: Vec<Stage<'f, 's>>,
    /// The last stage of each name, once there are many.
    names: HashMap<String, usize>,
    /// How many stages the table knows.
    learnt: usize,
    /// How many of the first stage's instructions stand before any FROM; their ARGs are looked at elsewhere.
    pub(super) before: usize,
}

/// So many stages are looked through for a name; with more of them, names are kept in a table.
const FEW: usize = 16;

impl<'f, 's> Stage<'f, 's> {
    /// The instructions that hold something to judge, each with how many of the stage stand before it.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, &'f Instruction<'s>)> + use<'f, 's> {
        let (body, first) = (self.body, self.first);
        self.open.iter().filter_map(move |index| {
            let before = (*index as usize).checked_sub(first)?;
            Some((before, body.get(before)?))
        })
    }
}

impl Graph<'_, '_> {
    /// Puts the names of stages that are not there yet into the table.
    fn learn_names(&mut self) {
        for (index, stage) in self.stages.iter().enumerate().skip(self.learnt) {
            if let Some(name) = &stage.name {
                self.names.insert(name.to_lowercase(), index);
            }
        }
        self.learnt = self.stages.len();
    }

    /// The stage of a name; the last one where several have it.
    fn named(&self, name: &str) -> Option<usize> {
        if self.learnt > 0 {
            return self.names.get(&name.to_lowercase()).copied();
        }
        let same = |stage: &Stage<'_, '_>| stage.name.as_ref().is_some_and(|found| found.eq_ignore_ascii_case(name));
        self.stages.iter().rposition(same)
    }

    /// How messages name a stage.
    pub(super) fn name(&self, stage: usize) -> String {
        let name = self.stages.get(stage).and_then(|stage| stage.name.as_ref());
        name.map_or_else(|| format!("stage-{stage}"), |name| name.to_lowercase())
    }

    /// What `--from` means, where it is a stage: a name, or an index.
    pub(super) fn copied(&self, from: &str) -> Option<usize> {
        match index_of(from) {
            Some(index) => usize::try_from(index).ok().filter(|index| *index < self.stages.len()),
            None => self.named(from),
        }
    }

    /// What a mount's `from` means, where it is a stage: a name.
    pub(super) fn mounted(&self, from: &str) -> Option<usize> {
        self.named(from)
    }
}

/// A whole number as BuildKit reads a stage's index.
fn index_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| text.parse().ok()).flatten()
}

/// Finds the stages, and what is wrong with their names, order and bases.
pub(super) fn resolve<'f, 's>(checker: &mut Checker<'f, 's>, global: &Global<'s>, notes: &'f Notes) -> Graph<'f, 's> {
    let mut graph = stages(checker, global, notes);
    if graph.stages.is_empty() {
        let help = "begin a stage with FROM and an image";
        let end = TextRange::at(checker.file.text.len());
        let place = checker.file.instructions.last().map_or(end, |instruction| instruction.range);
        checker.refuse("no-stages", place, "dockerfile contains no stages to build", help);
    }
    if !checker.errors.is_empty() {
        return graph;
    }
    for index in 0..graph.stages.len() {
        let takes = takes(checker, &graph, index);
        if let Some(stage) = graph.stages.get_mut(index) {
            stage.takes = takes;
        }
    }
    if graph.stages.iter().any(|stage| stage.takes.iter().any(|(source, _)| matches!(source, Source::Stage(_)))) {
        circles(checker, &graph);
    }
    references(checker, &graph);
    triggers(checker, &graph);
    graph
}

/// All instructions as one nameless stage.
pub(super) fn flat<'f, 's>(file: &'f Dockerfile<'s>, notes: &'f Notes) -> Graph<'f, 's> {
    let (base, range) = (Cow::Borrowed(""), TextRange::default());
    let body = file.instructions.as_slice();
    let open = notes.open.as_slice();
    let (name, parent, takes) = (None, None, Vec::new());
    let stage = Stage { name, image: range, from: range, base, parent, body, first: 0, open, takes };
    let is_from = |index: &&u32| matches!(body.get(**index as usize).map(|found| &found.kind), Some(Kind::From(_)));
    let before = open.iter().find(is_from).map_or(body.len(), |from| *from as usize);
    Graph { stages: vec![stage], names: HashMap::new(), learnt: 0, before }
}

fn stages<'f, 's>(checker: &mut Checker<'f, 's>, global: &Global<'s>, notes: &'f Notes) -> Graph<'f, 's> {
    let mut graph = Graph { stages: Vec::with_capacity(notes.froms), names: HashMap::new(), learnt: 0, before: 0 };
    let all = checker.file.instructions.as_slice();
    let is_from = |index: &u32| matches!(all.get(*index as usize).map(|found| &found.kind), Some(Kind::From(_)));
    let mut open =
        notes.open.get(notes.open.iter().position(is_from).unwrap_or(notes.open.len())..).unwrap_or_default();
    while let Some((index, after)) = open.split_first() {
        let next = after.iter().position(is_from).unwrap_or(after.len());
        let inside;
        (inside, open) = after.split_at(next);
        let first = *index as usize + 1;
        let end = open.first().map_or(all.len(), |next| *next as usize);
        let Some(Instruction { kind: Kind::From(from), range, .. }) = all.get(*index as usize) else { continue };
        let body = all.get(first..end).unwrap_or_default();
        let base = base(checker, global, from).unwrap_or_default();
        let parent = graph.named(&base);
        let name = from.name.as_ref().map(|name| name.value.clone());
        let image = from.image.range;
        let takes = Vec::new();
        graph.stages.push(Stage { name, image, from: *range, base, parent, body, first, open: inside, takes });
        if graph.stages.len() > FEW {
            graph.learn_names();
        }
    }
    graph
}

/// The base's name after expansion; nothing where that fails.
fn base<'s>(checker: &mut Checker<'_, 's>, global: &Global<'s>, from: &From<'s>) -> Option<Cow<'s, str>> {
    let escape = checker.file.escape;
    let base = match global.expand(&from.image, escape) {
        Ok(base) if base.is_empty() => {
            let message = format!("base name ({}) should not be blank", from.image.value);
            let help = "give the variable a default: ARG NAME=value before the first FROM";
            checker.refuse("base-name", from.image.range, message, help);
            None
        }
        Ok(base) => Some(base),
        Err(error) => {
            checker.bad_word("base-name", &from.image, &error);
            None
        }
    };
    if let Some(platform) = &from.platform {
        base_platform(checker, global, platform);
    }
    base
}

fn base_platform<'s>(checker: &mut Checker<'_, 's>, global: &Global<'s>, platform: &Text<'s>) {
    let help = "write os/arch, such as linux/amd64 or linux/arm/v7";
    let range = platform.range;
    let message = match global.expand(platform, checker.file.escape) {
        Err(error) => {
            let quoted = quote(platform);
            format!("failed to process arguments for platform : failed to process {quoted}: {}", error.message)
        }
        Ok(value) if value.is_empty() && platform.is_empty() => return,
        Ok(value) if value.is_empty() => {
            let meant = global.meant(platform, checker.file.escape);
            format!("empty platform value from expression {}{meant}", platform.value)
        }
        Ok(value) => match platform::check(&value) {
            Ok(()) => return,
            Err(why) => {
                let meant = global.meant(platform, checker.file.escape);
                format!("failed to parse platform {}: {why}{meant}", platform.value)
            }
        },
    };
    checker.refuse("base-platform", range, message, help);
}

/// What a stage takes from others, and whether it may name it so.
fn takes<'s>(checker: &mut Checker<'_, 's>, graph: &Graph<'_, 's>, stage: usize) -> Vec<(Source, TextRange)> {
    let mut takes = Vec::new();
    for (_, instruction) in graph.stages.get(stage).into_iter().flat_map(Stage::open) {
        match &instruction.kind {
            Kind::Copy(copy) => {
                let Some(from) = copy.from.as_ref().filter(|from| !from.is_empty()) else { continue };
                if let Some(source) = copied(checker, graph, from) {
                    takes.push((source, from.range));
                }
            }
            Kind::Run(run) => {
                for from in run.mounts().iter().filter_map(|mount| mount.get(&["from"])).filter(|from| !from.is_empty())
                {
                    let stage = graph.mounted(from).map(Source::Stage);
                    takes.push((stage.unwrap_or_else(|| Source::Image(from.to_string())), from.range));
                }
            }
            _ => {}
        }
    }
    takes
}

/// `--from` of a COPY: BuildKit expands nothing in it.
fn copied<'s>(checker: &mut Checker<'_, 's>, graph: &Graph<'_, 's>, from: &Text<'s>) -> Option<Source> {
    let escape = checker.file.escape;
    let expanded = match word::special(from.as_bytes(), escape as u8) {
        None => Ok(None),
        Some(_) => word::expand_quickly(from, escape, &|_| None).map(Some),
    };
    match expanded {
        Err(error) => {
            checker.bad_word("copy-from-variable", from, &error);
            return None;
        }
        Ok(Some(expanded)) if expanded != from.value => {
            let message = "variable expansion is not supported for --from, define a new stage with FROM using ARG from \
                           global scope as a workaround";
            let help = "name the image in a stage of its own: FROM with the variable AS name, then --from=name";
            checker.refuse("copy-from-variable", from.range, message, help);
            return None;
        }
        Ok(_) => {}
    }
    match (graph.copied(from), index_of(from)) {
        (Some(stage), _) => Some(Source::Stage(stage)),
        (None, Some(index)) => {
            let help = "stages are counted from 0; better, give the stage a name with AS and use that";
            checker.refuse("stage-index", from.range, format!("invalid stage index {index}"), help);
            None
        }
        (None, None) => Some(Source::Image(from.to_string())),
    }
}

/// Refuses stages that take from each other in a circle.
fn circles(checker: &mut Checker<'_, '_>, graph: &Graph<'_, '_>) {
    let mut state = vec![Visit::New; graph.stages.len()];
    for start in 0..graph.stages.len() {
        if let Some(place) = circle(graph, start, &mut state) {
            let message = format!("circular dependency detected on stage: {}", graph.name(start));
            let help = "move what both stages need into a third one that takes from neither";
            checker.refuse("circular-stages", place, message, help);
            return;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

/// Where the way from `start` into a circle begins. Walks without recursion: a file may have many stages.
fn circle(graph: &Graph<'_, '_>, start: usize, state: &mut [Visit]) -> Option<TextRange> {
    let visit =
        |state: &mut [Visit], stage: usize, to: Visit| state.get_mut(stage).map(|was| std::mem::replace(was, to));
    if visit(state, start, Visit::Open) != Some(Visit::New) {
        visit(state, start, Visit::Done);
        return None;
    }
    let mut way: Vec<(usize, usize)> = vec![(start, 0)];
    let taken = |stage: usize, next: usize| graph.stages.get(stage).and_then(|stage| stage.takes.get(next));
    while let Some((stage, next)) = way.last_mut() {
        let Some((source, _)) = taken(*stage, *next) else {
            visit(state, *stage, Visit::Done);
            way.pop();
            continue;
        };
        *next += 1;
        let Source::Stage(source) = source else { continue };
        match state.get(*source).copied() {
            Some(Visit::Open) => {
                let first = way.first().and_then(|(stage, next)| taken(*stage, next.checked_sub(1)?));
                return first.map(|(_, place)| *place);
            }
            Some(Visit::New) => {
                visit(state, *source, Visit::Open);
                way.push((*source, 0));
            }
            _ => {}
        }
    }
    None
}

/// Refuses images that are no image references.
fn references(checker: &mut Checker<'_, '_>, graph: &Graph<'_, '_>) {
    let mut check = |name: &str, place: TextRange| {
        if name == "scratch" {
            return;
        }
        if let Some(why) = ImageRef::refused(name) {
            let message = format!("failed to parse stage name {}: {why}", quote(name));
            let help =
                "an image is named [registry/]name[:tag][@digest], in lower case; a stage has to be named before";
            checker.refuse("image-reference", place, message, help);
        }
    };
    for stage in &graph.stages {
        if stage.parent.is_none() {
            check(&stage.base, stage.image);
        }
        for (source, place) in &stage.takes {
            if let Source::Image(name) = source {
                check(name, *place);
            }
        }
    }
}

/// Triggers of a stage are checked in the stages built on it.
fn triggers(checker: &mut Checker<'_, '_>, graph: &Graph<'_, '_>) {
    let escape = checker.file.escape;
    for stage in &graph.stages {
        let Some(parent) = stage.parent.and_then(|parent| graph.stages.get(parent)) else { continue };
        let triggers = parent.open().filter_map(|(_, instruction)| match &instruction.kind {
            Kind::Onbuild(trigger) => Some(trigger),
            _ => None,
        });
        for trigger in triggers {
            let mut errors = Vec::new();
            // A trigger is read as a file of its own, which has the default escape.
            let escape = if trigger.logical.text.contains(escape) { escape } else { '\\' };
            let reader = &mut Reader { escape, errors: &mut errors, warnings: &mut Vec::new(), trigger: false };
            grammar::instruction(trigger.logical.clone(), trigger.range, reader);
            if let Some(error) = errors.into_iter().find(|error| error.stage == ErrorStage::Instruction) {
                let help = error.help.unwrap_or_default();
                checker.refuse("onbuild-in-child", stage.from, error.message, &help);
            }
        }
    }
}
