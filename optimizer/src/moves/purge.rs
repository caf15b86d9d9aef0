//! Build tools that are purged in a later layer are installed in that layer too.

use super::two_stage::only_stage;
use super::unneeded::packages;
use super::{Input, Move, NotApplicable, Step, system_paths};
use crate::apply::Level;
use crate::chain::{Chain, Link, dialects};
use crate::files::Files;
use crate::sheet::{Draft, Sheet};
use plimsoll_parser::syntax::Kind;

/// `RUN apt-get install gcc`, `COPY x.c .`, `RUN gcc x.c`, `RUN apt-get purge gcc` → `COPY x.c .`, one RUN
pub(crate) struct PurgedAtOnce;

impl Move for PurgedAtOnce {
    fn name(&self) -> &'static str {
        "purged-at-once"
    }
    fn title(&self) -> &'static str {
        "installed and purged in one layer"
    }
    fn explain(&self) -> &'static str {
        "What a later layer purges stays in the one that installed it. The RUNs from there to the purge become one, behind \
         the files that are copied in between: a change of these installs the packages again."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        only_stage(&sheet)?;
        let (first, last) = span(&sheet)?;
        let mut before = Draft::default();
        let mut comments = String::new();
        let mut commands: Vec<String> = Vec::new();
        let mut after = Draft::default();
        let dialects = dialects(&sheet.file.instructions);
        for (index, instruction) in sheet.instructions() {
            if index < first {
                before.push(sheet.lead(index)).push(&sheet.body(index));
                continue;
            }
            if index > last {
                after.push(sheet.lead(index)).push(&sheet.body(index));
                continue;
            }
            match &instruction.kind {
                Kind::Run(_) => {
                    let dialect = dialects.get(index).copied().unwrap_or_default();
                    let chain = Chain::of(instruction, dialect).filter(|_| instruction.flags.is_empty());
                    let chain = chain.ok_or_else(|| {
                        NotApplicable::because(
                            "a RUN between installing and purging is more than commands joined by &&",
                        )
                    })?;
                    let leaks = |link: &&Link| {
                        matches!(link.program(), "cd" | "export" | "set" | "umask" | "exit" | "exec" | ".")
                    };
                    if let Some(link) = chain.links.iter().find(leaks).filter(|_| index < last) {
                        return Err(NotApplicable::because(format!(
                            "`{}` would hold for the commands after it",
                            link.line()
                        )));
                    }
                    let start = chain.links.first().map_or(instruction.range.start, |link| link.range.start);
                    let text = sheet.file.text.get(start as usize..instruction.range.end as usize).unwrap_or_default();
                    commands.push(text.trim_end().to_owned());
                    let body = sheet.body(index);
                    comments.extend(
                        body.lines()
                            .take_while(|line| line.trim_start().starts_with('#'))
                            .flat_map(|line| [line, "\n"]),
                    );
                    if index == first {
                        before.push(sheet.lead(index));
                    }
                }
                Kind::Copy(_) | Kind::Add(_) if commands.len() == 1 => drop(before.push(&sheet.body(index))),
                Kind::Copy(_) | Kind::Add(_) | Kind::Workdir(_) if !commands.is_empty() => {
                    return Err(NotApplicable::because(format!(
                        "`{}` stands between commands that would become one",
                        sheet.bare(index).trim_end()
                    )));
                }
                Kind::Label(_) | Kind::Expose(_) | Kind::Cmd(_) | Kind::Entrypoint(_) | Kind::Stopsignal(_) => {
                    before.push(&sheet.body(index));
                }
                _ => {
                    return Err(NotApplicable::because(format!(
                        "{} stands between installing and purging",
                        instruction.keyword.as_str()
                    )));
                }
            }
        }
        let mut text = before;
        text.push(&comments);
        text.push(&format!("RUN {}\n", commands.join(" \\\n    && ")));
        text.push(&after.finish()).push(sheet.tail());
        Ok(Step {
            may_change: system_paths(),
            ..Step::of(Files { dockerfile: text.finish(), dockerignore: input.files.dockerignore.clone() })
        })
    }
}

/// The RUN that installs what a later one purges, and that one.
fn span(sheet: &Sheet<'_>) -> Result<(usize, usize), NotApplicable> {
    let dialects = dialects(&sheet.file.instructions);
    let chains: Vec<(usize, Chain)> = sheet
        .instructions()
        .filter_map(|(index, other)| Some((index, Chain::of(other, dialects.get(index).copied().unwrap_or_default())?)))
        .collect();
    let named = |link: &Link| -> Vec<String> {
        packages(link).iter().filter_map(|at| link.words.get(*at)).map(|word| word.text.clone()).collect()
    };
    let apt = |link: &Link, verbs: &[&str]| matches!(link.program(), "apt-get" | "apt") && verbs.contains(&link.verb());
    for (last, chain) in chains.iter().rev() {
        let purged: Vec<String> =
            chain.links.iter().filter(|link| apt(link, &["purge", "remove", "autoremove"])).flat_map(named).collect();
        let installer = chains.iter().filter(|(index, _)| index < last).find(|(_, chain)| {
            let installs = chain.links.iter().filter(|link| apt(link, &["install"]));
            installs.flat_map(named).any(|package| purged.contains(&package))
        });
        if let Some((first, _)) = installer {
            return Ok((*first, *last));
        }
    }
    Err(NotApplicable::because("no later layer purges what an earlier one installed"))
}
