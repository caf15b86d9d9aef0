//! What differs between two runs of the same thing, declared by name.

/// Files that differ between two builds of one Dockerfile, whatever was changed.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    /// How reports call it.
    pub name: &'static str,
    /// The paths.
    pub globs: &'static [&'static str],
    /// Why they differ.
    pub why: &'static str,
}

/// Every noise list there is. Nothing else is ever left out unsaid.
pub const NOISE: &[Noise] = &[];

/// A rewriting of output that takes out what differs between two runs.
#[derive(Debug, Clone, Copy)]
pub struct Normalizer {
    /// How reports call it.
    pub name: &'static str,
    /// What it replaces.
    pub why: &'static str,
    /// Rewrites a text.
    pub apply: fn(&str) -> String,
}

/// The normalizers of times, process IDs, ports and addresses, in the order in which they are applied.
pub fn normalizers() -> &'static [Normalizer] {
    &[]
}
