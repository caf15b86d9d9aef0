//! Image store, builder, containers, probes and comparison.

pub mod compare;
pub mod exec;
pub mod probe;
pub mod userns;
