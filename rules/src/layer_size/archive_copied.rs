//! `archive-copied`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, unquoted};
use plimsoll_analyzer::commands::{Arg, Cmd};

crate::declare_rule! {
    /// An archive is copied in and unpacked by RUN.
    ///
    /// The archive stays in its layer beside what came out of it. ADD unpacks a local archive in one step.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY app.tar.gz /srv/
    /// RUN tar -xzf /srv/app.tar.gz
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ADD app.tar.gz /srv/
    /// ```
    pub ArchiveCopied {
        id: "archive-copied", aliases: &["DL3010"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for ArchiveCopied {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        const UNPACKERS: [&str; 10] =
            ["unzip", "gunzip", "bunzip2", "unlzma", "unxz", "zgz", "uncompress", "zcat", "gzcat", "unzstd"];
        for copy in model.copies().iter().filter(|copy| !copy.add && copy.from.is_none() && !copy.onbuild) {
            let archive = |source: &&plimsoll_parser::Text<'_>| {
                let name = base_name(unquoted(source));
                crate::correctness::add_for_files::ARCHIVES.iter().any(|end| name.ends_with(end))
            };
            let Some(source) = copy.syntax.sources.iter().find(archive) else { continue };
            let name = base_name(unquoted(source));
            let target = base_name(unquoted(&copy.syntax.destination));
            let unpacks = |command: &Cmd<'_>| {
                let tar = command.is("tar") && command.has_any_flag(&["x", "extract", "get"]);
                let named =
                    |arg: &Arg<'_>| [name, target].contains(&base_name(&arg.text)) && !base_name(&arg.text).is_empty();
                (tar || command.is_any(&UNPACKERS)) && command.args.iter().any(named)
            };
            let later = model.runs().iter().filter(|run| run.stage == copy.stage && run.index > copy.index);
            if later.flat_map(|run| &run.commands).any(unpacks) {
                found.push(Diagnostic::new(
                    Self::META.id,
                    source.range,
                    "the archive stays beside what is unpacked from it",
                ));
            }
        }
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
