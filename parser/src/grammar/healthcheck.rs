//! `HEALTHCHECK [options] CMD command` and `HEALTHCHECK NONE` (Dockerfile reference, "HEALTHCHECK").

use super::flags::{self, Takes};
use super::{Line, Reader};
use crate::duration;
use crate::quote::quote;
use crate::syntax::{Command, Healthcheck, Kind};

const FLAGS: [(&str, Takes); 5] = [
    ("interval", Takes::Value),
    ("timeout", Takes::Value),
    ("start-period", Takes::Value),
    ("start-interval", Takes::Value),
    ("retries", Takes::Value),
];

pub(super) fn read<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    let text = line.text();
    let word = text.bytes().position(|byte| byte.is_ascii_whitespace() || byte == 0x0B).unwrap_or(text.len());
    let rest = text.get(word..).unwrap_or_default();
    let blanks = rest.len() - rest.trim_start().len();
    let rest = line.args.start + word + blanks..line.args.end;
    let command = line.command(rest.clone(), reader)?;
    if text.is_empty() {
        return line.missing_argument(reader);
    }
    let logical = line.logical();
    let keyword = logical.range(line.args.start..line.args.start + word);
    let name = text.get(..word).unwrap_or_default().to_uppercase();
    let has_words = match &command {
        Command::Shell(_) => !rest.is_empty(),
        Command::Exec { words, .. } => !words.is_empty(),
    };
    if name == "NONE" {
        if has_words {
            let help = "take out what follows NONE, or write CMD in its place";
            reader.wrong("healthcheck-none", logical.range(rest), "HEALTHCHECK NONE takes no arguments", help);
            return None;
        }
        return Some(Kind::Healthcheck(Healthcheck::None));
    }
    if !flags::check(line, &FLAGS, reader) {
        return None;
    }
    if name != "CMD" {
        let message = format!("Unknown type {} in HEALTHCHECK (try CMD)", quote(&name));
        reader.wrong("healthcheck-type", keyword, message, "write HEALTHCHECK CMD command, or HEALTHCHECK NONE");
        return None;
    }
    if !has_words {
        let help = "write the command that tells whether the container is well";
        reader.wrong("healthcheck-command", keyword, "Missing command after HEALTHCHECK CMD", help);
        return None;
    }
    options_are_fine(line, reader).then_some(Kind::Healthcheck(Healthcheck::Cmd { command, keyword }))
}

/// Checks durations and the number of retries.
fn options_are_fine(line: &Line<'_, '_>, reader: &mut Reader<'_>) -> bool {
    let before = reader.errors.len();
    for (name, _) in FLAGS {
        let Some(value) = flags::value(line.flags, name).filter(|value| !value.is_empty()) else {
            continue;
        };
        if name == "retries" {
            let message = match value.parse::<i32>() {
                Ok(retries) if retries >= 0 => continue,
                Ok(retries) => format!("--retries cannot be negative ({retries})"),
                Err(error) => {
                    let overflow = matches!(
                        error.kind(),
                        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow
                    );
                    let why = if overflow { "value out of range" } else { "invalid syntax" };
                    format!("strconv.ParseInt: parsing {}: {why}", quote(&value))
                }
            };
            reader.wrong("healthcheck-retries", value.range, message, "write a whole number, 0 or more");
            continue;
        }
        let message = match duration::parse(&value) {
            Ok(0 | 1_000_000..) => continue,
            Ok(_) => format!("Interval \"{name}\" cannot be less than 1ms"),
            Err(message) => message,
        };
        let help = "write a number with its unit, such as 30s, 1m30s or 500ms";
        reader.wrong("healthcheck-duration", value.range, message, help);
    }
    reader.errors.len() == before
}
