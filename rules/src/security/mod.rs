//! Secrets, privileges and what comes over the network.

