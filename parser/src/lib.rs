//! Dockerfile, shell and .dockerignore syntax without losing a byte.

pub mod dockerignore;
pub mod edit;
pub mod logical;
pub mod shell;
pub mod syntax;
pub mod text;

pub use edit::Edit;
pub use logical::Logical;
pub use syntax::Dockerfile;
pub use text::{Text, TextRange};
