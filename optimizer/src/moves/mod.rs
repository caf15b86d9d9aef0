//! Moves: the named steps of the ladder. Each is a pure function from two files and what is known around them to two
//! files, and refuses with a reason wherever it is not certain.

mod base;
mod by_rules;
mod chown;
mod context;
mod development;
mod direct;
mod distilled;
mod health;
mod jlink;
mod leisure;
mod libraries;
mod order;
mod packages;
mod purge;
mod sources;
mod two_stage;
mod unneeded;

use crate::apply::Level;
use crate::files::Files;
use plimsoll_analyzer::context::Listing;
use std::fmt;

/// What a move reads.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The files as they are.
    pub files: &'a Files,
    /// Everything in the context's directory, before any ignore file.
    pub listing: &'a Listing,
    /// The text of a small file of the context, by its path there.
    pub read: &'a dyn Fn(&str) -> Option<String>,
    /// Whether an image of this name can be had.
    pub available: &'a dyn Fn(&str) -> bool,
    /// What an image brings along, where its config was looked at.
    pub base: &'a dyn Fn(&str) -> Option<BaseFacts>,
    /// What the layer of an instruction holds, by its place in the file, where the file as it is was built.
    pub made: &'a dyn Fn(usize) -> Option<Vec<Made>>,
}

/// One entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Absolute.
    pub path: String,
    /// What became of it.
    pub kind: MadeKind,
    /// User and group.
    pub owner: (u32, u32),
}

/// What a layer did to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeKind {
    /// A file was written.
    File,
    /// A symbolic link was written.
    Link,
    /// A directory that was not there before.
    NewDir,
    /// A directory that was there before.
    Dir,
    /// It was removed.
    Gone,
}

/// What the config of a base image says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseFacts {
    /// Its variables.
    pub env: Vec<(String, String)>,
    /// Its directory; empty when it has none.
    pub workdir: String,
    /// Its user; empty when it has none.
    pub user: String,
}

/// What a move made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The files.
    pub files: Files,
    /// The step's name in the ladder, where it is not the move's own title.
    pub title: Option<String>,
    /// Globs of paths in which the images may differ, sorted.
    pub may_change: Vec<String>,
    /// In what the image's config will differ.
    pub config_changes: Vec<ConfigChange>,
    /// Paths that the image has of its own from here on: whatever they load has to be there.
    pub programs: Vec<String>,
    /// What the author should know: what was assumed, what was left alone.
    pub notes: Vec<String>,
}

/// A field of the image's config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named as in the image specification")]
pub enum ConfigField {
    Env,
    Labels,
    Cmd,
    Entrypoint,
    User,
    WorkingDir,
    ExposedPorts,
    Volumes,
    Healthcheck,
    StopSignal,
}

/// A difference of configs that a move declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigChange {
    /// Where.
    pub field: ConfigField,
    /// Of which name, in a field that has names (a variable, a label); all of the field when none.
    pub key: Option<String>,
    /// Why.
    pub why: String,
}

/// Why a move does nothing here, worded to follow the move's name and a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotApplicable(pub String);

impl NotApplicable {
    /// With this reason.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for NotApplicable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A named step of the ladder.
pub trait Move: Sync {
    /// For `--only` and `--skip`: kebab-case, never changing.
    fn name(&self) -> &'static str;
    /// Its line in the ladder.
    fn title(&self) -> &'static str;
    /// What it does and what it relies on, for people who have to trust it.
    fn explain(&self) -> &'static str;
    /// Whether the images differ only in what it declares, or a proof has to say.
    fn level(&self) -> Level;
    /// Whether it is there for the time to rebuild rather than for bytes.
    fn for_rebuilds(&self) -> bool {
        false
    }
    /// The files after it. Applied to its own result it is not applicable.
    ///
    /// # Errors
    /// Says why where there is nothing to do or certainty is lacking.
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable>;
}

/// Every move in the order in which the ladder tries them.
pub static ALL: &[&dyn Move] = &[
    &by_rules::RECOMMENDED,
    &by_rules::CACHES,
    &context::Ignored,
    &order::SourcesLast,
    &development::Production,
    &by_rules::LAYERS,
    &chown::OwnersAtCopy,
    &base::Slimmer,
    &unneeded::BuildTools,
    &leisure::Leisure,
    &two_stage::PYTHON,
    &two_stage::RUBY,
    &two_stage::SITE,
    &two_stage::NODE,
    &two_stage::PHP,
    &two_stage::GoBinary,
    &two_stage::JAVA,
    &two_stage::MADE,
    &two_stage::COMPILED,
    &purge::PurgedAtOnce,
    &jlink::Modules,
    &sources::SourcesBehind,
    &distilled::Distilled,
];

/// The move of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Move> {
    ALL.iter().copied().find(|step| step.name() == name)
}

/// Where distributions and languages keep what they install: everything a change of base may change.
fn system_paths() -> Vec<String> {
    [
        "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc", "root",
        "run", "sbin", "srv", "sys", "tmp", "usr", "var",
    ]
    .iter()
    .flat_map(|top| [format!("/{top}"), format!("/{top}/**")])
    .collect()
}

/// Where installers of a project put its modules.
fn modules() -> Vec<String> {
    let folders = ["node_modules", "vendor"].iter().flat_map(|name| [format!("**/{name}"), format!("**/{name}/**")]);
    folders.chain(made_anew()).collect()
}

/// What commands leave behind that is another each time they run: caches, logs, byte code.
fn made_anew() -> Vec<String> {
    let paths = [
        "/root/.cache/**",
        "/root/.npm/**",
        "/go/pkg/**",
        "/root/go/pkg/**",
        "/tmp/**",
        "/var/cache/**",
        "/var/log/**",
    ];
    paths.iter().chain(&["/var/lib/apt/lists/**", "**/__pycache__/**"]).map(|path| (*path).to_owned()).collect()
}

impl Step {
    /// Files and nothing to declare.
    fn of(files: Files) -> Self {
        Self {
            files,
            title: None,
            may_change: Vec::new(),
            config_changes: Vec::new(),
            programs: Vec::new(),
            notes: Vec::new(),
        }
    }
}
