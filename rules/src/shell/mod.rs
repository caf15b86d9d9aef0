//! Shell code in RUN.

