//! Whether two images are the same program: configuration, files and behaviour side by side.
//!
//! Pure data comes out. What may differ is declared beforehand ([`Allowed`]); what else differs is listed, sorted, with its bytes.

pub mod behaviour;
mod config;
mod libraries;
mod member;
mod normalize;
mod session;
mod tree;

use serde::{Deserialize, Serialize};

pub use config::{RuntimeConfig, compare_configs};
pub use libraries::compare_libraries;
pub use normalize::{Compared, NOISE, NORMALIZERS, Noise, Normalizer, normalize};
pub use tree::{TreeError, TreeOptions, compare_trees};

/// What two images may differ in.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Fields of the configuration: `Labels`, `Env.PYTHON_VERSION`, `Labels.org.example.rev`.
    pub config: Vec<String>,
    /// Paths, as globs with `**`: `/var/lib/apt/lists/**`.
    pub paths: Vec<String>,
    /// Paths below which every library that a program names has to be there still, if it was; `/` for all but the
    /// distribution's own.
    pub programs: Vec<String>,
}

/// Two images side by side. Empty lists mean: the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Fields of the configuration that differ beyond what was declared.
    pub config: Vec<Difference>,
    /// Paths that differ beyond what was declared; `None` when trees were not compared.
    pub tree: Option<Vec<Difference>>,
    /// Answers that differ.
    pub behaviour: Vec<Difference>,
    /// What was declared beforehand and did differ.
    pub declared: Vec<Difference>,
    /// Probes whose answers agreed, and how many were asked.
    pub agreed: (usize, usize),
    /// Names of the normalizers and noise lists that were used.
    pub normalized: Vec<String>,
    /// Probes that gave two answers on the original alone, and were left out.
    pub flaky: Vec<String>,
}

impl Comparison {
    /// Nothing differs beyond what was declared.
    pub fn same(&self) -> bool {
        self.config.is_empty() && self.behaviour.is_empty() && self.tree.as_ref().is_none_or(Vec::is_empty)
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The field, path or probe.
    pub subject: String,
    /// How.
    pub kind: DifferenceKind,
    /// On the left: the original.
    pub before: Option<String>,
    /// On the right.
    pub after: Option<String>,
    /// Bytes on the right minus bytes on the left, for files.
    pub bytes: i64,
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// Only on the right.
    Added,
    /// Only on the left.
    Removed,
    /// Another value of a configuration field.
    Value,
    /// Another type of file.
    Type,
    /// Another mode.
    Mode,
    /// Another owner or group.
    Owner,
    /// Another content.
    Content,
    /// Another link target.
    Target,
    /// Other extended attributes.
    Attributes,
    /// Another answer to a probe.
    Answer,
}
