//! `consecutive-runs`

use crate::rule::{Fixable, Group, Rule};
use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
use plimsoll_analyzer::model::{Model, Run};

crate::declare_rule! {
    /// Two RUN instructions with one command each stand one after the other.
    ///
    /// Each makes a layer. Joined by `&&` they make one, and a file that one writes and the other removes is then never
    /// stored. Where the first changes slowly and the second often, two layers are right: ignore the finding there.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// RUN mkdir /srv/data
    /// RUN touch /srv/data/ready
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// RUN mkdir /srv/data && touch /srv/data/ready
    /// ```
    pub ConsecutiveRuns {
        id: "consecutive-runs", aliases: &["DL3059"], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Sometimes,
    }
}

impl Rule for ConsecutiveRuns {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for pair in model.runs().windows(2) {
            let [first, second] = pair else { continue };
            if first.index + 1 != second.index || first.onbuild || second.onbuild || first.stage != second.stage {
                continue;
            }
            if programs(first) > 1 || programs(second) > 1 || !same_flags(model, first, second) {
                continue;
            }
            let fix = model.joined(first, second).and_then(|edits| Fix::safe("join the two by &&", edits));
            let message = "this RUN could be joined with the one before it";
            found.push(Diagnostic::new(Self::META.id, second.instruction.keyword.range, message).with_fix(fix));
        }
    }
}

/// How many commands it has; `[` is a test rather than one.
fn programs(run: &Run<'_>) -> usize {
    run.commands.iter().filter(|command| !command.is("[")).count()
}

fn same_flags(model: &Model<'_>, first: &Run<'_>, second: &Run<'_>) -> bool {
    let flags = |run: &Run<'_>| {
        let flags = run.instruction.flags.iter();
        let mut flags: Vec<String> = flags.map(|flag| flag.range.of(model.file.text).to_owned()).collect();
        flags.sort_unstable();
        flags
    };
    flags(first) == flags(second)
}
