//! Bytes in the image that need not be there.

pub mod apt_lists_kept;
pub mod consecutive_runs;
pub mod pip_cache_kept;
pub mod recommended_packages;
