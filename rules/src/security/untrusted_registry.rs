//! `untrusted-registry`

use crate::prelude::{Base, Diagnostic, Fixable, Group, Kind, Model, Options, Rule, Severity, TextRange, has_variable};

crate::declare_rule! {
    /// An image comes from a registry that is not trusted.
    ///
    /// Asks nothing unless `trusted-registries` is configured. `*` and `*.example.org` are understood; an image without a registry
    /// comes from `docker.io`.
    ///
    /// ```dockerfile,bad,registries=*.example.org
    /// FROM other.example/debian:12
    /// ```
    /// ```dockerfile,good,registries=*.example.org
    /// FROM registry.example.org/debian:12
    /// ```
    pub UntrustedRegistry {
        id: "untrusted-registry", aliases: &["DL3026"], since: "0.1.0",
        group: Group::Security, severity: Severity::Error, fixable: Fixable::No,
    }
}

impl Rule for UntrustedRegistry {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        self.check_with(model, &Options::default(), found);
    }
    fn check_with(&self, model: &Model<'_>, options: &Options, found: &mut Vec<Diagnostic>) {
        if options.trusted_registries.is_empty() {
            return;
        }
        let mut refuse = |image: &str, range: TextRange| {
            let registry = registry_of(image);
            if !options.trusted_registries.iter().any(|trusted| allows(trusted, registry)) {
                found.push(Diagnostic::new(Self::META.id, range, format!("{registry} is no trusted registry")));
            }
        };
        for step in model.steps() {
            if let Kind::From(from) = &step.instruction.kind {
                let image = from.image.as_str();
                let stage = step.stage.and_then(|stage| model.stages().stages.get(stage));
                if image != "scratch"
                    && !image.starts_with('$')
                    && !stage.is_some_and(|stage| matches!(stage.base, Base::Stage(_)))
                {
                    refuse(image, from.image.range);
                }
            }
        }
        for copy in model.copies() {
            if let Some(name) = copy.syntax.from.as_ref().filter(|name| is_image(model, name)) {
                refuse(name, name.range);
            }
        }
        for run in model.runs() {
            for mount in run.syntax.mounts() {
                if let Some(name) = mount.get(&["from"]).filter(|name| is_image(model, name)) {
                    refuse(name, name.range);
                }
            }
        }
    }
}

fn is_image(model: &Model<'_>, name: &str) -> bool {
    model.stages().find(name).is_none() && !has_variable(name) && (name.contains(['/', ':']) || name.contains('.'))
}

fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

fn allows(trusted: &str, registry: &str) -> bool {
    match trusted.strip_prefix('*') {
        Some(rest) => registry.ends_with(rest),
        None => trusted == registry || matches!((trusted, registry), ("hub.docker.com", "docker.io")),
    }
}
