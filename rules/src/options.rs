//! Options of rules, as configuration files set them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What may be set for all rules together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// Registries that images may come from: host names, `*`, or `*.host`. Empty: any.
    pub trusted_registries: Vec<String>,
    /// Labels that images should have, and the form of their values.
    pub label_schema: BTreeMap<String, LabelKind>,
    /// Whether labels outside the schema are refused.
    pub strict_labels: bool,
    /// Checks that BuildKit counts as experimental and that are on.
    pub experimental: Vec<String>,
    /// Files of the context above this many bytes are named, when nothing excludes them.
    pub large_file: Option<u64>,
}

/// The form of a label's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelKind {
    /// Any text but none.
    #[serde(alias = "rawtext")]
    Text,
    /// A URL.
    Url,
    /// A date and time of RFC 3339.
    Rfc3339,
    /// An SPDX licence expression.
    Spdx,
    /// A git hash, short or long.
    Hash,
    /// A semantic version.
    Semver,
    /// A mail address.
    Email,
}

impl LabelKind {
    /// The kind of that name in configuration files.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" | "rawtext" => Self::Text,
            "url" => Self::Url,
            "rfc3339" => Self::Rfc3339,
            "spdx" => Self::Spdx,
            "hash" => Self::Hash,
            "semver" => Self::Semver,
            "email" => Self::Email,
            _ => return None,
        })
    }
}
