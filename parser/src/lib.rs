//! Dockerfile, shell and .dockerignore syntax without losing a byte.
//!
//! [`parse`] gives a tree and a list of errors and never fails. The rules are those of the Dockerfile reference and,
//! where it is silent, what BuildKit's newest frontend does.

// No text, however broken, ends a program that reads it.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod directive;
pub mod dockerignore;
pub mod duration;
pub mod edit;
pub mod heredoc;
pub mod image_ref;
pub mod logical;
pub mod shell;
pub mod source;
pub mod syntax;
pub mod text;
pub mod tokens;
pub mod word;

mod check;
mod csv;
mod file;
mod grammar;
mod parse;
mod quote;
mod suggest;

pub use edit::Edit;
pub use grammar::{Arguments, Trigger};
pub use logical::Logical;
pub use parse::{MAX_LINE, parse, parse_tree};
pub use source::{LineIndex, Source};
pub use syntax::Dockerfile;
pub use text::{Text, TextRange};
