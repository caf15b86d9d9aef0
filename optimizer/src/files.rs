//! The two files an optimization reads and writes.

/// A Dockerfile and the ignore file of its build context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The Dockerfile's text.
    pub dockerfile: String,
    /// The text of `.dockerignore`; nothing when there is no such file.
    pub dockerignore: Option<String>,
}

impl Files {
    /// A Dockerfile without an ignore file.
    #[must_use]
    pub fn new(dockerfile: impl Into<String>) -> Self {
        Self { dockerfile: dockerfile.into(), dockerignore: None }
    }
    /// The same with this ignore file.
    #[must_use]
    pub fn with_ignore(mut self, text: impl Into<String>) -> Self {
        self.dockerignore = Some(text.into());
        self
    }
}
