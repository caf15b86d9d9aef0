//! What is said of the comments that switch findings off. It hangs on what all other rules found, so these are no rules
//! that look at a file; they are listed, explained and configured as rules are.

use crate::prelude::{Fixable, Group, Severity};
use crate::rule::Meta;

crate::declare_rule! {
    /// A comment switches off what is not found.
    ///
    /// Off unless asked for, by `--report-unused-ignores` or `report-unused-ignores = true`: the comment would hide a
    /// finding to come. The second comment here says nothing:
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// # hadolint ignore=DL3003
    /// RUN cd /tmp && make
    /// # hadolint ignore=DL3003
    /// WORKDIR /srv
    /// ```
    pub UnusedComment {
        id: "unused-ignore", aliases: &[], since: "0.1.0",
        group: Group::Style, severity: Severity::Info, fixable: Fixable::No,
    }
}

crate::declare_rule! {
    /// A `# plimsoll ignore=RULE` does not say why.
    ///
    /// Off unless asked for, by `require-reason = true`. The reason stands behind the names:
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// # plimsoll ignore=apt-lists-kept the next RUN installs from them
    /// RUN apt-get update
    /// ```
    pub ReasonlessComment {
        id: "ignore-without-reason", aliases: &[], since: "0.1.0",
        group: Group::Style, severity: Severity::Warning, fixable: Fixable::No,
    }
}

/// Both.
pub static METAS: [&Meta; 2] = [&UnusedComment::META, &ReasonlessComment::META];
