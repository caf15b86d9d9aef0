//! Rebuilds that could be spared, and what is sent to the builder.

pub mod apt_update_apart;
pub mod context_not_ignored;
pub mod copy_of_ignored_file;
pub mod dockerignore_missing;
pub mod sources_before_dependencies;
pub mod whole_context_copied;
