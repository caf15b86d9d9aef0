//! COPY and ADD (Dockerfile reference, "COPY", "ADD").

use super::flags::{self, Takes};
use super::{Keyword, Line, Reader, json, words};
use crate::heredoc;
use crate::syntax::{Copy, Kind};
use crate::text::Text;

const COPY: [(&str, Takes); 6] = [
    ("from", Takes::Value),
    ("chown", Takes::Value),
    ("chmod", Takes::Value),
    ("link", Takes::Bool),
    ("parents", Takes::Bool),
    ("exclude", Takes::Values),
];

const ADD: [(&str, Takes); 7] = [
    ("chown", Takes::Value),
    ("chmod", Takes::Value),
    ("link", Takes::Bool),
    ("exclude", Takes::Values),
    ("checksum", Takes::Value),
    ("keep-git-dir", Takes::Bool),
    ("unpack", Takes::Bool),
];

/// `COPY [flags] source… destination`, and the same as a JSON array
pub(super) fn read<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    let (mut sources, json) = match json::array(line.logical(), line.args.clone(), reader)? {
        json::Array::Words { words, .. } => (words, true),
        json::Array::No => {
            // Nearly all have one source.
            let mut words = Vec::with_capacity(2);
            words.extend(words::split(line.logical(), line.args.clone()));
            (words, false)
        }
    };
    let destination = sources.pop().filter(|_| !sources.is_empty());
    let Some(destination) = destination else {
        let name = line.name();
        let message = format!(
            "{name} requires at least two arguments, but only one was provided. Destination could not be determined"
        );
        let help = format!("write {name} source destination; the destination `.` is the working directory");
        reader.wrong("copy-arguments", line.place(), message, &help);
        return None;
    };
    let is_add = line.keyword == Keyword::Add;
    let known: &[(&str, Takes)] = if is_add { &ADD } else { &COPY };
    let flags = line.flags;
    if !flags.is_empty() && !flags::check(line, known, reader) {
        return None;
    }
    if is_heredoc(&destination) {
        let message = format!("{} cannot accept a heredoc as a destination", line.name());
        reader.wrong("copy-heredoc-destination", destination.range, message, "write the path it goes to last");
        return None;
    }
    sources.retain(|source| !is_heredoc(source));
    let copy = Box::new(Copy {
        sources,
        destination,
        json,
        from: flags::value(flags, "from"),
        chown: flags::value(flags, "chown"),
        chmod: flags::value(flags, "chmod"),
        link: flags::switch(flags, "link").unwrap_or(false),
        parents: flags::switch(flags, "parents").unwrap_or(false),
        exclude: flags::values(flags, "exclude"),
        checksum: flags::value(flags, "checksum"),
        keep_git_dir: flags::switch(flags, "keep-git-dir"),
        unpack: flags::switch(flags, "unpack"),
    });
    Some(if is_add { Kind::Add(copy) } else { Kind::Copy(copy) })
}

fn is_heredoc(word: &Text<'_>) -> bool {
    // Most words hold no `<` at all.
    memchr::memchr(b'<', word.as_bytes()).is_some() && matches!(heredoc::operator(word), Ok(Some(_)))
}
