//! `description-format`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Options, Rule, Severity, TextRange};

crate::declare_rule! {
    /// The comment above an ARG or a named FROM does not begin with its name.
    ///
    /// `docker build --call=outline` shows such comments as descriptions when they do. Experimental in BuildKit, and off here,
    /// unless `# check=experimental=InvalidDefinitionDescription` asks for it.
    ///
    /// ```dockerfile,bad,experimental=InvalidDefinitionDescription
    /// FROM debian:12
    /// # the version
    /// ARG VERSION=1
    /// ```
    /// ```dockerfile,good,experimental=InvalidDefinitionDescription
    /// FROM debian:12
    /// # VERSION is what is built
    /// ARG VERSION=1
    /// ```
    pub DescriptionFormat {
        id: "description-format", aliases: &["InvalidDefinitionDescription"], since: "0.1.0",
        group: Group::Style, severity: Severity::Off, fixable: Fixable::No,
    }
}

impl Rule for DescriptionFormat {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        if !options.experimental.iter().any(|name| name == "all" || Self::META.is_named(name)) {
            return;
        }
        let mut before = 0;
        for step in model.steps() {
            let names: Vec<&str> = match &step.instruction.kind {
                Kind::Arg(args) => args.iter().map(|arg| arg.name.as_str()).collect(),
                Kind::From(from) => from.name.iter().map(plimsoll_parser::Text::as_str).collect(),
                _ => Vec::new(),
            };
            let above = TextRange { start: before, end: step.range.start };
            before = step.range.end;
            let mut comments = model.file.comments.iter().filter(|comment| above.contains(**comment));
            let Some(last) = comments.next_back().filter(|_| !names.is_empty()) else { continue };
            let words = last.of(model.file.text).trim_start_matches('#').trim();
            let first = words.split(' ').next().unwrap_or_default();
            if !names.contains(&first) {
                let message = "the comment above does not begin with the name";
                found.push(Diagnostic::new(Self::META.id, step.range, message).with_label(*last, "this comment"));
            }
        }
    }
}
