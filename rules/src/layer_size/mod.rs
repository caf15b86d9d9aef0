//! Bytes in the image that need not be there.

mod after_copy;
pub mod apk_cache_kept;
pub mod apt_lists_kept;
pub mod archive_copied;
pub mod build_tools_shipped;
pub mod chmod_after_copy;
pub mod chown_after_copy;
pub mod composer_cache_kept;
pub mod conda_cache_kept;
pub mod consecutive_runs;
pub mod dnf_cache_kept;
pub mod gem_cache_kept;
pub mod huge_lastlog;
pub mod large_file;
pub mod npm_cache_kept;
pub mod pip_cache_kept;
pub mod recommended_packages;
pub mod removed_later;
pub mod slimmer_base;
pub mod tool_cache_kept;
pub mod wget_and_curl;
pub mod yarn_cache_kept;
pub mod yum_cache_kept;
pub mod zypper_cache_kept;
