//! Images by any name people give them: a file or folder, one of the store, of a registry, of a daemon.

use crate::Global;
use crate::command::images;
use crate::config::Config;
use crate::mend::Mending;
use crate::report::image::Beside;
use miette::{Result, miette};
use plimsoll_analyzer::stages::{Platform as BuildPlatform, Stages};
use plimsoll_runtime::digest::Digest;
use plimsoll_runtime::image::Platform;
use plimsoll_runtime::inspect::{InspectError, Inspected, Origins, Source, align};
use plimsoll_runtime::store::Store;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Opens an image. `docker:NAME` and `podman:NAME` ask a daemon, `registry:NAME` a registry; a path that exists is read as
/// an archive or layout (`PATH#NAME` says which image of several); other names are looked for in the store, then pulled.
pub fn open(global: &Global, name: &str, platform: Option<&str>) -> Result<Source> {
    let platform = match platform {
        None => Platform::host(),
        Some(text) => Platform::parse(text)
            .ok_or_else(|| miette!(help = "write it as linux/arm64", "failed to read --platform {text}"))?,
    };
    for engine in ["docker", "podman"] {
        if let Some(image) = name.strip_prefix(engine).and_then(|rest| rest.strip_prefix(':')) {
            // `docker:27-cli` is an image of a registry too; what is a plain tag there is asked for with `registry:`.
            return Source::saved(engine, image, &platform).map_err(|error| explain(&error));
        }
    }
    let (path, inner) = match name.split_once('#') {
        Some((path, inner)) if !Path::new(name).exists() => (path, Some(inner)),
        _ => (name, None),
    };
    if path == "-" || Path::new(path).exists() {
        return Source::at(Path::new(path), inner, &platform).map_err(|error| explain(&error));
    }
    let store = crate::place::store(global)?;
    let image = match name.strip_prefix("registry:") {
        Some(reference) => images::find_or_pull(global, &store, reference, Some(&platform.to_string()))?,
        None if looks_like_a_path(name) => {
            return Err(miette!(help = "check the path", "failed to read {name}: no such file or folder"));
        }
        None => images::find_or_pull(global, &store, name, Some(&platform.to_string()))?,
    };
    Source::stored(&store, &image).map_err(|error| explain(&error))
}

fn looks_like_a_path(name: &str) -> bool {
    name.starts_with(['/', '.']) || [".tar", ".tar.gz", ".tgz", ".tar.zst"].iter().any(|end| name.ends_with(end))
}

/// The error as people read it.
pub fn explain(error: &InspectError) -> miette::Report {
    match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    }
}

/// A Dockerfile beside an image.
pub struct WithDockerfile {
    /// Its path.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The lines that made the history.
    pub origins: Origins,
    /// What rules find in it.
    pub mending: Mending,
}

impl WithDockerfile {
    /// Reads it and lays it beside the history.
    pub fn new(
        path: &Path,
        target: Option<&str>,
        build_args: &BTreeMap<String, String>,
        found: &Inspected,
        config: &Config,
    ) -> Result<Self> {
        let bytes = crate::files::read(path)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (origins, mending) = {
            let file = plimsoll_parser::parse(&text);
            let stages = Stages::resolve(&file, build_args, &BuildPlatform::default());
            let origins = align(&found.config.history, &file, &stages, target);
            (origins, Mending::of(&text, config, path, None)?)
        };
        Ok(Self { path: path.to_path_buf(), text, origins, mending })
    }
}

/// Layers of a base image, how that is known, and its name.
type Known = (usize, &'static str, Option<String>);

/// How many layers came with the base image, as far as that can be told without a Dockerfile.
pub fn base_of(global: &Global, found: &Inspected, named: Option<&str>) -> Result<Option<Known>> {
    if let Some(name) = named {
        let base = open(global, name, None)?;
        let layers = above(found, base.layers.iter().map(|layer| layer.diff_id)).ok_or_else(|| {
            miette!(
                help = "name the image of its FROM, as it was when it was built",
                "failed to find {name} below the image: its layers are others"
            )
        })?;
        return Ok(Some((layers, "option", Some(name.to_owned()))));
    }
    let said = found.annotations.get("org.opencontainers.image.base.name");
    if let Some(store) = existing_store(global) {
        let mut best: Option<Known> = None;
        for tagged in store.list().unwrap_or_default() {
            let Some(reference) = tagged.reference else { continue };
            let Ok(Some(image)) = store.resolve(&reference) else { continue };
            let by = if said == Some(&reference) { "annotation" } else { "store" };
            if let Some(layers) = above(found, image.layers.iter().map(|layer| layer.diff_id))
                && best.as_ref().is_none_or(|(most, ..)| layers > *most)
            {
                let name = plimsoll_runtime::reference::Reference::parse(&reference);
                best = Some((layers, by, Some(name.map_or(reference, |name| name.familiar()))));
            }
        }
        if best.is_some() {
            return Ok(best);
        }
    }
    Ok(by_history(found).map(|layers| (layers, "history", said.cloned())))
}

/// How many layers an image with these has, where they lie at the bottom of `found` and others above them.
fn above(found: &Inspected, base: impl Iterator<Item = Digest>) -> Option<usize> {
    let ids: Vec<Digest> = base.collect();
    let own = found.layers.iter().map(|layer| &layer.diff_id);
    let equal = own.zip(&ids).take_while(|(a, b)| a == b).count();
    (equal == ids.len() && equal > 0 && equal < found.layers.len()).then_some(equal)
}

/// The store, where there is one: looking into an archive makes none.
fn existing_store(global: &Global) -> Option<Store> {
    let root = global.store.clone().unwrap_or_else(Store::default_root);
    root.join("oci-layout").exists().then(|| Store::open(&root).ok()).flatten()
}

/// The image that a Dockerfile's FROM names, where the store has it and it lies below: surer than what history says, which
/// an edited line no longer resembles.
fn base_by_from(global: &Global, found: &Inspected, origins: &Origins) -> Option<Known> {
    let name = origins.base_name.as_deref()?;
    let image = existing_store(global)?.resolve(name).ok().flatten()?;
    let layers = above(found, image.layers.iter().map(|layer| layer.diff_id))?;
    Some((layers, "store", Some(name.to_owned())))
}

/// Base images end with a CMD; what follows one was built upon it.
fn by_history(found: &Inspected) -> Option<usize> {
    let history = &found.config.history;
    let is_cmd = |text: &str| crate::report::image::instruction(text).starts_with("CMD");
    let cmds = history.iter().enumerate().filter(|(_, entry)| entry.created_by.as_deref().is_some_and(is_cmd));
    let below = |at: usize| found.layers.iter().filter(|layer| layer.history.is_some_and(|own| own < at)).count();
    cmds.map(|(at, _)| below(at)).filter(|layers| *layers > 0 && *layers < found.layers.len()).max()
}

/// Everything known of an image beside its bytes, for its report.
pub fn beside<'a>(
    global: &Global,
    name: &str,
    found: &Inspected,
    base: Option<&str>,
    dockerfile: Option<&'a WithDockerfile>,
) -> Result<Beside<'a>> {
    let known = match (base, dockerfile) {
        (None, Some(file)) => base_by_from(global, found, &file.origins),
        (base, _) => base_of(global, found, base)?,
    };
    Ok(Beside {
        name: name.to_owned(),
        dockerfile: dockerfile.map(|file| (crate::files::shown(&file.path), file.origins.clone())),
        base: known,
        compressed: None,
        mending: dockerfile.map(|file| &file.mending),
    })
}
