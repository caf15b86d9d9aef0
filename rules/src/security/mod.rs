//! Secrets, privileges and what comes over the network.

pub mod last_user_root;
pub mod secret_in_variable;
pub mod sudo;
pub mod untrusted_registry;
pub mod user_not_numeric;
