//! Moves a Dockerfile as fixes and moves ask: to a fixed point, with an account of what was left out.

pub mod apply;
mod bases;
mod chain;
pub mod converge;
pub mod diff;
pub mod dockerignore;
pub mod files;
pub mod ladder;
pub mod ledger;
pub mod moves;
mod place;
mod sheet;

pub use apply::{Level, apply};
pub use converge::converge;
pub use files::Files;
