//! Applies fixes and moves to a Dockerfile, to a fixed point.
