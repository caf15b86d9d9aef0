//! What a Dockerfile means: stages, scopes, shells, the commands of RUN, and what COPY takes from the build context.

pub mod commands;
pub mod context;
pub mod diagnostic;
pub mod facts;
pub mod merge;
pub mod model;
pub mod pragma;
pub mod scope;
pub mod shell;
pub mod stages;

pub use diagnostic::{Applicability, Diagnostic, Fix, Severity};
pub use model::{Inputs, Model};
