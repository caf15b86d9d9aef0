//! What a rule is: what it says of itself and how it looks at a file.

use crate::options::Options;
use plimsoll_analyzer::diagnostic::{Diagnostic, Severity};
use plimsoll_analyzer::model::Model;

/// What kind of harm a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Bytes in the image.
    LayerSize,
    /// Rebuilds that could be spared, and what is sent to the builder.
    Cache,
    /// The build or the container does not do what is meant.
    Correctness,
    /// Secrets, privileges and what comes over the network.
    Security,
    /// The same file gives another image tomorrow.
    Reproducibility,
    /// Form.
    Style,
    /// Shell code in RUN.
    Shell,
}

impl Group {
    /// Its name in reports and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LayerSize => "layer-size",
            Self::Cache => "cache",
            Self::Correctness => "correctness",
            Self::Security => "security",
            Self::Reproducibility => "reproducibility",
            Self::Style => "style",
            Self::Shell => "shell",
        }
    }
}

/// Whether a rule brings fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fixable {
    /// Never.
    No,
    /// Where the meaning is certain.
    Sometimes,
    /// Always.
    Always,
}

impl Fixable {
    /// Its name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Sometimes => "sometimes",
            Self::Always => "always",
        }
    }
}

/// What a rule says of itself.
#[derive(Debug)]
pub struct Meta {
    /// Its own kebab-case name: what is wrong.
    pub id: &'static str,
    /// Names it has in other linters.
    pub aliases: &'static [&'static str],
    /// The first version with it.
    pub since: &'static str,
    /// What kind of harm it speaks of.
    pub group: Group,
    /// How grave it is unless configured.
    pub severity: Severity,
    /// Whether it brings fixes.
    pub fixable: Fixable,
    /// Paths and config keys in which the image may differ after its safe fixes.
    pub may_change: &'static [&'static str],
    /// The lines of its manual page.
    pub page: &'static [&'static str],
}

impl Meta {
    /// The first line of the page, without its full stop.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.page.first().map_or("", |line| line.trim()).trim_end_matches('.')
    }
    /// Whether `name` is its id or one of its aliases, letter case ignored.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name) || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    }
}

/// A rule's own account; written by [`declare_rule!`](crate::declare_rule).
pub trait Declared {
    /// What it says of itself.
    fn meta(&self) -> &'static Meta;
}

/// One rule. It looks at the model and adds what it finds.
pub trait Rule: Declared + Sync {
    /// Adds findings.
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>);
    /// The same for a rule that has options.
    fn check_with(&self, model: &Model<'_>, _options: &Options, found: &mut Vec<Diagnostic>) {
        self.check(model, found);
    }
    /// Whether it asks what stands in the build context. A caller need not list a folder for rules that do not.
    fn reads_context(&self) -> bool {
        false
    }
}

/// Declares a rule: a unit struct and what it says of itself. Its doc comment is its manual page.
#[macro_export]
macro_rules! declare_rule {
    (
        $(#[doc = $doc:literal])*
        pub $name:ident {
            id: $id:literal, aliases: $aliases:expr, since: $since:literal,
            group: $group:expr, severity: $severity:expr, fixable: $fixable:expr,
            $(may_change: $may_change:expr,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl $name {
            /// What the rule says of itself.
            pub const META: $crate::rule::Meta = $crate::rule::Meta {
                id: $id,
                aliases: $aliases,
                since: $since,
                group: $group,
                severity: $severity,
                fixable: $fixable,
                may_change: $crate::declare_rule!(@list $($may_change)?),
                page: &[$($doc),*],
            };
        }
        impl $crate::rule::Declared for $name {
            fn meta(&self) -> &'static $crate::rule::Meta {
                const { &Self::META }
            }
        }
    };
    (@list) => { &[] };
    (@list $list:expr) => { $list };
}
