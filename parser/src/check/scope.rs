//! Variables a file sets, where they are set.

use crate::text::Text;
use crate::word::{self, WordError};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

/// A value longer than this is treated as unknown: nobody writes it, and names that double each other could.
const LONGEST: usize = 4096;
/// So many settings are looked through for a name, the latest first; one set before them is treated as unknown.
const REACH: usize = 256;

/// What is known of a variable that is set: its value, where the file tells it.
type Setting<'s> = Option<Cow<'s, str>>;

/// A word with its variables put in.
pub(super) enum Value<'s> {
    /// What it reads.
    Known(Cow<'s, str>),
    /// It hangs on a variable the file does not set.
    Unknown,
}

fn short(value: Setting<'_>) -> Setting<'_> {
    value.filter(|value| value.len() <= LONGEST)
}

/// ARGs before the first FROM, and what BuildKit sets before them.
#[derive(Debug, Default)]
pub(super) struct Global<'s> {
    set: HashMap<Cow<'s, str>, Setting<'s>>,
}

impl<'s> Global<'s> {
    pub(super) fn set(&mut self, name: Cow<'s, str>, value: Setting<'s>) {
        self.set.insert(name, short(value));
    }

    /// Whether a name is set, and to what.
    pub(super) fn get(&self, name: &str) -> Option<Setting<'s>> {
        self.set.get(name).cloned().or_else(|| predefined(name).map(|value| Some(Cow::Borrowed(value))))
    }

    /// A word of FROM or of an ARG before it: what is not set here is set nowhere.
    pub(super) fn expand(&self, word: &Text<'s>, escape: char) -> Result<Cow<'s, str>, WordError> {
        if let Some(plain) = plain(word, escape) {
            return Ok(plain);
        }
        let env = |name: &str| self.get(name).flatten().map(Cow::into_owned);
        word::expand_quickly(word, escape, &env).map(Cow::Owned)
    }
}

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

/// The variables of all stages read so far. A stage sees those of the stage it is built on.
#[derive(Debug, Default)]
pub(super) struct Scopes<'s> {
    stages: Vec<Scope<'s>>,
}

#[derive(Debug, Default)]
struct Scope<'s> {
    parent: Option<usize>,
    set: Vec<(Cow<'s, str>, Setting<'s>)>,
}

impl<'s> Scopes<'s> {
    /// A stage begins.
    pub(super) fn begin(&mut self, parent: Option<usize>) {
        self.stages.push(Scope { parent, set: Vec::new() });
    }

    /// Sets a name in the last stage, known or not.
    pub(super) fn set(&mut self, name: Cow<'s, str>, value: Setting<'s>) {
        if let Some(scope) = self.stages.last_mut() {
            scope.set.push((name, short(value)));
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        let mut left = REACH;
        let mut scope = self.stages.last();
        while let Some(Scope { parent, set }) = scope {
            if let Some((_, value)) = set.iter().rev().take(left).find(|(set, _)| set == name) {
                return value.as_deref().map(str::to_owned);
            }
            left = left.checked_sub(set.len() + 1)?;
            scope = parent.and_then(|parent| self.stages.get(parent));
        }
        None
    }

    /// A word of the last stage. What is not set in the file may be set by the base image, so the word is then unknown.
    pub(super) fn expand(&self, word: &Text<'s>, escape: char) -> Result<Value<'s>, WordError> {
        if let Some(plain) = plain(word, escape) {
            return Ok(Value::Known(plain));
        }
        let unset = Cell::new(false);
        let env = |name: &str| {
            let value = self.value(name);
            unset.set(unset.get() || value.is_none());
            value
        };
        match word::expand_quickly(word, escape, &env) {
            Ok(_) if unset.get() => Ok(Value::Unknown),
            Ok(word) => Ok(Value::Known(Cow::Owned(word))),
            Err(error) if error.about_value => Ok(Value::Unknown),
            Err(error) => Err(error),
        }
    }
}

/// What a word reads where nothing in it is expanded: as it is, or without the quotes around it.
fn plain<'s>(word: &Text<'s>, escape: char) -> Option<Cow<'s, str>> {
    let special = |byte: u8| matches!(byte, b'$' | b'\'' | b'"') || byte == escape as u8;
    let bytes = word.as_bytes();
    if !bytes.iter().any(|byte| special(*byte)) {
        return Some(word.value.clone());
    }
    let (quote @ (b'"' | b'\''), inner @ [.., last]) = bytes.split_first()? else { return None };
    let inner = inner.get(..inner.len() - 1)?;
    if last != quote || inner.iter().any(|byte| special(*byte)) {
        return None;
    }
    let range = 1..word.len() - 1;
    match &word.value {
        Cow::Borrowed(text) => text.get(range).map(Cow::Borrowed),
        Cow::Owned(text) => text.get(range).map(|text| Cow::Owned(text.to_owned())),
    }
}
