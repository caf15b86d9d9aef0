//! Commands whose status or arguments go astray.

use super::FactKind;
use super::walk::Walk;
use plimsoll_parser::TextRange;
use plimsoll_parser::shell::{Command, Pipeline, Simple, Word, WordPart};

impl Walk<'_> {
    pub(super) fn command_facts(&mut self, simple: &Simple<'_>, checked: bool) {
        let Some(first) = simple.words.first() else {
            self.argument_facts(simple, "");
            return;
        };
        let name = first.literal().unwrap_or_default();
        let args = simple.words.get(1..).unwrap_or_default();
        self.argument_facts(simple, &name);
        self.portable_command_facts(simple, &name);
        match name.as_ref() {
            "cd" => {
                let up = args.first().is_some_and(|word| {
                    word.literal().is_some_and(|path| path.split('/').all(|part| matches!(part, "" | "." | "..")))
                });
                if !checked && !self.errexit && !up {
                    self.tell(
                        FactKind::UncheckedCd,
                        first.range.cover(simple.words.last().map_or(first.range, |w| w.range)),
                        "cd",
                    );
                }
            }
            "export" | "local" | "declare" | "readonly" | "typeset" => {
                for word in args {
                    let Some((variable, _)) = word.raw.split_once('=') else { continue };
                    if runs_command(&word.parts) {
                        let variable = variable.to_owned();
                        let start = word.range.start as usize;
                        self.tell(FactKind::MaskedStatus, TextRange::new(start, start + variable.len()), &variable);
                    }
                }
            }
            "egrep" | "fgrep" => self.tell(FactKind::OldGrep, first.range, &name),
            "mkdir" => {
                let long = |word: &Word<'_>, name: &str| word.raw.split('=').next() == Some(name);
                let short = |word: &Word<'_>, letter: char| {
                    word.raw.starts_with('-') && !word.raw.starts_with("--") && word.raw.contains(letter)
                };
                let mode = args.iter().find(|word| long(word, "--mode") || short(word, 'm'));
                let parents = args.iter().any(|word| long(word, "--parents") || short(word, 'p'));
                let deep =
                    args.iter().any(|word| !word.raw.starts_with('-') && word.raw.trim_matches('/').contains('/'));
                if let Some(mode) = mode.filter(|_| parents && deep) {
                    self.tell(FactKind::ModeWithParents, mode.range, "");
                }
            }
            "rm" => {
                let recursive = args.iter().any(|word| word.raw.starts_with('-') && word.raw.contains(['r', 'R']));
                for word in args.iter().filter(|_| recursive) {
                    let pattern = word.literal_with("\u{1}");
                    const ROOTS: [&str; 12] = [
                        "\u{1}/",
                        "\u{1}/*",
                        "/\u{1}",
                        "\u{1}/bin",
                        "\u{1}/boot",
                        "\u{1}/dev",
                        "\u{1}/etc",
                        "\u{1}/home",
                        "\u{1}/lib",
                        "\u{1}/usr",
                        "\u{1}/var",
                        "\u{1}/\u{1}",
                    ];
                    let guarded = word.parameters().iter().any(|parameter| parameter.op.is_some());
                    if ROOTS.contains(&pattern.as_str())
                        && !guarded
                        && !word.parameters().is_empty()
                        && pattern != "/\u{1}"
                    {
                        self.tell(FactKind::RemovalOfRoot, word.range, &word.raw);
                    }
                }
            }
            name => {
                let odd = name.len() > 1 && name.ends_with([',', ':', ';', ')']) && name != "::";
                if odd {
                    self.tell(FactKind::OddCommandName, first.range, name);
                }
            }
        }
    }

    pub(super) fn pipeline_facts(&mut self, pipeline: &Pipeline<'_>, checked: bool, last: bool) {
        for pipe in
            pipeline.pipes.iter().filter(|pipe| pipe.stderr && self.around.plain_sh).copied().collect::<Vec<_>>()
        {
            self.tell(FactKind::PipeBothInSh, pipe.range, "|&");
        }
        if let Some(negation) = pipeline.negated.filter(|_| !checked && !last) {
            self.tell(FactKind::IdleNegation, negation, "!");
        }
        for pair in pipeline.commands.windows(2) {
            let [Command::Simple(left), Command::Simple(right)] = pair else { continue };
            let (Some(a), Some(b)) = (left.words.first(), right.words.first()) else { continue };
            if a.is("find") && b.is("xargs") {
                let safe = |word: &Word<'_>| ["-print0", "-printf"].iter().any(|flag| word.is(flag));
                let takes = |word: &Word<'_>| {
                    word.is("--null")
                        || word.raw.starts_with("-d")
                        || word.raw.starts_with("--delimiter")
                        || word.raw.starts_with('-') && !word.raw.starts_with("--") && word.raw.contains('0')
                };
                if !left.words.iter().any(safe) && !right.words.iter().any(takes) {
                    self.tell(FactKind::FindIntoXargs, left.range, "find");
                }
            }
            let has = |words: &[Word<'_>], letter: char| {
                words
                    .iter()
                    .any(|word| word.raw.starts_with('-') && !word.raw.starts_with("--") && word.raw.contains(letter))
            };
            if a.is("grep") && b.is("wc") && has(&right.words, 'l') && !has(&left.words, 'o') && !has(&left.words, 'r')
            {
                self.tell(FactKind::CountedMatches, a.range, "grep");
            }
            if a.is("ls") && (b.is("xargs") || b.is("grep")) && !left.words.iter().any(|word| word.is("-N")) {
                if b.is("xargs") {
                    self.tell(FactKind::ListingRead, a.range, "ls");
                }
            } else if a.is("ls") {
                self.tell(FactKind::ListingRead, a.range, "ls");
            }
        }
    }

    pub(super) fn loop_facts(&mut self, words: &[Word<'_>]) {
        if let [word] = words
            && word.literal().is_some()
            && !word.has_glob()
            && !word.raw.contains(['{', '~'])
        {
            self.tell(FactKind::LoopOverOne, word.range, &word.raw);
        }
    }
}

fn runs_command(parts: &[WordPart<'_>]) -> bool {
    parts.iter().any(|part| match part {
        WordPart::Command(_) => true,
        WordPart::Double(double) => runs_command(&double.parts),
        _ => false,
    })
}
