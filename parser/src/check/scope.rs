//! Variables a file sets, where they are set.

use super::stages::Graph;
use crate::suggest;
use crate::syntax::Kind;
use crate::text::Text;
use crate::word::{self, WordError};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

/// A value longer than this is treated as unknown: nobody writes it, and names that double each other could.
const LONGEST: usize = 4096;
/// So many instructions are looked through for a name, the latest first; one set before them is treated as unknown.
const REACH: usize = 256;

/// A word with its variables put in.
pub(super) enum Value<'s> {
    /// What it reads.
    Known(Cow<'s, str>),
    /// It hangs on a variable the file does not set.
    Unknown,
}

/// ARGs before the first FROM, and what BuildKit sets before them.
#[derive(Debug, Default)]
pub(super) struct Global<'s> {
    set: HashMap<Cow<'s, str>, Option<Cow<'s, str>>>,
}

impl<'s> Global<'s> {
    /// Sets a name, known or not.
    pub(super) fn set(&mut self, name: Cow<'s, str>, value: Option<Cow<'s, str>>) {
        self.set.insert(name, value.filter(|value| value.len() <= LONGEST));
    }

    fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name) || predefined(name).is_some()
    }

    fn value(&self, name: &str) -> Option<String> {
        match self.set.get(name) {
            // An ARG without a value leaves what is predefined.
            Some(Some(value)) => Some(value.to_string()),
            Some(None) | None => predefined(name).map(str::to_owned),
        }
    }

    /// A word of FROM or of an ARG before it: what is not set here is set nowhere.
    pub(super) fn expand(&self, word: &Text<'s>, escape: char) -> Result<Cow<'s, str>, WordError> {
        if let Some(plain) = plain(word, escape) {
            return Ok(plain);
        }
        word::expand_quickly(word, escape, &|name| self.value(name)).map(Cow::Owned)
    }

    /// "(did you mean …?)" for the first variable of a word that is not set but nearly named like one that is.
    pub(super) fn meant(&self, word: &Text<'s>, escape: char) -> String {
        let expanded = word::expand(word, escape, &|name| self.value(name)).unwrap_or_default();
        let mut known: Vec<&str> = self.set.keys().map(|name| &**name).chain(PREDEFINED).collect();
        known.sort_unstable();
        let meant = expanded.unmatched.iter().find_map(|name| suggest::exact(name, known.iter().copied()));
        meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default()
    }
}

/// The names of [`predefined`].
const PREDEFINED: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

/// What BuildKit sets before the first ARG (Dockerfile reference, "Automatic platform ARGs in the global scope"). Where
/// it builds is not known here, so one machine stands for all.
fn predefined(name: &str) -> Option<&'static str> {
    Some(match name {
        "BUILDPLATFORM" | "TARGETPLATFORM" => "linux/amd64",
        "BUILDOS" | "TARGETOS" => "linux",
        "BUILDARCH" | "TARGETARCH" => "amd64",
        "BUILDVARIANT" | "TARGETVARIANT" | "BUILDOSVERSION" | "TARGETOSVERSION" => "",
        "TARGETSTAGE" => "default",
        _ => return None,
    })
}

/// A place in a stage, and what is set there: nothing is kept while the file is gone through, a name is looked for when
/// a word asks for it.
pub(super) struct Place<'p, 'f, 's> {
    pub(super) graph: &'p Graph<'f, 's>,
    pub(super) global: &'p Global<'s>,
    pub(super) stage: usize,
    /// How many instructions of the stage stand before it.
    pub(super) before: usize,
    pub(super) escape: char,
}

impl<'s> Place<'_, '_, 's> {
    fn value(&self, name: &str) -> Option<String> {
        let mut left = REACH;
        let mut stage = self.graph.stages.get(self.stage)?;
        let mut body = stage.body.get(..self.before)?;
        loop {
            for instruction in body.iter().rev() {
                left = left.checked_sub(1)?;
                match &instruction.kind {
                    // Stages that could not be told apart are one: nothing is handed on.
                    Kind::From(_) => return None,
                    Kind::Env(pairs) => {
                        if let Some(pair) = pairs.iter().rev().take(REACH).find(|pair| pair.key.value == name) {
                            return self.setting(&pair.value);
                        }
                    }
                    Kind::Arg(declarations) => {
                        let found = declarations.iter().rev().take(REACH).find(|found| found.name.value == name);
                        match found.map(|found| &found.default) {
                            Some(Some(default)) => return self.setting(default),
                            Some(None) if self.global.is_set(name) => return self.global.value(name),
                            _ => {}
                        }
                    }
                    _ => {}
                }
            }
            stage = self.graph.stages.get(stage.parent?)?;
            body = stage.body;
        }
    }

    /// The value a setting gives a name. One with variables in it is treated as unknown: what a file sets is nearly always
    /// put together from what the base image sets.
    fn setting(&self, word: &Text<'s>) -> Option<String> {
        plain(word, self.escape).map(Cow::into_owned)
    }

    /// A word at this place. What is not set in the file may be set by the base image, so the word is then unknown.
    pub(super) fn expand(&self, word: &Text<'s>) -> Result<Value<'s>, WordError> {
        if let Some(plain) = plain(word, self.escape) {
            return Ok(Value::Known(plain));
        }
        let unset = Cell::new(false);
        let env = |name: &str| {
            let value = self.value(name);
            unset.set(unset.get() || value.is_none());
            value
        };
        match word::expand_quickly(word, self.escape, &env) {
            Ok(_) if unset.get() => Ok(Value::Unknown),
            Ok(word) => Ok(Value::Known(Cow::Owned(word))),
            Err(error) if error.about_value => Ok(Value::Unknown),
            Err(error) => Err(error),
        }
    }
}

/// What a word reads where nothing in it is expanded: as it is, or without the quotes around it.
fn plain<'s>(word: &Text<'s>, escape: char) -> Option<Cow<'s, str>> {
    let escape = escape as u8;
    let bytes = word.as_bytes();
    if word::special(bytes, escape).is_none() {
        return Some(word.value.clone());
    }
    let (quote @ (b'"' | b'\''), inner @ [.., last]) = bytes.split_first()? else { return None };
    let inner = inner.get(..inner.len() - 1)?;
    if last != quote || word::special(inner, escape).is_some() {
        return None;
    }
    let range = 1..word.len() - 1;
    match &word.value {
        Cow::Borrowed(text) => text.get(range).map(Cow::Borrowed),
        Cow::Owned(text) => text.get(range).map(|text| Cow::Owned(text.to_owned())),
    }
}
