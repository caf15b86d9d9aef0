//! Shell code in RUN.

pub mod pipe_hides_failure;
