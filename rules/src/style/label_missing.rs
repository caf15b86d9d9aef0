//! `label-missing`

use crate::prelude::{Base, Diagnostic, Fixable, Group, Model, Options, Rule, Severity, unquoted};

crate::declare_rule! {
    /// An image lacks a label of the schema.
    ///
    /// A stage counts when nothing else stands on it or takes files from it.
    ///
    /// ```dockerfile,bad,labels=org.example.name:text
    /// FROM debian:12
    /// ```
    /// ```dockerfile,good,labels=org.example.name:text
    /// FROM debian:12
    /// LABEL org.example.name="app"
    /// ```
    pub LabelMissing {
        id: "label-missing", aliases: &["DL3049"], since: "0.1.0",
        group: Group::Style, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for LabelMissing {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        let stages = &model.stages().stages;
        for stage in stages {
            let only_copied_from = stages.iter().any(|other| other.uses.contains(&stage.index))
                && !stages.iter().any(|other| other.index != stage.index && model.stands_on(other.index, stage.index));
            if only_copied_from {
                continue;
            }
            let Some(step) = model.steps_of(stage.index).first() else { continue };
            for name in options.label_schema.keys() {
                let has = |at: usize| {
                    crate::labels::pairs(model)
                        .any(|(step, pair)| step.stage == Some(at) && unquoted(&pair.key) == name)
                };
                let somewhere = stages.iter().any(|other| {
                    (model.stands_on(stage.index, other.index)
                        || other.index > stage.index && inherits_only(model, other.index, stage.index))
                        && has(other.index)
                });
                if !somewhere {
                    found.push(Diagnostic::new(
                        Self::META.id,
                        step.instruction.keyword.range,
                        format!("the image has no label {name}"),
                    ));
                }
            }
        }
    }
}

/// Whether every image that comes of `base` has what `stage` adds: there is no other stage on it.
fn inherits_only(model: &Model<'_>, stage: usize, base: usize) -> bool {
    let direct =
        |at: usize| matches!(model.stages().stages.get(at).map(|s| &s.base), Some(Base::Stage(b)) if *b == base);
    direct(stage)
}
