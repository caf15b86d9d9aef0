//! Where images are kept and where builds take place.

use crate::Global;
use miette::{Result, miette};
use plimsoll_runtime::store::Store;
use plimsoll_runtime::userns::{self, Kind};

/// Goes to where mounts are allowed; the first thing in a command that builds or runs. Gives the ID map's description.
pub fn enter() -> Result<String> {
    let id_map = userns::enter(Kind::Auto).map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    })?;
    Ok(id_map.to_string())
}

/// Opens the store.
pub fn store(global: &Global) -> Result<Store> {
    let root = global.store.clone().unwrap_or_else(Store::default_root);
    Store::open(&root).map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    })
}
