//! What mends waste: the rule whose fix would have kept it out, and that fix in this very Dockerfile.

use crate::config::Config;
use crate::report::image::LayerOut;
use miette::Result;
use plimsoll_analyzer::context::Listing;
use plimsoll_analyzer::diagnostic::{Applicability, Diagnostic};
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_parser::source::LineIndex;
use plimsoll_rules::{Group, Settings};
use serde::Serialize;
use std::path::Path;

/// What would mend something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// The rule that speaks of it.
    pub rule: Option<String>,
    /// What to do, in a sentence.
    pub advice: String,
    /// The title of a fix for this line.
    pub fix: Option<String>,
    /// `safe`, `unsafe` or `manual`.
    pub applicability: Option<&'static str>,
    /// The line as it would read.
    pub fixed: Option<String>,
}

/// The rule that keeps this path's cache out of layers. Each rule says itself in which paths its fix may change an image.
pub fn cache_rule(path: &str) -> Option<&'static str> {
    let rooted = format!("/{path}");
    let holds = |glob: &&'static str| match glob.strip_suffix("/**") {
        Some(folder) if !folder.is_empty() => match folder.split_once('*') {
            // `/home/*/.cache/pip`
            Some((before, after)) => rooted.strip_prefix(before).is_some_and(|rest| {
                rest.split_once('/').is_some_and(|(_, rest)| rest.starts_with(after.trim_start_matches('/')))
            }),
            None => rooted.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
        },
        _ => **glob == rooted,
    };
    // A whole top folder is where packages go; it is no cache's.
    let deep = |glob: &&'static str| glob.trim_end_matches("/**").matches('/').count() > 1;
    // What apk keeps of itself in these folders is no cache.
    let excepted = rooted.starts_with("/lib/apk/") || rooted.starts_with("/etc/apk/");
    let rules = plimsoll_rules::ALL.iter().map(|rule| rule.meta());
    let mut rules = rules.filter(|meta| meta.group == Group::LayerSize && !excepted);
    rules.find(|meta| meta.may_change.iter().filter(|glob| deep(glob)).any(&holds)).map(|meta| meta.id)
}

/// A finding of the rules on some lines.
#[derive(Debug, Clone)]
struct Known {
    rule: &'static str,
    line: u32,
    last_line: u32,
    fix: Option<(String, Applicability, String)>,
}

/// What the rules find in the Dockerfile of an image.
#[derive(Debug, Default)]
pub struct Mending {
    known: Vec<Known>,
}

impl Mending {
    /// What rules find in this text.
    pub fn of(text: &str, config: &Config, path: &Path, listing: Option<&Listing>) -> Result<Self> {
        let file = plimsoll_parser::parse(text);
        let settings = config.lint_settings(path)?;
        let model = Model::new(&file, Inputs { listing, ..Inputs::default() });
        let lines = LineIndex::new(text);
        let line = |at: u32| lines.line(at);
        let found = plimsoll_rules::check_all(&model, &Settings { disregard_comments: true, ..settings });
        let known = found.iter().map(|diagnostic| {
            let holder = file
                .instructions
                .iter()
                .find(|instruction| (instruction.range.start..instruction.range.end).contains(&diagnostic.range.start));
            let range = holder.map_or(diagnostic.range, |instruction| instruction.range);
            let fix = diagnostic
                .fix
                .as_ref()
                .and_then(|fix| Some((fix.title().to_owned(), fix.applicability(), fixed(text, diagnostic)?)));
            Known {
                rule: diagnostic.rule,
                line: line(range.start),
                last_line: line(range.end.saturating_sub(1).max(range.start)),
                fix,
            }
        });
        Ok(Self { known: known.collect() })
    }

    /// Rules that fire anywhere, with their lines.
    pub fn fired<'m>(&'m self, rule: &'m str) -> impl Iterator<Item = u32> + 'm {
        self.known.iter().filter(move |known| known.rule == rule).map(|known| known.line)
    }

    fn at(&self, rule: Option<&str>, line: u32) -> Option<&Known> {
        let here = |known: &&Known| (known.line..=known.last_line).contains(&line);
        self.known.iter().filter(here).find(|known| Some(known.rule) == rule)
    }
}

/// The instruction as it would read with the fix, where one instruction holds all of it.
fn fixed(text: &str, diagnostic: &Diagnostic) -> Option<String> {
    let fix = diagnostic.fix.as_ref()?;
    let applied = plimsoll_optimizer::apply(text, std::slice::from_ref(diagnostic), plimsoll_optimizer::Level::Unsafe);
    if applied.text == text {
        return None;
    }
    let (start, end) = (fix.range().start as usize, fix.range().end as usize);
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let after = text.get(end..)?;
    let tail = after.len() - after.find('\n').unwrap_or(after.len());
    Some(applied.text.get(line_start..applied.text.len().checked_sub(tail)?)?.trim_end().to_owned())
}

impl Remedy {
    /// For waste that came about this way.
    pub fn new(how: &str, rule: Option<&str>, blame: &LayerOut, written: &LayerOut, mending: Option<&Mending>) -> Self {
        let place = |layer: &LayerOut| match layer.line {
            Some(line) => format!("line {line}"),
            None => format!("layer {}", layer.number),
        };
        let (here, there) = (place(blame), place(written));
        let copied = matches!(written.instruction.split(' ').next(), Some("COPY" | "ADD"));
        let rule = match (rule, copied) {
            // Files that a RUN made cannot be owned by a flag of COPY.
            (Some("chown-after-copy" | "chmod-after-copy"), false) => None,
            (rule, _) => rule,
        };
        let advice = match (how, rule) {
            ("kept cache", Some(_)) => format!("empty the cache in {here} itself, or mount one"),
            ("kept cache", None) => format!("delete it in {here} itself"),
            ("deleted", _) if blame.number == written.number => format!("do not write it in {here}"),
            ("deleted", _) => format!("delete it where it is written, in {there}; a later layer only hides it"),
            ("re-owned", Some(_)) => format!("COPY --chown in {there} instead of changing owners in {here}"),
            ("re-moded", Some(_)) => format!("COPY --chmod in {there} instead of changing modes in {here}"),
            ("re-owned" | "re-moded", None) => format!("change owner and mode in {there}, where the files are made"),
            ("duplicate", _) if blame.number == written.number => {
                format!("keep one copy in {here}, and link the others")
            }
            ("duplicate", _) => {
                format!("the same bytes are in {there} already: link to them, or leave them out of {here}")
            }
            ("overwritten", _) => format!("write it once: in {here}, or in {there}"),
            _ => format!("{here} writes what {there} wrote: leave it out of one of them"),
        };
        let lines = [blame.line, written.line];
        let known = lines.into_iter().flatten().find_map(|line| mending?.at(rule, line));
        let fix = known.and_then(|known| known.fix.as_ref());
        Self {
            rule: rule.map(str::to_owned),
            advice,
            fix: fix.map(|(title, ..)| title.clone()),
            applicability: fix.map(|(_, applicability, _)| applicability.as_str()),
            fixed: fix.map(|(.., fixed)| fixed.clone()),
        }
    }

    /// What the rules can mend on a line, where they find anything that makes the image larger.
    pub fn on_line(mending: &Mending, line: u32) -> Option<Self> {
        let size = |rule: &str| plimsoll_rules::find(rule).is_some_and(|rule| rule.meta().group == Group::LayerSize);
        let here =
            mending.known.iter().filter(|known| (known.line..=known.last_line).contains(&line) && size(known.rule));
        let known = here.max_by_key(|known| (known.fix.is_some(), std::cmp::Reverse(known.rule)))?;
        let fix = known.fix.as_ref();
        Some(Self {
            rule: Some(known.rule.to_owned()),
            advice: plimsoll_rules::find(known.rule).map(|rule| rule.meta().summary().to_owned()).unwrap_or_default(),
            fix: fix.map(|(title, ..)| title.clone()),
            applicability: fix.map(|(_, applicability, _)| applicability.as_str()),
            fixed: fix.map(|(.., fixed)| fixed.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_which_caches_are_theirs() {
        for (path, rule) in [
            ("var/lib/apt/lists/deb.debian.org_x", Some("apt-lists-kept")),
            ("root/.cache/pip/http/a", Some("pip-cache-kept")),
            ("home/me/.cache/pip/http/a", Some("pip-cache-kept")),
            ("root/.npm/_cacache/a", Some("npm-cache-kept")),
            ("lib/apk/db/installed", None),
            ("var/lib/apt/listsx", None),
            ("app/main", None),
        ] {
            assert_eq!(cache_rule(path), rule, "{path}");
        }
    }

    #[test]
    fn a_fix_is_shown_as_the_line_would_read() {
        let text = "FROM debian:12\nRUN apt-get update && apt-get install -y curl\nCMD [\"a\"]\n";
        let mending = Mending::of(text, &Config::default(), Path::new("Dockerfile"), None).expect("settings");
        let known = mending.at(Some("apt-lists-kept"), 2).expect("found");
        let (_, _, fixed) = known.fix.as_ref().expect("a fix");
        assert_eq!(fixed, "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*");
    }
}
