//! The instructions of the stages: words that cannot be expanded, values that cannot be, sources that come too late.

use super::scope::{Global, Place, Value};
use super::stages::{Graph, Stage};
use super::{Checker, mounts, values};
use crate::syntax::{ArgDecl, Copy, Instruction, Kind};
use crate::text::Text;
use crate::word;
use std::borrow::Cow;

/// ARGs before the first FROM.
pub(super) fn global_args<'s>(checker: &mut Checker<'_, 's>, global: &mut Global<'s>, declarations: &[ArgDecl<'s>]) {
    for declaration in declarations {
        let Some(default) = &declaration.default else { continue };
        match global.expand(default, checker.file.escape) {
            Ok(value) => global.set(declaration.name.value.clone(), Some(value)),
            Err(error) => {
                checker.bad_word("global-arg", default, &error);
                global.set(declaration.name.value.clone(), None);
            }
        }
    }
}

/// Goes through the stages in the order of the file.
pub(super) fn stages<'f, 's>(checker: &mut Checker<'f, 's>, global: &Global<'s>, graph: &Graph<'f, 's>) {
    let escape = checker.file.escape;
    for (stage, open) in graph.stages.iter().map(Stage::open).enumerate() {
        for (before, instruction) in open {
            Step { checker, place: Place { graph, global, stage, before, escape }, instruction }.check();
        }
    }
}

struct Step<'c, 'f, 's> {
    checker: &'c mut Checker<'f, 's>,
    place: Place<'c, 'f, 's>,
    instruction: &'c Instruction<'s>,
}

impl<'s> Step<'_, '_, 's> {
    fn check(mut self) {
        match &self.instruction.kind {
            Kind::Env(pairs) | Kind::Label(pairs) => {
                pairs.iter().flat_map(|pair| [&pair.key, &pair.value]).for_each(|word| self.validate(word));
            }
            Kind::Arg(_) if self.place.before < self.place.graph.before => {}
            Kind::Arg(declarations) => {
                declarations.iter().filter_map(|found| found.default.as_ref()).for_each(|word| self.validate(word));
            }
            Kind::Copy(copy) | Kind::Add(copy) => self.copy(copy),
            Kind::Workdir(word) | Kind::User(word) => self.validate(word),
            Kind::Volume(words) => {
                for word in words {
                    if matches!(self.word(word), Some(value) if value.is_empty()) {
                        let message = "VOLUME specified can not be an empty string";
                        self.checker.refuse("empty-volume", word.range, message, "write the path of the volume");
                    }
                }
            }
            Kind::Stopsignal(word) => {
                if let Some(value) = self.word(word)
                    && !values::is_signal(&value)
                {
                    let help = "write a signal's name, such as SIGTERM, or its number";
                    self.checker.refuse("stop-signal", word.range, format!("invalid signal: {value}"), help);
                }
            }
            Kind::Expose(ports) => ports.iter().for_each(|port| self.port(port)),
            Kind::Run(run) => {
                for mount in run.mounts() {
                    mounts::check(self.checker, &self.place, mount);
                }
            }
            _ => {}
        }
    }

    /// The word after expansion, where the file tells it.
    fn word(&mut self, word: &Text<'s>) -> Option<Cow<'s, str>> {
        match self.place.expand(word) {
            Ok(Value::Known(value)) => Some(value),
            Ok(Value::Unknown) => None,
            Err(error) => {
                self.checker.bad_word("bad-word", word, &error);
                None
            }
        }
    }

    /// A word that is not judged but for whether it can be expanded.
    fn validate(&mut self, word: &Text<'s>) {
        if let Err(error) = word::validate(word, self.checker.file.escape) {
            self.checker.bad_word("bad-word", word, &error);
        }
    }

    fn copy(&mut self, copy: &Copy<'s>) {
        let is_add = matches!(self.instruction.kind, Kind::Add(_));
        if let Some(from) = &copy.from
            && self.place.graph.copied(from).is_some_and(|from| from >= self.place.stage)
        {
            let (name, this) =
                (crate::quote::quote(from), crate::quote::quote(&self.place.graph.name(self.place.stage)));
            let message = format!("cannot copy from stage {name}, it needs to be defined before current stage {this}");
            self.checker.refuse("stage-too-late", from.range, message, "move that stage above this one");
        }
        copy.chown.iter().for_each(|word| self.validate(word));
        if let Some(mode) = copy.chmod.as_ref().filter(|mode| !mode.is_empty())
            && let Some(value) = self.word(mode)
            && !values::is_mode(&value)
        {
            let message =
                format!("invalid chmod parameter: '{value}'. it should be octal string and between 0 and 07777");
            self.checker.refuse("chmod-value", mode.range, message, "write an octal mode such as 0644, or u=rwX,go=rX");
        }
        copy.sources.iter().chain([&copy.destination]).for_each(|word| self.validate(word));
        let may_be_remote =
            |source: &&Text<'s>| source.starts_with('$') || memchr::memchr2(b'@', b':', source.as_bytes()).is_some();
        for source in copy.sources.iter().filter(|_| !is_add).filter(may_be_remote) {
            let Ok(Value::Known(value)) = self.place.expand(source) else { continue };
            let value = &*value;
            let what = if values::is_git(value) {
                "source can't be a git ref for COPY"
            } else if values::is_url(value) {
                "source can't be a URL for COPY"
            } else {
                continue;
            };
            self.checker.refuse("copy-remote", source.range, what, "write ADD in the place of COPY");
        }
        self.checksum(copy);
        for heredoc in self.instruction.heredocs.iter().filter(|heredoc| heredoc.expand) {
            if let Err(error) = word::expand_heredoc(&heredoc.body, &|_| None)
                && !error.about_value
            {
                self.checker.bad_word("bad-word", &heredoc.body, &error);
            }
        }
    }

    fn checksum(&mut self, copy: &Copy<'s>) {
        let Some(checksum) = copy.checksum.as_ref().filter(|checksum| !checksum.is_empty()) else { return };
        let known = self.word(checksum);
        let [source] = copy.sources.as_slice() else {
            let what = "checksum can't be specified for multiple sources";
            self.checker.refuse("checksum-source", checksum.range, what, "write an ADD for each source");
            return;
        };
        let Some(source) = self.word(source) else { return };
        if !values::is_git(&source) && !values::is_url(&source) {
            let what = "checksum requires HTTP(S) or Git sources";
            let help = "take --checksum out: files of the context need none";
            self.checker.refuse("checksum-source", checksum.range, what, help);
        } else if let Some(why) =
            known.filter(|_| !values::is_git(&source)).and_then(|value| values::bad_digest(&value))
        {
            self.checker.refuse("checksum-value", checksum.range, why, "write sha256: and 64 hexadecimal digits");
        }
    }

    fn port(&mut self, port: &Text<'s>) {
        let Some(value) = self.word(port) else { return };
        for spec in value.split_whitespace() {
            if let Err(why) = values::port(spec) {
                self.checker.refuse("exposed-port", port.range, why, "write port, port/udp or first-last");
            }
        }
    }
}
