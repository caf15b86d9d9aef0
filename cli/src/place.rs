//! Where images are kept and where builds take place.

use crate::Global;
use miette::{Result, miette};
use plimsoll_runtime::store::Store;
use plimsoll_runtime::userns::{self, Kind};

/// Goes to where mounts are allowed; the first thing in a command that builds or runs. Gives the ID map's description.
pub fn enter() -> Result<String> {
    let id_map = userns::enter(wanted_map()?).map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    })?;
    Ok(id_map.to_string())
}

/// The ID map that `PLIMSOLL_ID_MAP` asks for.
pub fn wanted_map() -> Result<Kind> {
    const NAME: &str = "PLIMSOLL_ID_MAP";
    match std::env::var(NAME).unwrap_or_default().as_str() {
        "" | "auto" => Ok(Kind::Auto),
        "subordinate" => Ok(Kind::Subordinate),
        "single" => Ok(Kind::Single),
        other => Err(miette!(help = "use auto, subordinate or single", "failed to read {NAME}={other}")),
    }
}

/// Opens the store.
pub fn store(global: &Global) -> Result<Store> {
    let root = global.store.clone().unwrap_or_else(Store::default_root);
    Store::open(&root).map_err(|error| match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    })
}
