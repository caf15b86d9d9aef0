//! What a health check starts has to be there on a smaller base too.

use super::two_stage::command_line;
use super::unneeded::packages;
use crate::apply::splice;
use crate::bases::{BaseImage, BaseKind};
use crate::chain::{Chain, dialects};
use crate::sheet::Sheet;
use plimsoll_parser::Edit;
use plimsoll_parser::syntax::{Healthcheck, Kind};

/// The same text; where the last stage's health check asks with a tool that the full image of a language has and its
/// slim one has not, the tool is installed.
pub(crate) fn with_tools(text: &str, before: &BaseImage) -> String {
    let languages = [BaseKind::Python, BaseKind::Ruby, BaseKind::Node, BaseKind::Golang, BaseKind::Rust];
    if !languages.contains(&before.kind) {
        return text.to_owned();
    }
    let sheet = Sheet::of(text);
    let Some(from) = sheet.stages().last().copied() else { return text.to_owned() };
    let last_stage = || sheet.instructions().skip(from + 1);
    let check = last_stage().find_map(|(_, instruction)| match &instruction.kind {
        Kind::Healthcheck(Healthcheck::Cmd { command, .. }) => Some(command_line(command)),
        _ => None,
    });
    let uses = |line: &str, tool: &str| line.split([' ', '/', '"', ';', '|', '&', '(']).any(|word| word == tool);
    let Some(tool) = check.and_then(|line| ["curl", "wget"].into_iter().find(|tool| uses(&line, tool))) else {
        return text.to_owned();
    };
    let installed = last_stage()
        .any(|(index, instruction)| matches!(instruction.kind, Kind::Run(_)) && uses(&sheet.bare(index), tool));
    if installed {
        return text.to_owned();
    }
    let dialects = dialects(&sheet.file.instructions);
    let behind = last_stage().find_map(|(index, instruction)| {
        let chain = Chain::of(instruction, dialects.get(index).copied().unwrap_or_default())?;
        let install =
            |link: &&crate::chain::Link| matches!(link.program(), "apt-get" | "apt") && link.verb() == "install";
        let link = chain.links.iter().find(install)?.clone();
        let at = packages(&link).last().copied()?;
        link.words.get(at).map(|word| word.range.end)
    });
    let edit = match behind {
        Some(end) => Edit::insert(end, format!(" {tool}")),
        None => {
            let Some(line) = sheet.instruction(from) else { return text.to_owned() };
            let run = format!(
                "\n# the health check asks with {tool}, which slim images do not have\nRUN apt-get update \\\n    && apt-get \
                 install -y --no-install-recommends {tool} \\\n    && rm -rf /var/lib/apt/lists/*"
            );
            Edit::insert(line.range.end, run)
        }
    };
    splice(text, &[edit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_installed_once_and_where_packages_are() {
        let python = BaseImage::of("python:3.11").expect("a name");
        let check = "HEALTHCHECK CMD curl -f http://localhost/ || exit 1\n";
        let bare = with_tools(&format!("FROM python:3.11-slim\n{check}"), &python);
        assert!(
            bare.contains("RUN apt-get update \\\n    && apt-get install -y --no-install-recommends curl \\\n"),
            "{bare}"
        );
        assert_eq!(with_tools(&bare, &python), bare);
        let run = "RUN apt-get update && apt-get install -y gcc && rm -rf /x\n";
        let joined = with_tools(&format!("FROM python:3.11-slim\n{run}{check}"), &python);
        assert!(joined.contains("install -y gcc curl &&"), "{joined}");
        let none = "FROM python:3.11-slim\nHEALTHCHECK CMD python check.py\n";
        assert_eq!(with_tools(none, &python), none);
    }
}
