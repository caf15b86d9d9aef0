//! Shell code in RUN.
