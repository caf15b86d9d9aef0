//! `gem-unpinned`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity};

crate::declare_rule! {
    /// `gem install` names packages without a version.
    ///
    /// ```dockerfile,bad
    /// FROM ruby:3.3
    /// RUN gem install bundler
    /// ```
    /// ```dockerfile,good
    /// FROM ruby:3.3
    /// RUN gem install bundler:2.5.11
    /// ```
    pub GemUnpinned {
        id: "gem-unpinned", aliases: &["DL3028"], since: "0.1.0",
        group: Group::Reproducibility, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for GemUnpinned {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for (_, command) in model.commands().filter(|(_, command)| command.is("gem")) {
            if !command.has_any_arg(&["install", "i"]) || command.has_any_flag(&["v", "version"]) {
                continue;
            }
            let own = command.args.split(|arg| arg.text == "--").next().unwrap_or_default();
            let words = crate::pins::operands_of_eager(own);
            let package = |text: &str| !matches!(text, "install" | "i") && !text.contains(':');
            crate::pins::tell(Self::META.id, words.iter().filter(|word| package(&word.text)), found);
        }
    }
}
