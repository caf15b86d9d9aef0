//! Lint rules for Dockerfiles, with fixes.
