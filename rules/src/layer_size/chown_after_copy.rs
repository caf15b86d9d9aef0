//! `chown-after-copy`

use super::after_copy::{self, Change};
use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};
use plimsoll_analyzer::commands::Effect;

crate::declare_rule! {
    /// `chown -R` over files of an earlier layer doubles them.
    ///
    /// A layer stores every file whose owner changes once more, whole. `COPY --chown` gives them their owner as they come.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY . /srv
    /// RUN chown -R 1000:1000 /srv
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// COPY --chown=1000:1000 . /srv
    /// ```
    pub ChownAfterCopy {
        id: "chown-after-copy", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Warning, fixable: Fixable::Sometimes,
        may_change: &["/**"],
    }
}

impl Rule for ChownAfterCopy {
    fn reads_context(&self) -> bool {
        true
    }
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let change = Change {
            rule: Self::META.id,
            help: "COPY --chown gives the files their owner as they come",
            flag: "chown",
        };
        after_copy::check(
            &change,
            model,
            |effect| match effect {
                Effect::ChangeOwner { owner, paths, recursive: true } => Some((owner.as_ref(), paths)),
                _ => None,
            },
            found,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixed;

    #[test]
    fn no_copy_that_may_land_there_is_forgotten() {
        let text = "FROM debian:12\nCOPY . /srv\nRUN chown -R 1000:1000 /srv\n";
        assert_eq!(fixed(&ChownAfterCopy, text), "FROM debian:12\nCOPY --chown=1000:1000 . /srv\n");
        for other in ["COPY / $HOME", "COPY a b $WHERE/", "COPY rootfs/ /"] {
            let text = format!("FROM debian:12\n{other}\nCOPY . /srv\nRUN chown -R 1000:1000 /srv\n");
            assert_eq!(fixed(&ChownAfterCopy, &text), text);
        }
    }
}
