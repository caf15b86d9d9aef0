//! Image store, builder, containers, probes and comparison.

pub mod compare;
pub mod digest;
pub mod exec;
pub mod image;
pub mod layer;
pub mod probe;
pub mod reference;
pub mod snapshot;
pub mod store;
pub mod userns;
