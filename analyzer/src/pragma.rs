//! Comments that speak to a linter.

use plimsoll_parser::{Dockerfile, TextRange};

/// Whose comment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `# plimsoll …`
    Plimsoll,
    /// `# hadolint …`
    Hadolint,
    /// `# check=…`
    Buildkit,
}

/// For what an ignore holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The instruction after the comment.
    Instruction,
    /// The stage it stands in or above.
    Stage,
    /// The whole file.
    File,
}

/// One comment that switches findings off, or names a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pragma<'s> {
    /// Whose.
    pub dialect: Dialect,
    /// What it asks.
    pub ask: Ask<'s>,
    /// The comment.
    pub range: TextRange,
    /// What stands behind the names.
    pub reason: Option<&'s str>,
}

/// What a comment asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask<'s> {
    /// Not to tell these.
    Ignore {
        /// Ids or aliases; `all` of BuildKit.
        names: Vec<&'s str>,
        /// For what.
        reach: Reach,
    },
    /// `shell=name`: which shell reads RUN from here on.
    Shell {
        /// Its name.
        name: &'s str,
        /// Whether for the whole file.
        global: bool,
    },
}

/// Every such comment of a file, in order. The `check` directive of the file's top is not a comment and not among them.
#[must_use]
pub fn read<'s>(file: &Dockerfile<'s>) -> Vec<Pragma<'s>> {
    file.comments.iter().filter_map(|range| read_one(file.text, *range)).collect()
}

fn read_one(text: &str, range: TextRange) -> Option<Pragma<'_>> {
    let body = range.of(text).trim_start_matches('#').trim();
    if let Some(rest) = body.strip_prefix("hadolint") {
        let ask = words(rest)?;
        let valid = match &ask.0 {
            Ask::Ignore { names, .. } => names.iter().all(|name| name.bytes().all(|b| b"DLSC0123456789".contains(&b))),
            Ask::Shell { .. } => true,
        };
        return valid.then_some(Pragma { dialect: Dialect::Hadolint, ask: ask.0, range, reason: ask.1 });
    }
    if let Some(rest) = body.strip_prefix("plimsoll") {
        let (ask, reason) = words(rest)?;
        return Some(Pragma { dialect: Dialect::Plimsoll, ask, range, reason });
    }
    let rest = body.strip_prefix("check")?.trim_start().strip_prefix('=')?;
    let skip = rest.split(';').find_map(|part| part.trim().strip_prefix("skip="))?;
    let names = names(skip);
    let ask = Ask::Ignore { names, reach: Reach::Instruction };
    Some(Pragma { dialect: Dialect::Buildkit, ask, range, reason: None })
}

fn names(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// `ignore=A,B reason`, `global ignore = A , B # reason`, `stage ignore=A`, `shell=bash`
fn words(rest: &str) -> Option<(Ask<'_>, Option<&str>)> {
    let rest = rest.strip_prefix(|c: char| c.is_whitespace())?.trim_start();
    let (scope, rest) = match rest.split_once(char::is_whitespace) {
        Some((scope @ ("global" | "file" | "stage"), rest)) => (Some(scope), rest.trim_start()),
        _ => (None, rest),
    };
    let (verb, rest) = rest.split_once('=')?;
    let rest = rest.trim_start();
    match verb.trim_end() {
        "ignore" => {
            let (list, reason) = split_list(rest);
            let names = names(list);
            if names.is_empty() {
                return None;
            }
            let reach = match scope {
                None => Reach::Instruction,
                Some("stage") => Reach::Stage,
                Some(_) => Reach::File,
            };
            Some((Ask::Ignore { names, reach }, reason))
        }
        "shell" => {
            let name = rest.split_whitespace().next()?;
            Some((Ask::Shell { name, global: matches!(scope, Some("global" | "file")) }, None))
        }
        _ => None,
    }
}

/// Where a comma separated list with blanks around its commas ends, and what stands behind it.
fn split_list(text: &str) -> (&str, Option<&str>) {
    let mut end = 0;
    let mut wants = true;
    let mut at = 0;
    for part in text.split_inclusive(|c: char| c.is_whitespace() || c == ',') {
        let word = part.trim_end_matches(|c: char| c.is_whitespace() || c == ',');
        if !word.is_empty() {
            if !wants {
                break;
            }
            end = at + word.len();
            wants = false;
        }
        wants |= part.ends_with(',');
        at += part.len();
    }
    let (list, rest) = text.split_at(end);
    let reason = rest.trim().trim_start_matches(['#', ':', '-']).trim();
    (list, (!reason.is_empty()).then_some(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<Pragma<'_>> {
        read_one(text, TextRange::new(0, text.len()))
    }

    #[test]
    fn lists_with_blanks_and_reasons() {
        let pragma = one("# hadolint global ignore = DL3023 , DL3021 # because").expect("a pragma");
        assert_eq!(pragma.ask, Ask::Ignore { names: vec!["DL3023", "DL3021"], reach: Reach::File });
        assert_eq!(pragma.reason, Some("because"));
        assert!(one("# hadolint ignore=crazy,DL3002").is_none());
        let pragma = one("# plimsoll ignore=apt-lists-kept the next RUN needs them").expect("a pragma");
        assert_eq!(pragma.reason, Some("the next RUN needs them"));
        assert!(matches!(
            one("# hadolint shell=bash").expect("a pragma").ask,
            Ask::Shell { name: "bash", global: false }
        ));
        assert!(one("# just hadolint ignore=DL3002").is_none());
    }
}
