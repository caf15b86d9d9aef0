//! Stages, what they stand on, what they take from one another, and in which order they are needed.

use plimsoll_parser::syntax::{Dockerfile, Instruction, Kind};
use plimsoll_parser::word;
use plimsoll_parser::{Text, TextRange};
use std::collections::BTreeMap;
use std::ops::Range;

/// The stages of a file.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    /// In the order of the file.
    pub stages: Vec<Stage>,
    /// The ARGs before the first FROM, in order; values with build arguments applied.
    pub global_args: Vec<GlobalArg>,
    /// What the builder would refuse.
    pub errors: Vec<StageError>,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its number.
    pub index: usize,
    /// Its name in lower case, as the builder compares it.
    pub name: Option<String>,
    /// The index of its FROM in [`Dockerfile::instructions`].
    pub from: usize,
    /// The indices after the FROM up to the next one.
    pub instructions: Range<usize>,
    /// The word after FROM, expanded.
    pub base_name: String,
    /// What it stands on.
    pub base: Base,
    /// `--platform=`, expanded; nothing when not written or empty.
    pub platform: Option<String>,
    /// The stages it takes files from (`COPY --from=`, `--mount=from=`), ascending, each once; its base is not among them.
    pub uses: Vec<usize>,
    /// Every place where it takes files from somewhere else than the context.
    pub sources: Vec<Source>,
}

/// What a stage stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An earlier stage.
    Stage(usize),
    /// An image, as written with variables expanded.
    Image(String),
    /// A word that expands to nothing usable; as written.
    Unresolved(String),
}

/// One `--from=` or `from=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The index of the instruction.
    pub instruction: usize,
    /// The name as written.
    pub range: TextRange,
    /// The name, variables not expanded (the builder does not either).
    pub name: String,
    /// Where it leads.
    pub from: SourceKind,
    /// Whether it is a mount of a RUN.
    pub mount: bool,
}

/// Where a `--from=` leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A stage of this file.
    Stage(usize),
    /// An image.
    Image(String),
}

/// One ARG before the first FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalArg {
    /// Its name.
    pub name: String,
    /// The build argument, else the default with earlier ones expanded; nothing when neither is there.
    pub value: Option<String>,
    /// The default alone.
    pub default: Option<String>,
    /// Where it stands.
    pub range: TextRange,
}

/// Something about stages that the builder refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageError {
    /// A stable name.
    pub code: StageErrorCode,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub range: TextRange,
    /// The index of the instruction.
    pub instruction: usize,
}

/// Kinds of [`StageError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StageErrorCode {
    /// The file has no FROM.
    NoStage,
    /// A FROM whose image expands to nothing.
    EmptyBase,
    /// A `--platform` that expands to nothing.
    EmptyPlatform,
    /// A word of a FROM that cannot be expanded.
    BadWord,
    /// `COPY --from=7` where there is no stage 7, or it is this one.
    BadIndex,
    /// A stage needs itself in the end.
    Circular,
}

/// The platform a build is for and on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`
    pub architecture: String,
    /// `v8`, often empty.
    pub variant: String,
}

impl Default for Platform {
    fn default() -> Self {
        Self { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: String::new() }
    }
}

impl Platform {
    /// As written in `--platform`.
    #[must_use]
    pub fn to_word(&self) -> String {
        let mut word = format!("{}/{}", self.os, self.architecture);
        if !self.variant.is_empty() {
            word.push('/');
            word.push_str(&self.variant);
        }
        word
    }
}

/// The ARGs that every build has, and which FROM may use without declaring them.
pub const PLATFORM_ARGS: [&str; 8] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
];

/// The value of a platform ARG (`TARGETARCH`) when building on and for `platform`.
#[must_use]
pub fn platform_arg(name: &str, platform: &Platform) -> Option<String> {
    let part = name.strip_prefix("BUILD").or_else(|| name.strip_prefix("TARGET"))?;
    match part {
        "PLATFORM" => Some(platform.to_word()),
        "OS" => Some(platform.os.clone()),
        "ARCH" => Some(platform.architecture.clone()),
        "VARIANT" => Some(platform.variant.clone()),
        "OSVERSION" => Some(String::new()),
        "STAGE" if name == "TARGETSTAGE" => Some("default".to_owned()),
        _ => None,
    }
}

impl Stages {
    /// Finds the stages of `file`. `build_args` win over the defaults of ARGs.
    #[must_use]
    pub fn resolve(file: &Dockerfile<'_>, build_args: &BTreeMap<String, String>, platform: &Platform) -> Self {
        let mut stages = Self::default();
        for (index, instruction) in file.instructions.iter().enumerate() {
            match &instruction.kind {
                Kind::Arg(declared) if stages.stages.is_empty() => {
                    for arg in declared {
                        let lookup = |name: &str| stages.global(name, platform);
                        let default = arg.default.as_ref().map(|text| {
                            word::expand(text, file.escape, &lookup).map_or_else(|_| text.to_string(), |e| e.word)
                        });
                        let name = arg.name.to_string();
                        let value = build_args.get(&name).cloned().or_else(|| default.clone());
                        stages.global_args.push(GlobalArg { name, value, default, range: arg.range });
                    }
                }
                Kind::From(from) => {
                    let stage = stages.open(file, index, instruction, from, platform);
                    stages.stages.push(stage);
                }
                _ => {
                    if let Some(stage) = stages.stages.last_mut() {
                        stage.instructions.end = index + 1;
                    }
                }
            }
        }
        if stages.stages.is_empty() {
            stages.errors.push(StageError {
                code: StageErrorCode::NoStage,
                message: "the file has no FROM, so there is nothing to build".to_owned(),
                range: TextRange::at(0),
                instruction: 0,
            });
        }
        stages.connect(file);
        stages.refuse_circles(file);
        stages
    }

    /// The value of an ARG before FROM, or of one that every build has.
    #[must_use]
    pub fn global(&self, name: &str, platform: &Platform) -> Option<String> {
        let declared = self.global_args.iter().rev().find(|arg| arg.name == name);
        declared.and_then(|arg| arg.value.clone()).or_else(|| platform_arg(name, platform))
    }

    fn open(
        &mut self,
        file: &Dockerfile<'_>,
        index: usize,
        instruction: &Instruction<'_>,
        from: &plimsoll_parser::syntax::From<'_>,
        platform: &Platform,
    ) -> Stage {
        let base_name = self.expand(file, index, &from.image, platform);
        let base = match base_name.as_deref() {
            None => Base::Unresolved(from.image.to_string()),
            Some("") => {
                let message = format!("base name ({}) should not be blank", from.image.as_str());
                self.refuse(StageErrorCode::EmptyBase, message, from.image.range, index);
                Base::Unresolved(from.image.to_string())
            }
            Some("scratch") => Base::Scratch,
            Some(name) => match self.by_name(name) {
                Some(stage) => Base::Stage(stage),
                None => Base::Image(name.to_owned()),
            },
        };
        let mut wanted = None;
        if let Some(text) = from.platform.as_ref().filter(|text| !text.is_empty()) {
            wanted = self.expand(file, index, text, platform).filter(|value| !value.is_empty());
            if wanted.is_none() {
                let message = format!("empty platform value from expression {}", text.as_str());
                self.refuse(StageErrorCode::EmptyPlatform, message, text.range, index);
            }
        }
        Stage {
            index: self.stages.len(),
            name: from.name.as_ref().map(|name| name.to_lowercase()),
            from: index,
            instructions: index + 1..index + 1,
            base_name: base_name.unwrap_or_else(|| instruction.logical.text.to_string()),
            base,
            platform: wanted,
            uses: Vec::new(),
            sources: Vec::new(),
        }
    }

    fn expand(&mut self, file: &Dockerfile<'_>, index: usize, text: &Text<'_>, platform: &Platform) -> Option<String> {
        match word::expand(text, file.escape, &|name: &str| self.global(name, platform)) {
            Ok(expanded) => Some(expanded.word),
            Err(error) => {
                self.refuse(StageErrorCode::BadWord, error.to_string(), text.range, index);
                None
            }
        }
    }

    fn refuse(&mut self, code: StageErrorCode, message: String, range: TextRange, instruction: usize) {
        self.errors.push(StageError { code, message, range, instruction });
    }

    fn connect(&mut self, file: &Dockerfile<'_>) {
        for at in 0..self.stages.len() {
            let Some(range) = self.stages.get(at).map(|stage| stage.instructions.clone()) else { continue };
            let mut sources = Vec::new();
            for index in range {
                let Some(instruction) = file.instructions.get(index) else { continue };
                match &instruction.kind {
                    Kind::Copy(copy) => {
                        let Some(name) = &copy.from else { continue };
                        let from = self.source(name);
                        if name.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() {
                            let bad = match &from {
                                SourceKind::Stage(stage) => *stage >= at,
                                SourceKind::Image(_) => true,
                            };
                            if bad {
                                let message = format!("invalid stage index {}", name.as_str());
                                self.refuse(StageErrorCode::BadIndex, message, name.range, index);
                            }
                        }
                        sources.push(Source {
                            instruction: index,
                            range: name.range,
                            name: name.to_string(),
                            from,
                            mount: false,
                        });
                    }
                    Kind::Run(run) => {
                        for mount in run.mounts() {
                            let Some(name) = mount.get(&["from"]).filter(|name| !name.is_empty()) else { continue };
                            let from = self.source(name);
                            let name_text = name.to_string();
                            sources.push(Source {
                                instruction: index,
                                range: name.range,
                                name: name_text,
                                from,
                                mount: true,
                            });
                        }
                    }
                    _ => {}
                }
            }
            let mut uses: Vec<usize> = sources
                .iter()
                .filter_map(|source| match source.from {
                    SourceKind::Stage(stage) => Some(stage),
                    SourceKind::Image(_) => None,
                })
                .collect();
            uses.sort_unstable();
            uses.dedup();
            if let Some(stage) = self.stages.get_mut(at) {
                stage.sources = sources;
                stage.uses = uses;
            }
        }
    }

    fn source(&self, name: &str) -> SourceKind {
        match self.find(name) {
            Some(stage) => SourceKind::Stage(stage),
            None => SourceKind::Image(name.to_owned()),
        }
    }

    /// The last stage of that name, letter case ignored.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<usize> {
        let stage = self.stages.iter().rev().find(|s| s.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        stage.map(|stage| stage.index)
    }

    /// The stage of that name, letter case ignored, or of that number: what `--from=` and `--target` take.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name(name).or_else(|| name.parse().ok().filter(|index| *index < self.stages.len()))
    }

    /// The stage to build: `target`, or the last one.
    #[must_use]
    pub fn target(&self, target: Option<&str>) -> Option<usize> {
        match target {
            // By name alone: BuildKit knows no numbers here.
            Some(name) => self.by_name(name),
            None => self.stages.len().checked_sub(1),
        }
    }

    /// The stage an instruction belongs to, its FROM included.
    #[must_use]
    pub fn of_instruction(&self, index: usize) -> Option<usize> {
        self.stages.partition_point(|stage| stage.from <= index).checked_sub(1)
    }

    /// What a build of `target` needs, each once, in an order in which everything comes after what it needs; `target` last.
    #[must_use]
    pub fn needed(&self, target: usize) -> Vec<usize> {
        let mut order = Vec::new();
        let mut seen = vec![false; self.stages.len()];
        self.visit(target, &mut seen, &mut order);
        order
    }

    fn visit(&self, at: usize, seen: &mut [bool], order: &mut Vec<usize>) {
        match seen.get_mut(at) {
            Some(seen) if !*seen => *seen = true,
            _ => return,
        }
        for next in self.before(at) {
            self.visit(next, seen, order);
        }
        order.push(at);
    }

    /// The stages that must be there before stage `at` is: its base and those it takes files from.
    pub fn before(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let stage = self.stages.get(at);
        let base = stage.and_then(|stage| match stage.base {
            Base::Stage(base) => Some(base),
            _ => None,
        });
        base.into_iter().chain(stage.into_iter().flat_map(|stage| stage.uses.iter().copied()))
    }

    fn refuse_circles(&mut self, file: &Dockerfile<'_>) {
        // 0: not seen, 1: on the way, 2: done
        let mut state = vec![0u8; self.stages.len()];
        for start in 0..self.stages.len() {
            if let Some(culprit) = self.circle_from(start, &mut state) {
                let Some(stage) = self.stages.get(culprit) else { continue };
                let (from, name) = (stage.from, stage.name.clone().unwrap_or_else(|| culprit.to_string()));
                let place =
                    stage.sources.iter().find(|source| matches!(source.from, SourceKind::Stage(s) if s >= culprit));
                let (range, index) = match place {
                    Some(source) => (source.range, source.instruction),
                    None => (file.instructions.get(from).map(|i| i.range).unwrap_or_default(), from),
                };
                let message = format!("circular dependency detected on stage: {name}");
                self.refuse(StageErrorCode::Circular, message, range, index);
            }
        }
    }

    fn circle_from(&self, at: usize, state: &mut [u8]) -> Option<usize> {
        match state.get(at).copied() {
            Some(0) => {}
            Some(1) => return Some(at),
            _ => return None,
        }
        if let Some(slot) = state.get_mut(at) {
            *slot = 1;
        }
        let found = self.before(at).collect::<Vec<_>>().into_iter().find_map(|next| self.circle_from(next, state));
        if let Some(slot) = state.get_mut(at) {
            *slot = 2;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(text: &str) -> Stages {
        Stages::resolve(&plimsoll_parser::parse(text), &BTreeMap::new(), &Platform::default())
    }

    #[test]
    fn names_fold_case_and_numbers_count() {
        let found = stages(
            "ARG TAG=12\nFROM debian:$TAG AS Build\nRUN a\nFROM build\nCOPY --from=0 /a /a\nFROM scratch\nCOPY --from=BUILD /a /a\n",
        );
        assert_eq!(found.stages.len(), 3);
        assert_eq!(found.stages[0].base, Base::Image("debian:12".to_owned()));
        assert_eq!(found.stages[1].base, Base::Stage(0));
        assert_eq!(found.stages[2].uses, [0]);
        assert_eq!(found.needed(2), [0, 2]);
        assert_eq!(found.target(Some("Build")), Some(0));
        assert_eq!(found.target(None), Some(2));
        assert!(found.errors.is_empty(), "{:?}", found.errors);
    }

    #[test]
    fn circles_are_refused() {
        let found = stages("FROM a AS x\nCOPY --from=y /a /a\nFROM b AS y\nCOPY --from=x /a /a\n");
        assert_eq!(found.errors.iter().map(|e| e.code).collect::<Vec<_>>(), [StageErrorCode::Circular]);
        assert_eq!(found.needed(1), [0, 1]);
    }

    #[test]
    fn an_empty_base_is_told() {
        let found = stages("ARG NOTHING\nFROM $NOTHING\n");
        assert_eq!(found.errors[0].code, StageErrorCode::EmptyBase);
    }
}
