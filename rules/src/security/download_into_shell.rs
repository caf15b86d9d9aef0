//! `download-into-shell`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// What comes over the network is run at once.
    ///
    /// Nobody sees what it was, and the next build may run something else. Download, compare the digest, run.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN curl -fsSL https://example.org/install.sh | sh
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.org/install.sh /tmp/
    /// RUN sh /tmp/install.sh
    /// ```
    pub DownloadIntoShell {
        id: "download-into-shell", aliases: &[], since: "0.1.0",
        group: Group::Security, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for DownloadIntoShell {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        const SHELLS: [&str; 10] = ["sh", "bash", "dash", "ash", "zsh", "python", "python3", "perl", "ruby", "node"];
        for run in model.runs() {
            for (at, command) in run.commands.iter().enumerate() {
                if !command.place.piped || !command.is_any(&["curl", "wget"]) {
                    continue;
                }
                let same = |other: &&plimsoll_analyzer::commands::Cmd<'_>| {
                    let (a, b) = (other.place, command.place);
                    (a.depth, a.item, a.link) == (b.depth, b.item, b.link) && a.stage > b.stage
                };
                let rest = run.commands.get(at + 1..).unwrap_or_default();
                let shell = rest.iter().take_while(same).find(|other| {
                    let program = if other.is("sudo") {
                        other.subcommand().map_or("", |arg| arg.text.as_ref())
                    } else {
                        other.program()
                    };
                    SHELLS.contains(&program) && !other.has_arg("-c") && !other.has_arg("-m")
                });
                if let Some(shell) = shell {
                    let range = command.words_range.cover(shell.words_range);
                    found.push(Diagnostic::new(Self::META.id, range, "a download is run without a look at it"));
                }
            }
        }
    }
}
