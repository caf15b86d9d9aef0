//! Owners given where files are copied, instead of in a layer that holds every file again.

use super::two_stage::from_context;
use super::{Input, Move, NotApplicable, Step, made_anew};
use crate::apply::{Level, splice};
use crate::chain::{Chain, Link, dialects};
use crate::files::Files;
use crate::place::{Place, places};
use crate::sheet::Sheet;
use plimsoll_parser::syntax::Kind;
use plimsoll_parser::{Edit, TextRange};

/// `COPY . /app`, `RUN chown -R app /app` → `COPY --chown=app . /app`, `RUN chown app /app`
pub(crate) struct OwnersAtCopy;

impl Move for OwnersAtCopy {
    fn name(&self) -> &'static str {
        "owners-at-copy"
    }
    fn title(&self) -> &'static str {
        "owners set at COPY"
    }
    fn explain(&self) -> &'static str {
        "A recursive chown puts every file into one more layer. Files get their owner when they are copied, and chown \
         keeps to the directory itself. Relies on the base's own files there having that owner already."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        if let Some(error) = sheet.file.errors.first() {
            return Err(NotApplicable::because(format!("the file does not parse: {}", error.message)));
        }
        let places = places(&sheet.file, input.base);
        let dialects = dialects(&sheet.file.instructions);
        let mut edits = Vec::new();
        let mut reason = "no recursive chown follows a COPY".to_owned();
        for (index, instruction) in sheet.instructions() {
            let Some(chain) = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default()) else {
                continue;
            };
            for link in &chain.links {
                match rewrite(&sheet, &places, index, link, input) {
                    Ok(found) => edits.extend(found),
                    Err(Some(why)) => reason = why,
                    Err(None) => {}
                }
            }
        }
        // Two of them over the same COPY: whoever comes last would win, which one edit cannot say.
        edits.sort_by_key(|edit: &Edit| edit.range);
        let disjoint = edits.iter().zip(edits.iter().skip(1)).all(|(a, b)| a.range.end < b.range.start);
        if !disjoint {
            return Err(NotApplicable::because("several chowns change the same files"));
        }
        if edits.is_empty() {
            return Err(NotApplicable::because(reason));
        }
        Ok(Step {
            may_change: made_anew(),
            ..Step::of(Files {
                dockerfile: splice(&input.files.dockerfile, &edits),
                dockerignore: input.files.dockerignore.clone(),
            })
        })
    }
}

fn rewrite(
    sheet: &Sheet<'_>,
    places: &[Place],
    index: usize,
    link: &Link,
    input: &Input<'_>,
) -> Result<Vec<Edit>, Option<String>> {
    if link.program() != "chown" {
        return Err(None);
    }
    let flags: Vec<_> = link.args().iter().filter(|word| word.text.starts_with('-')).collect();
    let [flag] = flags.as_slice() else { return Err(None) };
    if !matches!(flag.text.as_str(), "-R" | "--recursive") || link.decorated {
        return Err(None);
    }
    let unknown = || Some(format!("`{}` depends on a variable", link.line()));
    let place = places.get(index).ok_or(None)?;
    let known = |text: &str| place.expand(text, sheet.file.escape);
    let plain: Vec<_> = link.args().iter().filter(|word| !word.text.starts_with('-')).collect();
    let [owner, path] = plain.as_slice() else { return Err(Some(format!("`{}` names several paths", link.line()))) };
    if path.text.contains(['*', '?', '`', '(']) || owner.text.contains(['`', '(']) {
        return Err(unknown());
    }
    let name = known(&owner.text).ok_or_else(unknown)?;
    let path = known(&path.text).and_then(|path| place.absolute(&path)).ok_or_else(unknown)?;
    let inside = |other: &str| other == path || other.starts_with(&format!("{}/", path.trim_end_matches('/')));
    let user = name.split([':', '.']).next().unwrap_or_default().to_owned();
    let stage_start = sheet.stages().into_iter().rev().find(|from| *from < index).unwrap_or(0);
    let mut edits = Vec::new();
    let mut made = false;
    for (at, earlier) in
        sheet.instructions().skip(stage_start + 1).take(index - stage_start - 1).collect::<Vec<_>>().into_iter().rev()
    {
        match &earlier.kind {
            Kind::Copy(copy) | Kind::Add(copy) => {
                let place = places.get(at).ok_or(None)?;
                let to = place.expand(&copy.destination, sheet.file.escape).and_then(|to| place.absolute(&to));
                let to =
                    to.ok_or_else(|| Some(format!("where `{}` copies to is not known", copy.destination.as_str())))?;
                if !inside(&to) {
                    if path.starts_with(&format!("{}/", to.trim_end_matches('/'))) {
                        return Err(Some(format!("only a part of what goes to {to} changes its owner")));
                    }
                    continue;
                }
                if copy.chown.is_some() {
                    continue;
                }
                if made {
                    return Err(Some(format!("{user} is made after the files are copied")));
                }
                if from_context(earlier).is_none() && copy.from.is_none() {
                    return Err(None);
                }
                edits.push(Edit::insert(earlier.keyword.range.end, format!(" --chown={name}")));
            }
            Kind::Run(_) => {
                let text = sheet.bare(at);
                made |= ["useradd", "adduser", "groupadd", "addgroup"].iter().any(|tool| text.contains(tool))
                    && text.contains(&user);
                // Not what installs elsewhere: those files keep their owner either way.
                let elsewhere = [
                    "apt-get ",
                    "pip",
                    "useradd",
                    "adduser",
                    "groupadd",
                    "addgroup",
                    "mkdir",
                    "chmod +x /usr",
                    "rm -rf /var",
                ];
                if !elsewhere.iter().any(|tool| text.contains(tool))
                    || (text.contains(&path)
                        && !text.contains("adduser")
                        && !text.contains("useradd")
                        && !text.contains("mkdir"))
                {
                    return Err(Some(format!("`{}` may make files there", text.lines().next().unwrap_or_default())));
                }
            }
            _ => {}
        }
    }
    if edits.is_empty() {
        return Err(None);
    }
    let before = link
        .words
        .iter()
        .take_while(|word| word.range != flag.range)
        .last()
        .map_or(flag.range.start, |word| word.range.end);
    edits.push(Edit::delete(TextRange { start: before, end: flag.range.end }));
    let _ = input;
    Ok(edits)
}
