//! The child's part.

/// The first line of `main` of every program that starts containers: when this process was started as `plimsoll-init`, it sets a
/// container up, becomes its process and never returns.
pub fn init_if_asked() {}
