//! Variables a file sets, where they are set.

use crate::text::Text;
use crate::word::{self, WordError};
use std::borrow::Cow;

/// A value longer than this is treated as unknown: nobody writes it, and names that double each other could.
const LONGEST: usize = 4096;

/// Names and values in force; a later one hides an earlier one. A value is nothing where the file does not tell it.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'s> {
    set: Vec<(Cow<'s, str>, Option<Cow<'s, str>>)>,
}

/// A word with its variables put in.
pub(super) enum Value<'s> {
    /// What it reads.
    Known(Cow<'s, str>),
    /// It hangs on a variable the file does not set.
    Unknown,
}

impl<'s> Scope<'s> {
    /// What BuildKit sets before the first ARG (Dockerfile reference, "Automatic platform ARGs in the global scope").
    /// Where it builds is not known here, so one machine stands for all.
    pub(super) fn predefined() -> Self {
        let known = [
            ("BUILDPLATFORM", "linux/amd64"),
            ("BUILDOS", "linux"),
            ("BUILDOSVERSION", ""),
            ("BUILDARCH", "amd64"),
            ("BUILDVARIANT", ""),
            ("TARGETPLATFORM", "linux/amd64"),
            ("TARGETOS", "linux"),
            ("TARGETOSVERSION", ""),
            ("TARGETARCH", "amd64"),
            ("TARGETVARIANT", ""),
            ("TARGETSTAGE", "default"),
        ];
        Self { set: known.into_iter().map(|(name, value)| (name.into(), Some(value.into()))).collect() }
    }

    /// Sets a name, known or not.
    pub(super) fn set(&mut self, name: impl Into<Cow<'s, str>>, value: Option<Cow<'s, str>>) {
        self.set.push((name.into(), value.filter(|value| value.len() <= LONGEST)));
    }

    /// Whether a name is set, and to what.
    pub(super) fn get(&self, name: &str) -> Option<&Option<Cow<'s, str>>> {
        self.set.iter().rev().find(|(set, _)| set == name).map(|(_, value)| value)
    }

    fn value(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Option::as_deref).map(str::to_owned)
    }

    /// A word of a stage. What is not set in the file may be set by the base image, so the word is then unknown.
    pub(super) fn expand(&self, word: &Text<'s>, escape: char) -> Result<Value<'s>, WordError> {
        if is_plain(word, escape) {
            return Ok(Value::Known(word.value.clone()));
        }
        match word::expand(word, escape, &|name| self.value(name)) {
            Ok(expanded) if expanded.unmatched.is_empty() => Ok(Value::Known(Cow::Owned(expanded.word))),
            Ok(_) => Ok(Value::Unknown),
            Err(error) if error.about_value => Ok(Value::Unknown),
            Err(error) => Err(error),
        }
    }

    /// A word of FROM or of an ARG before it: what is not set here is set nowhere.
    pub(super) fn expand_global(&self, word: &Text<'s>, escape: char) -> Result<Cow<'s, str>, WordError> {
        if is_plain(word, escape) {
            return Ok(word.value.clone());
        }
        word::expand(word, escape, &|name| self.value(name)).map(|expanded| Cow::Owned(expanded.word))
    }
}

/// Whether expansion would leave a word as it is.
pub(super) fn is_plain(word: &str, escape: char) -> bool {
    let special = |byte: u8| matches!(byte, b'$' | b'\'' | b'"') || u32::from(byte) == escape as u32;
    !word.bytes().any(special)
}
