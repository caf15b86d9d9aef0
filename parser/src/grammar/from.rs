//! `FROM [--platform=…] image [AS name]` (Dockerfile reference, "FROM").

use super::flags::{self, Takes};
use super::{Line, Reader, words};
use crate::quote::quote;
use crate::syntax::{From, Kind};
use crate::text::Text;

pub(super) fn read<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    let mut args = words::split(line.logical(), line.args.clone());
    let (image, as_keyword, name) = match (args.next(), args.next(), args.next(), args.next()) {
        (Some(image), None, None, None) => (image, None, None),
        (Some(image), Some(keyword), Some(name), None) if keyword.eq_ignore_ascii_case("as") => {
            if !is_stage_name(&name) {
                bad_name(&name, reader);
                return None;
            }
            (image, Some(keyword), Some(name))
        }
        _ => {
            let help = "write FROM image, or FROM image AS name";
            reader.wrong("from-arguments", line.place(), "FROM requires either one or three arguments", help);
            return None;
        }
    };
    if !flags::check(line, &[("platform", Takes::Value)], reader) {
        return None;
    }
    let platform = flags::value(line.flags, "platform");
    Some(Kind::From(Box::new(From { platform, image, as_keyword, name })))
}

fn bad_name(name: &Text<'_>, reader: &mut Reader<'_>) {
    let name_range = name.range;
    let name = quote(name);
    let message = format!("invalid name for build stage: {name}, name can't start with a number or contain symbols");
    let help = "a stage's name begins with a letter and goes on with letters, digits, `-`, `_` and `.`";
    reader.wrong("stage-name", name_range, message, help);
}

/// Whether BuildKit takes a word as a stage's name: folded to lower case, a letter and then letters, digits, `-`, `_`, `.`.
pub(crate) fn is_stage_name(name: &str) -> bool {
    let mut chars = name.chars().flat_map(char::to_lowercase);
    chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.'))
}
