//! Image store, builder, containers, probes and comparison.

pub mod build;
pub mod compare;
pub mod containers;
pub mod context;
pub mod digest;
pub mod engine;
pub mod exec;
pub mod export;
pub mod git;
pub mod image;
pub mod inspect;
pub mod layer;
mod owners;
pub mod plan;
pub mod probe;
pub mod reference;
pub mod registry;
pub mod rootfs;
pub mod snapshot;
pub mod store;
pub mod userns;
