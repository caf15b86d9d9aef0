//! The options of `RUN --mount` (Dockerfile reference, "RUN --mount").

use super::scope::{Place, Value};
use super::{Checker, values};
use crate::grammar::go_bool;
use crate::quote::quote;
use crate::suggest;
use crate::syntax::Mount;
use crate::text::{Text, TextRange};

const TYPES: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];
const SHARING: [&str; 3] = ["shared", "private", "locked"];
/// What an unknown key may be a misspelling of.
const KEYS: [&str; 16] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "ro",
    "rw",
    "readwrite",
];

/// What the options add up to.
#[derive(Default)]
struct Read {
    kind: Option<&'static str>,
    source: bool,
    target: Option<TargetOf>,
    id: bool,
    from: Option<String>,
    sharing: bool,
    mode: bool,
    uid: bool,
    gid: bool,
    /// An option hangs on a variable this file does not set.
    unknown: bool,
}

struct TargetOf {
    path: String,
    range: TextRange,
}

impl Read {
    fn kind(&self) -> &'static str {
        self.kind.unwrap_or("bind")
    }
}

type Refused = (TextRange, String, &'static str);

/// Checks a mount as BuildKit does when variables are known.
pub(super) fn check<'s>(checker: &mut Checker<'_, 's>, place: &Place<'_, '_, 's>, mount: &Mount<'s>) {
    let later = |from: &str| place.graph.mounted(from).filter(|from| *from >= place.stage);
    let mut read = Read::default();
    for (key, value) in &mount.options {
        let value = match value {
            None => None,
            Some(word) => match place.expand(word) {
                Ok(Value::Known(value)) => Some((word, value)),
                Ok(Value::Unknown) => {
                    read.unknown = true;
                    continue;
                }
                Err(error) => {
                    checker.bad_word("bad-word", word, &error);
                    return;
                }
            },
        };
        let result = match &value {
            None => switch(&read, key),
            Some((word, value)) => option(&mut read, key, word, value),
        };
        if let Err((range, message, help)) = result {
            checker.refuse("mount-option", range, message, help);
            return;
        }
    }
    if read.unknown {
        return;
    }
    if let Err((range, message, help)) = whole(&read, mount.range, &later) {
        checker.refuse("mount-option", range, message, help);
    }
}

/// A key without a value.
fn switch(read: &Read, key: &Text<'_>) -> Result<(), Refused> {
    match key.as_str() {
        "readonly" | "ro" | "readwrite" | "rw" => Ok(()),
        "required" if matches!(read.kind(), "secret" | "ssh") || read.unknown => Ok(()),
        "required" => Err(unexpected(read, key)),
        _ => {
            let message = format!("invalid field '{}' must be a key=value pair", key.value);
            Err((key.range, message, "write key=value"))
        }
    }
}

fn unexpected(read: &Read, key: &Text<'_>) -> Refused {
    let message = format!("unexpected key '{}' for mount type '{}'", key.value, read.kind());
    (key.range, message, "put type= before it, or take it out")
}

fn option(read: &mut Read, key: &Text<'_>, word: &Text<'_>, value: &str) -> Result<(), Refused> {
    let bad_value = |help| Err((word.range, format!("invalid value for {}: {value}", key.value), help));
    let number = |radix| u32::from_str_radix(value, radix).is_ok() && !value.starts_with('+');
    let bad_number = || {
        let message = format!("invalid value {value} for {}", key.value);
        Err((word.range, message, "write a number"))
    };
    match key.as_str() {
        "type" => match TYPES.iter().find(|known| known.eq_ignore_ascii_case(value)) {
            Some(known) => read.kind = Some(known),
            None => return Err(unsupported("mount type", word, value, &TYPES, "bind, cache, tmpfs, secret or ssh")),
        },
        "from" => read.from = Some(value.to_owned()),
        "source" | "src" => read.source = !value.is_empty(),
        "target" | "dst" | "destination" => {
            read.target = (!value.is_empty()).then(|| TargetOf { path: value.to_owned(), range: word.range });
        }
        "readonly" | "ro" | "readwrite" | "rw" if go_bool(value).is_none() => return bad_value("write true or false"),
        "readonly" | "ro" | "readwrite" | "rw" => {}
        "required" if !matches!(read.kind(), "secret" | "ssh") => return Err(unexpected(read, key)),
        "required" if go_bool(value).is_none() => return bad_value("write true or false"),
        "required" => {}
        "size" if read.kind() != "tmpfs" => return Err(unexpected(read, key)),
        "size" if !is_size(value) => return bad_value("write a number of bytes, or one with its unit: 64m"),
        "size" => {}
        "id" => read.id = !value.is_empty(),
        "sharing" if !SHARING.iter().any(|known| known.eq_ignore_ascii_case(value)) => {
            return Err(unsupported("sharing value", word, value, &SHARING, "shared, private or locked"));
        }
        "sharing" => read.sharing = true,
        "mode" if number(8) => read.mode = true,
        "uid" if number(10) => read.uid = true,
        "gid" if number(10) => read.gid = true,
        "mode" | "uid" | "gid" => return bad_number(),
        "env" => {}
        name => {
            let meant = suggest::exact(name, KEYS).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
            let message = format!("unexpected key '{name}' in '{name}={}'{meant}", word.value);
            return Err((key.range, message, "take the option out, or write one that mounts have"));
        }
    }
    Ok(())
}

fn unsupported(what: &str, word: &Text<'_>, value: &str, known: &[&str], help: &'static str) -> Refused {
    let meant = suggest::exact(value, known.iter().copied());
    let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
    (word.range, format!("unsupported {what} {}{meant}", quote(value)), help)
}

/// What the options may not be together.
fn whole(read: &Read, range: TextRange, later: &dyn Fn(&str) -> Option<usize>) -> Result<(), Refused> {
    let kind = read.kind();
    let refuse = |message: String, help| Err((range, message, help));
    if !matches!(kind, "secret" | "ssh" | "cache") {
        for (name, set) in [("mode", read.mode), ("uid", read.uid), ("gid", read.gid)] {
            if set {
                return refuse(format!("{name} not allowed for {} type mounts", quote(kind)), "take it out");
            }
        }
    }
    if kind == "secret" {
        let from = read.from.as_ref().is_some_and(|from| !from.is_empty());
        for (wrong, message, help) in [
            (from, "secret mount should not have a from", "take from= out"),
            (read.sharing, "secret mount should not define sharing", "take sharing= out"),
            (
                !read.source && read.target.is_none() && !read.id,
                "invalid secret mount. one of source, target required",
                "name the secret: id=",
            ),
            (read.source && read.id, "both source and id can't be set", "keep id="),
        ] {
            if wrong {
                return refuse(message.to_owned(), help);
            }
        }
    }
    if read.sharing && kind != "cache" {
        return refuse(format!("invalid cache sharing set for {kind} mount"), "take sharing= out");
    }
    let from = read.from.as_deref().filter(|_| matches!(kind, "bind" | "cache"));
    if let Some(from) = from.filter(|from| later(from).is_some()) {
        let target = read.target.as_ref().map_or("", |target| target.path.as_str());
        let (from, target) = (quote(from), quote(target));
        let message =
            format!("cannot mount from stage {from} to {target}, stage needs to be defined before current command");
        return refuse(message, "move that stage above this one");
    }
    if let Some(target) = read.target.as_ref().filter(|_| matches!(kind, "bind" | "cache" | "tmpfs"))
        && values::is_root(&target.path)
    {
        return Err((target.range, "invalid mount target \"/\"".to_owned(), "mount below the root"));
    }
    Ok(())
}

/// A number of bytes with a unit or without: `64m`, `1.5GiB`, `1024`.
fn is_size(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(number.len()..).unwrap_or_default().to_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let unit = unit.strip_suffix('i').filter(|unit| !unit.is_empty()).unwrap_or(unit);
    matches!(unit, "" | "k" | "m" | "g" | "t" | "p")
        && number.trim_end().parse::<f64>().is_ok_and(|number| number.is_finite() && number >= 0.0)
}
