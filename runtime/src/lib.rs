//! Image store, builder, containers, probes and comparison.
