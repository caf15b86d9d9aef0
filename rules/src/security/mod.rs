//! Secrets, privileges and what comes over the network.

pub mod add_without_checksum;
pub mod download_into_shell;
pub mod last_user_root;
pub mod secret_file_copied;
pub mod secret_in_variable;
pub mod secret_value;
pub mod sudo;
pub mod untrusted_registry;
pub mod user_not_numeric;
