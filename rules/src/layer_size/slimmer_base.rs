//! `slimmer-base`

use crate::prelude::{Base, Diagnostic, Edit, Fix, Fixable, Group, Kind, Model, Rule, Severity};

crate::declare_rule! {
    /// A slimmer variant of the base image exists.
    ///
    /// `-slim` images of Debian, Python, Node, Ruby and others leave out compilers, headers and documentation. Whether the program
    /// needs them shows when both are built and run: the fix is a proposal.
    ///
    /// ```dockerfile,bad
    /// FROM python:3.12
    /// CMD ["python3"]
    /// ```
    /// ```dockerfile,good
    /// FROM python:3.12-slim
    /// CMD ["python3"]
    /// ```
    pub SlimmerBase {
        id: "slimmer-base", aliases: &[], since: "0.1.0",
        group: Group::LayerSize, severity: Severity::Info, fixable: Fixable::Always,
    }
}

impl Rule for SlimmerBase {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        let Some(last) = model.last_stage() else { return };
        for stage in model.stages().stages.iter().filter(|stage| model.stands_on(last.index, stage.index)) {
            let Base::Image(_) = &stage.base else { continue };
            let Some(step) = model.steps_of(stage.index).first() else { continue };
            let Kind::From(from) = &step.instruction.kind else { continue };
            let Some(slim) = slimmer(&from.image) else { continue };
            let fix = Fix::manual(format!("take {slim}"), [Edit::replace(from.image.range, slim.clone())]);
            found.push(Diagnostic::new(Self::META.id, from.image.range, format!("{slim} is smaller")).with_fix(fix));
        }
    }
}

/// The name of the slim variant, where the image is known to have one and is none itself.
fn slimmer(image: &str) -> Option<String> {
    const WITH_SLIM: [&str; 9] = ["debian", "python", "node", "ruby", "perl", "rust", "openjdk", "php", "postgres"];
    if image.contains(['@', '$']) {
        return None;
    }
    let (name, tag) = image.rsplit_once(':')?;
    let short = name.strip_prefix("docker.io/").unwrap_or(name);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let variants = ["slim", "alpine", "distroless", "windows", "nanoserver", "onbuild", "fpm", "cli", "apache", "zts"];
    let known = WITH_SLIM.contains(&short) && !matches!(short, "php" | "postgres");
    let numbered = tag.starts_with(|c: char| c.is_ascii_digit()) || short == "debian";
    (known && numbered && !variants.iter().any(|variant| tag.contains(variant))).then(|| format!("{image}-slim"))
}
