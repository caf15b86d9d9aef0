//! Where an instruction stands: the directory, the user and the variables in force before it.

use crate::bases::BaseImage;
use crate::moves::BaseFacts;
use plimsoll_parser::syntax::{Dockerfile, Kind};
use plimsoll_parser::word;
use std::collections::BTreeMap;

/// What holds before an instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Nothing when the base decides or a variable hides it.
    pub(crate) workdir: Option<String>,
    /// Nothing where no USER stands before.
    pub(crate) user: Option<String>,
    /// ENV and ARGs with defaults of this stage.
    pub(crate) env: BTreeMap<String, String>,
}

impl Place {
    /// A path as an instruction here has it, made absolute; nothing where that is not known.
    pub(crate) fn absolute(&self, path: &str) -> Option<String> {
        if path.contains('$') {
            return None;
        }
        let joined =
            if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.workdir.as_deref()?) };
        Some(format!("/{}", plimsoll_analyzer::context::clean(&joined)))
    }

    /// A word of an instruction with its variables replaced; nothing where one is not known.
    pub(crate) fn expand(&self, text: &str, escape: char) -> Option<String> {
        let known = |name: &str| self.env.get(name).cloned();
        let expanded = word::expand(text, escape, &known).ok()?;
        expanded.unmatched.is_empty().then_some(expanded.word)
    }
}

/// The image that FROM names, with the defaults of the ARGs before the first stage.
pub(crate) fn image_of(file: &Dockerfile<'_>, image: &str) -> String {
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    for instruction in &file.instructions {
        match &instruction.kind {
            Kind::From(_) => break,
            Kind::Arg(args) => {
                for arg in args {
                    let default = arg.default.as_ref();
                    let value =
                        default.and_then(|text| word::expand(text, file.escape, &|name| env.get(name).cloned()).ok());
                    if let Some(value) = value.filter(|value| value.unmatched.is_empty()) {
                        env.insert(arg.name.to_string(), value.word);
                    }
                }
            }
            _ => {}
        }
    }
    match word::expand(image, file.escape, &|name| env.get(name).cloned()) {
        Ok(known) if known.unmatched.is_empty() => known.word,
        _ => image.to_owned(),
    }
}

/// The name of another image in the author's own words: with the variables of the one that was written, where only an
/// ending is more.
pub(crate) fn as_written(written: &str, base: &BaseImage, name: String) -> String {
    match name.strip_prefix(&base.name()) {
        Some(ending) if written.contains('$') && written.contains(':') => format!("{written}{ending}"),
        _ => name,
    }
}

/// The place of every instruction of a file, in order.
pub(crate) fn places(file: &Dockerfile<'_>, base: &dyn Fn(&str) -> Option<BaseFacts>) -> Vec<Place> {
    let mut current = Place::default();
    let mut places = Vec::with_capacity(file.instructions.len());
    for instruction in &file.instructions {
        places.push(current.clone());
        match &instruction.kind {
            Kind::From(from) => {
                let some = |text: String| (!text.is_empty()).then_some(text);
                current = base(&image_of(file, &from.image)).map_or_else(Place::default, |facts| Place {
                    workdir: Some(some(facts.workdir).unwrap_or_else(|| "/".to_owned())),
                    user: some(facts.user),
                    env: facts.env.into_iter().collect(),
                });
            }
            Kind::Env(pairs) => {
                // All names of one instruction expand against the state before it.
                let before = current.clone();
                for pair in pairs {
                    match (before.expand(&pair.key, file.escape), before.expand(&pair.value, file.escape)) {
                        (Some(key), Some(value)) => drop(current.env.insert(key, value)),
                        (Some(key), None) => drop(current.env.remove(&key)),
                        _ => {}
                    }
                }
            }
            Kind::Arg(args) => {
                for arg in args {
                    let value = arg.default.as_ref().and_then(|default| current.expand(default, file.escape));
                    match value {
                        Some(value) => drop(current.env.entry(arg.name.to_string()).or_insert(value)),
                        None => drop(current.env.remove(arg.name.as_str())),
                    }
                }
            }
            Kind::Workdir(path) => {
                let path = current.expand(path, file.escape);
                current.workdir = path.and_then(|path| current.absolute(&path));
            }
            Kind::User(user) => current.user = Some(user.to_string()),
            _ => {}
        }
    }
    places
}
