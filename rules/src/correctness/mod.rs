//! Builds and containers that do not do what is meant.

pub mod add_for_files;
pub mod apt_get_asks;
pub mod relative_workdir;
