//! Every rule there is.

use crate::rule::Rule;

/// Every rule, by group and file name.
pub static ALL: &[&dyn Rule] = &[
    &crate::layer_size::apt_lists_kept::AptListsKept,
    &crate::layer_size::consecutive_runs::ConsecutiveRuns,
    &crate::layer_size::pip_cache_kept::PipCacheKept,
    &crate::layer_size::recommended_packages::RecommendedPackages,
    &crate::cache::apt_update_apart::AptUpdateApart,
    &crate::correctness::add_for_files::AddForFiles,
    &crate::correctness::apt_get_asks::AptGetAsks,
    &crate::correctness::relative_workdir::RelativeWorkdir,
    &crate::style::labels_apart::LabelsApart,
    &crate::style::maintainer::MaintainerInstruction,
];
