//! Files that give another image tomorrow.

pub mod apk_unpinned;
pub mod apt_unpinned;
pub mod base_without_digest;
pub mod dnf_unpinned;
pub mod gem_unpinned;
pub mod go_unpinned;
pub mod latest_base;
pub mod npm_unpinned;
pub mod pip_unpinned;
pub mod platform_constant;
pub mod untagged_base;
pub mod yum_unpinned;
pub mod zypper_dist_upgrade;
pub mod zypper_unpinned;
