//! Files that give another image tomorrow.

pub mod latest_base;
pub mod platform_constant;
pub mod untagged_base;
