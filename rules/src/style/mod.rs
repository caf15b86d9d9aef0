//! Form.

pub mod inline_ignore;
pub mod labels_apart;
pub mod maintainer;
pub mod redundant_target_platform;
