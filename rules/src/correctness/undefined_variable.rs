//! `undefined-variable`

use crate::prelude::{Diagnostic, Fixable, Group, Kind, Model, Rule, Severity, Step, has_variable};
use plimsoll_parser::Text;

crate::declare_rule! {
    /// An instruction uses a variable that nothing sets.
    ///
    /// The builder puts nothing in its place. Variables of the shell in RUN and CMD are another matter.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// COPY $SRC /srv/
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ARG SRC=app
    /// COPY $SRC /srv/
    /// ```
    pub UndefinedVariable {
        id: "undefined-variable", aliases: &["UndefinedVar"], since: "0.1.0",
        group: Group::Correctness, severity: Severity::Warning, fixable: Fixable::No,
    }
}

impl Rule for UndefinedVariable {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for step in model.steps().iter().filter(|step| !step.onbuild) {
            let Some(stage) = step.stage else { continue };
            let mut told: Vec<String> = Vec::new();
            let mut own: Vec<&str> = Vec::new();
            for (word, form) in words_of(step) {
                if let Form::Declares = form {
                    own.push(word.as_str());
                    continue;
                }
                if !has_variable(word) {
                    continue;
                }
                let lookup = |name: &str| match own.contains(&name) {
                    true => Some(String::new()),
                    false => model.scopes().value(stage, step.index, name),
                };
                let expanded = match form {
                    Form::Body => plimsoll_parser::word::expand_heredoc(word, &lookup),
                    _ => plimsoll_parser::word::expand(word, model.file.escape, &lookup),
                };
                for name in expanded.map(|expanded| expanded.unmatched).unwrap_or_default() {
                    if model.scopes().declares(stage, step.index, &name) || told.contains(&name) {
                        continue;
                    }
                    found.push(Diagnostic::new(Self::META.id, word.range, format!("nothing sets ${name}")));
                    told.push(name);
                }
            }
        }
    }
}

/// How a word is expanded.
#[derive(Clone, Copy)]
enum Form {
    Word,
    Body,
    Declares,
}

/// The words of an instruction that the builder expands; an ARG's names come behind their defaults.
fn words_of<'m>(step: &Step<'m>) -> Vec<(&'m Text<'m>, Form)> {
    let plain = |words: &'m [Text<'m>]| words.iter().map(|word| (word, Form::Word)).collect::<Vec<_>>();
    match &step.instruction.kind {
        Kind::Copy(copy) | Kind::Add(copy) => {
            let mut words = plain(&copy.sources);
            words.push((&copy.destination, Form::Word));
            words.extend(
                copy.chown
                    .iter()
                    .chain(&copy.chmod)
                    .chain(&copy.checksum)
                    .chain(&copy.exclude)
                    .map(|w| (w, Form::Word)),
            );
            words.extend(step.instruction.heredocs.iter().filter(|doc| doc.expand).map(|doc| (&doc.body, Form::Body)));
            words
        }
        Kind::Env(pairs) | Kind::Label(pairs) => {
            pairs.iter().flat_map(|pair| [(&pair.key, Form::Word), (&pair.value, Form::Word)]).collect()
        }
        Kind::Arg(args) => args
            .iter()
            .flat_map(|arg| arg.default.iter().map(|word| (word, Form::Word)).chain([(&arg.name, Form::Declares)]))
            .collect(),
        Kind::Workdir(word) | Kind::User(word) | Kind::Stopsignal(word) => vec![(word, Form::Word)],
        Kind::Volume(words) => plain(words),
        Kind::Run(run) => {
            let values =
                run.mounts().iter().flat_map(|mount| mount.options.iter().filter_map(|(_, value)| value.as_ref()));
            values.map(|word| (word, Form::Word)).collect()
        }
        _ => Vec::new(),
    }
}
