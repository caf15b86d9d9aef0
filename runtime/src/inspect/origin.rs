//! Which line of a Dockerfile made which entry of an image's history.
//!
//! An image does not know its Dockerfile. Both are lists of instructions in one order, so they are laid side by side as two
//! versions of a text are: the pairs that resemble one another most, none crossing another. What stands before the first
//! pair came with the base image.

use std::collections::BTreeSet;

use plimsoll_analyzer::stages::{Base, Stages};
use plimsoll_parser::TextRange;
use plimsoll_parser::source::LineIndex;
use plimsoll_parser::syntax::{Dockerfile, Kind};

use crate::image::History;

/// An instruction of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its line, from 1.
    pub line: u32,
    /// Its last line.
    pub last_line: u32,
    /// Its bytes.
    pub range: TextRange,
    /// Its text on one line.
    pub text: String,
}

/// A history beside a Dockerfile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// For each entry of the history, the instruction that made it.
    pub entries: Vec<Option<Origin>>,
    /// Entries before this one came with the base image.
    pub base: usize,
    /// The FROM of the base image.
    pub from: Option<Origin>,
    /// The name of the base image; none for scratch.
    pub base_name: Option<String>,
}

/// Lays a history beside the stage of a Dockerfile that made it: the last one, or the one of that name or number.
pub fn align(history: &[History], file: &Dockerfile<'_>, stages: &Stages, target: Option<&str>) -> Origins {
    let mut origins = Origins { entries: vec![None; history.len()], base: 0, from: None, base_name: None };
    let by_name = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let named = stages.stages.iter().position(|stage| stage.name.as_deref() == Some(&lower));
        named.or_else(|| name.parse().ok())
    };
    let last = stages.stages.len().checked_sub(1);
    let Some(mut stage) = target.map_or(last, by_name).and_then(|stage| stages.stages.get(stage)) else {
        return origins;
    };
    let lines = LineIndex::new(file.text);
    let origin = |index: usize| {
        let range = file.instructions.get(index)?.range;
        let text = file.text.get(range.start as usize..range.end as usize)?;
        Some(Origin {
            line: lines.line(range.start),
            last_line: lines.line(range.end.saturating_sub(1).max(range.start)),
            range,
            text: one_line(text),
        })
    };
    let mut made_by: Vec<Origin> = Vec::new();
    for _ in 0..=stages.stages.len() {
        let own = stage.instructions.clone().rev();
        let own = own.filter(|index| !matches!(file.instructions.get(*index).map(|i| &i.kind), Some(Kind::From(_))));
        made_by.extend(own.filter_map(origin));
        origins.from = origin(stage.from);
        match &stage.base {
            Base::Stage(below) => match stages.stages.get(*below) {
                Some(below) => stage = below,
                None => break,
            },
            Base::Image(name) | Base::Unresolved(name) => {
                origins.base_name = Some(name.clone());
                break;
            }
            Base::Scratch => break,
        }
    }
    // Both from the end: that is where they surely agree, since the base image's history comes first.
    let said: Vec<Said> = history.iter().rev().map(|entry| Said::of(entry.created_by.as_deref())).collect();
    let written: Vec<Said> = made_by.iter().map(|origin| Said::of(Some(&origin.text))).collect();
    let mut base = history.len();
    for (entry, instruction) in pairs(&said, &written) {
        let place = history.len() - 1 - entry;
        origins.entries[place] = made_by.get(instruction).cloned();
        base = base.min(place);
    }
    origins.base = if origins.base_name.is_some() { base } else { 0 };
    origins
}

/// Which of two lists of instructions are the same ones, none crossing another.
pub fn pair(before: &[&str], after: &[&str]) -> Vec<(usize, usize)> {
    let said = |texts: &[&str]| texts.iter().map(|text| Said::of(Some(text))).collect::<Vec<_>>();
    let (a, b) = (said(before), said(after));
    // Two RUNs that share hardly a word are two instructions.
    let like = |&(i, j): &(usize, usize)| a[i].likeness(&b[j]) >= 10 + 25;
    pairs(&a, &b).into_iter().filter(like).collect()
}

/// The text of an instruction without line ends, continuations and comments between them.
fn one_line(text: &str) -> String {
    let lines = text.lines().enumerate().filter(|(at, line)| *at == 0 || !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|(_, line)| line.trim_end().trim_end_matches(['\\', '`']).split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

/// An instruction as history or a Dockerfile has it.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    keyword: String,
    words: BTreeSet<String>,
}

impl Said {
    fn of(text: Option<&str>) -> Self {
        const SHELL: [&str; 2] = ["/bin/sh -c #(nop) ", "/bin/sh -c #(nop)"];
        let text = text.unwrap_or_default().trim();
        let text = text.strip_suffix("# buildkit").unwrap_or(text).trim();
        let nop = SHELL.iter().find_map(|shell| text.strip_prefix(shell));
        let text = nop.unwrap_or(text).trim();
        let first = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        const KEYWORDS: &[&str] = &[
            "ADD",
            "ARG",
            "CMD",
            "COPY",
            "ENTRYPOINT",
            "ENV",
            "EXPOSE",
            "HEALTHCHECK",
            "LABEL",
            "MAINTAINER",
            "ONBUILD",
            "RUN",
            "SHELL",
            "STOPSIGNAL",
            "USER",
            "VOLUME",
            "WORKDIR",
        ];
        let (keyword, rest) = if KEYWORDS.contains(&first.as_str()) {
            let rest = text.get(first.len()..).unwrap_or_default();
            (first, rest)
        } else {
            ("RUN".to_owned(), text)
        };
        let mut rest = rest.trim();
        if keyword == "RUN" {
            // `|2 A=1 B=2 /bin/sh -c command`
            if let Some((shell, command)) = rest.split_once(" -c ")
                && (shell.starts_with('|') || shell.starts_with('/'))
            {
                rest = command;
            }
        }
        let words = rest.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']' | '=' | ';'));
        let words = words.filter(|word| !word.is_empty() && *word != "\\" && !word.starts_with("--mount"));
        Self { keyword, words: words.map(str::to_owned).collect() }
    }

    /// How much two resemble one another; nothing where the keywords differ.
    fn likeness(&self, other: &Self) -> u32 {
        if self.keyword != other.keyword {
            return 0;
        }
        let common = self.words.intersection(&other.words).count();
        let all = self.words.len() + other.words.len();
        let share = (200 * common).checked_div(all).unwrap_or(100);
        10 + u32::try_from(share).unwrap_or(0)
    }
}

/// The pairs with the greatest likeness in sum, none crossing another; of several such, those nearest to the start.
fn pairs(a: &[Said], b: &[Said]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    let mut best = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let likeness = a[i].likeness(&b[j]);
            let paired = if likeness > 0 { likeness + best[(i + 1) * width + j + 1] } else { 0 };
            best[i * width + j] = paired.max(best[(i + 1) * width + j]).max(best[i * width + j + 1]);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found = Vec::new();
    while i < a.len() && j < b.len() {
        let likeness = a[i].likeness(&b[j]);
        let here = best[i * width + j];
        if likeness > 0 && here == likeness + best[(i + 1) * width + j + 1] {
            found.push((i, j));
            i += 1;
            j += 1;
        } else if here == best[i * width + j + 1] {
            j += 1;
        } else {
            i += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_analyzer::stages::Platform;

    fn lines(dockerfile: &str, history: &[&str]) -> (Vec<Option<u32>>, usize) {
        let file = plimsoll_parser::parse(dockerfile);
        let stages = Stages::resolve(&file, &std::collections::BTreeMap::new(), &Platform::default());
        let history: Vec<History> =
            history.iter().map(|text| History { created_by: Some((*text).to_owned()), ..History::default() }).collect();
        let origins = align(&history, &file, &stages, None);
        (origins.entries.iter().map(|entry| entry.as_ref().map(|origin| origin.line)).collect(), origins.base)
    }

    const DOCKERFILE: &str = "FROM debian:12\nENV A=1\nRUN apt-get update && \\\n  apt-get install -y curl\nCOPY . /app\nCMD [\"/app/run\"]\n";

    #[test]
    fn buildkits_history() {
        let history = [
            "/bin/sh -c #(nop) ADD file:abc in / ",
            "/bin/sh -c #(nop)  CMD [\"bash\"]",
            "ENV A=1",
            "RUN /bin/sh -c apt-get update &&   apt-get install -y curl # buildkit",
            "COPY . /app # buildkit",
            "CMD [\"/app/run\"]",
        ];
        assert_eq!(lines(DOCKERFILE, &history), (vec![None, None, Some(2), Some(3), Some(5), Some(6)], 2));
    }

    #[test]
    fn the_old_builders_history() {
        let history = [
            "/bin/sh -c #(nop) ADD file:abc in / ",
            "/bin/sh -c #(nop)  CMD [\"bash\"]",
            "/bin/sh -c #(nop)  ENV A=1",
            "/bin/sh -c apt-get update &&   apt-get install -y curl",
            "/bin/sh -c #(nop) COPY dir:123 in /app ",
            "/bin/sh -c #(nop)  CMD [\"/app/run\"]",
        ];
        assert_eq!(lines(DOCKERFILE, &history), (vec![None, None, Some(2), Some(3), Some(5), Some(6)], 2));
    }

    #[test]
    fn a_line_that_changed_since_keeps_its_place() {
        let history = ["ADD rootfs", "ENV A=1", "RUN /bin/sh -c make install", "COPY . /app", "CMD [\"/app/run\"]"];
        assert_eq!(lines(DOCKERFILE, &history).0, [None, Some(2), Some(3), Some(5), Some(6)]);
    }

    #[test]
    fn stages_that_stand_on_stages() {
        let dockerfile = "FROM a AS one\nRUN first\nFROM b\nRUN never\nFROM one\nRUN second\n";
        assert_eq!(lines(dockerfile, &["RUN base", "RUN first", "RUN second"]), (vec![None, Some(2), Some(6)], 1));
    }

    #[test]
    fn nothing_is_base_on_scratch() {
        assert_eq!(lines("FROM scratch\nCOPY a /\n", &["COPY a /"]), (vec![Some(2)], 0));
    }
}
