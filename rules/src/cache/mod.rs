//! Rebuilds that could be spared, and what is sent to the builder.

pub mod apt_update_apart;
pub mod copy_of_ignored_file;
