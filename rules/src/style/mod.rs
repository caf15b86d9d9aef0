//! Form.

pub mod labels_apart;
pub mod maintainer;
