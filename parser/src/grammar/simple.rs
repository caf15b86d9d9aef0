//! Instructions that take one value or a list of words: WORKDIR, USER, STOPSIGNAL, MAINTAINER, EXPOSE, VOLUME.

use super::{Keyword, Line, Reader, flags, json, words};
use crate::syntax::Kind;
use crate::text::Text;

/// The rest of the line as one value.
pub(super) fn one<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Text<'s>> {
    let name = line.name();
    if line.args.is_empty() {
        let message = format!("{name} requires exactly one argument");
        let help = format!("write what {name} is set to, or take the line out");
        reader.wrong("missing-argument", line.place(), message, &help);
        return None;
    }
    // BuildKit never looks at STOPSIGNAL's flags.
    if line.keyword != Keyword::Stopsignal && !flags::check(line, &[], reader) {
        return None;
    }
    Some(line.logical().slice(line.args.clone()))
}

/// `EXPOSE port…` (Dockerfile reference, "EXPOSE").
pub(super) fn expose<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    if line.args.is_empty() {
        return line.missing_argument(reader);
    }
    flags::check(line, &[], reader).then(|| Kind::Expose(words::split(line.logical(), line.args.clone()).collect()))
}

/// `VOLUME path…` or `VOLUME ["path", …]` (Dockerfile reference, "VOLUME").
pub(super) fn volume<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    let paths = match json::array(line.logical(), line.args.clone(), reader)? {
        json::Array::Words { words, .. } => words,
        json::Array::No => words::split(line.logical(), line.args.clone()).collect(),
    };
    if paths.is_empty() {
        return line.missing_argument(reader);
    }
    if !flags::check(line, &[], reader) {
        return None;
    }
    if let Some(empty) = paths.iter().find(|path| path.trim().is_empty()) {
        let message = "VOLUME specified can not be an empty string";
        reader.wrong("empty-volume", empty.range, message, "write a path, or take the empty string out");
        return None;
    }
    Some(Kind::Volume(paths))
}
