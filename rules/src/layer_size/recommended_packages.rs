//! `recommended-packages`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::commands::{Cmd, apt};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::{Model, Run};
use plimsoll_parser::Edit;

crate::declare_rule! {
    /// `apt-get install` brings packages that are only recommended.
    ///
    /// ## Why it weighs
    /// Debian installs what a package recommends unless told otherwise: `python3-pip` alone then brings a C compiler, over
    /// 200 MB. The fix is not counted as safe, because now and then a program does need a recommended package: build and
    /// compare. `ca-certificates`, without which `curl`, `wget` and `git` reach nothing over HTTPS, is kept by name.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y python3-pip
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y --no-install-recommends python3-pip
    /// ```
    pub RecommendedPackages {
        id: "recommended-packages", aliases: &["DL3015"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Always,
        may_change: &[
            "/bin/**", "/boot/**", "/etc/**", "/lib*/**", "/opt/**", "/root/**", "/run/**", "/sbin/**", "/srv/**",
            "/tmp/**", "/usr/**", "/var/**",
        ],
    }
}

impl Rule for RecommendedPackages {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for run in model.runs() {
            for command in &run.commands {
                if !apt::is_install(command) || apt::refuses_recommends(command) {
                    continue;
                }
                let verb = command.args.iter().find(|arg| arg.text == "install" && arg.known);
                let fix = verb.filter(|_| !run.is_exec()).and_then(|verb| {
                    let option = Edit::insert(verb.range.end, " --no-install-recommends");
                    let edits = std::iter::once(option).chain(certificates(model, run, command));
                    Some(Fix::risky("leave recommended packages out", edits)?.changing(Self::META.may_change))
                });
                let message = "recommended packages are installed as well";
                let diagnostic = Diagnostic::new(Self::META.id, command.words_range, message).with_fix(fix);
                found.push(diagnostic.beyond_others(command.is("apt")));
            }
        }
    }
}

const CERTIFICATES: &str = "ca-certificates";

/// `ca-certificates` before the packages of this command, if it is the first that installs a client which recommends it,
/// and nothing of the same root filesystem installs it by name.
fn certificates(model: &Model<'_>, run: &Run<'_>, command: &Cmd<'_>) -> Option<Edit> {
    let stage = run.stage?;
    let below = |run: &Run<'_>| run.stage.is_some_and(|other| model.stands_on(stage, other));
    let installs = || model.commands().filter(|(run, command)| apt::is_install(command) && below(run));
    let lists = |command: &Cmd<'_>, wanted: &dyn Fn(&str) -> bool| {
        apt::packages(command).iter().any(|package| wanted(name_of(&package.text)))
    };
    if installs().any(|(_, command)| lists(command, &|name| name == CERTIFICATES)) {
        return None;
    }
    let (_, first) = installs().find(|(_, command)| lists(command, &recommends_certificates))?;
    let before = apt::packages(command).first()?.range.start;
    (first.words_range == command.words_range).then(|| insertion(model, before))
}

/// A word before the one at `place`: on a line of its own where that begins one.
fn insertion(model: &Model<'_>, place: u32) -> Edit {
    let before = model.file.text.get(..place as usize).unwrap_or_default();
    let line = before.rfind('\n').map_or(before, |end| before.get(end + 1..).unwrap_or_default());
    if line.is_empty() || !line.trim().is_empty() {
        return Edit::insert(place, format!("{CERTIFICATES} "));
    }
    let newline = if before.ends_with(&format!("\r\n{line}")) { "\r\n" } else { "\n" };
    Edit::insert(place, format!("{CERTIFICATES} {}{newline}{line}", model.file.escape))
}

/// The package without version, release and architecture.
fn name_of(word: &str) -> &str {
    word.split(['=', '/', ':']).next().unwrap_or(word)
}

/// Whether the package, or the library it stands on, recommends the certificates that its connections are checked by.
fn recommends_certificates(name: &str) -> bool {
    matches!(name, "curl" | "wget" | "git" | "git-core" | "aria2" | "lynx" | "w3m" | "subversion" | "mercurial")
        || name.starts_with("libcurl")
        || (name.starts_with("php") && name.ends_with("-curl"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixed;

    fn run(text: &str) -> String {
        let fixed = fixed(&RecommendedPackages, &format!("FROM debian:12\nRUN {text}\n"));
        fixed.trim_start_matches("FROM debian:12\nRUN ").trim_end().to_owned()
    }

    #[test]
    fn certificates_stay_with_the_clients_that_need_them() {
        assert_eq!(run("apt-get install -y nginx"), "apt-get install --no-install-recommends -y nginx");
        let one = "apt-get install --no-install-recommends -y ca-certificates jq curl=7.88.1-10";
        assert_eq!(run("apt-get install -y jq curl=7.88.1-10"), one);
        assert_eq!(
            run("apt-get install -y \\\n      curl \\\n      git"),
            "apt-get install --no-install-recommends -y \\\n      ca-certificates \\\n      curl \\\n      git"
        );
    }

    #[test]
    fn certificates_are_named_once() {
        let named = "apt-get install -y git\nRUN apt-get install -y ca-certificates";
        assert_eq!(run(named).matches("ca-certificates").count(), 1);
        let twice = run("apt-get install -y git\nRUN apt-get install -y curl");
        assert!(twice.starts_with("apt-get install --no-install-recommends -y ca-certificates git\n"), "{twice}");
        assert_eq!(twice.matches("ca-certificates").count(), 1, "{twice}");
        let stages = run("apt-get install -y git\nFROM debian:12\nRUN apt-get install -y curl");
        assert_eq!(stages.matches("ca-certificates").count(), 2, "{stages}");
    }
}
