//! `--cache-from` and `--cache-to`: results of steps that travel between stores.

use super::output::{compression, fields, write_images};
use crate::Global;
use crate::command::images;
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::build::{Built, cache_image, take_cache, with_inline_cache};
use plimsoll_runtime::export::{self, ExportOptions, Format, Named};
use plimsoll_runtime::image::Image;
use plimsoll_runtime::registry::PushOptions;
use plimsoll_runtime::store::Store;
use std::path::PathBuf;

/// One `--cache-from` or `--cache-to`.
#[derive(Debug, Clone)]
pub struct Cache {
    place: Place,
    /// All stages, or only what the image is made of.
    all_stages: bool,
    ignore_error: bool,
    options: ExportOptions,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    Local(PathBuf),
    Registry(String),
    Inline,
}

const HELP: &str = "write it as type=local,src=DIR (--cache-from), type=local,dest=DIR[,mode=max] (--cache-to), \
                    type=registry,ref=NAME[,mode=max] or type=inline";

impl Cache {
    /// Reads one of either; a bare reference is a registry's.
    pub fn parse(spec: &str) -> Result<Self> {
        let wrong = |why: String| miette!(help = HELP, "failed to read the cache {spec}: {why}");
        let options = ExportOptions { format: Format::OciDirectory, compression: None, level: None };
        let mut cache = Self { place: Place::Inline, all_stages: false, ignore_error: false, options };
        let parts = fields(spec).ok_or_else(|| wrong("a quote is never closed".to_owned()))?;
        if let [only] = parts.as_slice()
            && !only.contains('=')
        {
            cache.place = Place::Registry(only.clone());
            return Ok(cache);
        }
        let (mut kind, mut path, mut reference) = (None, None, None);
        for part in &parts {
            match part.split_once('=') {
                Some(("type", name)) => kind = Some(name),
                Some(("src" | "dest", value)) => path = Some(PathBuf::from(value)),
                Some(("ref", value)) => reference = Some(value.to_owned()),
                Some(("mode", "max")) => cache.all_stages = true,
                Some(("mode", "min")) => cache.all_stages = false,
                Some(("ignore-error", value)) => cache.ignore_error = value == "true",
                Some(("compression", name)) => {
                    cache.options.compression =
                        Some(compression(name).ok_or_else(|| wrong(format!("compression {name} is not known")))?);
                }
                Some((
                    "oci-mediatypes" | "image-manifest" | "force-compression" | "tag" | "digest" | "compression-level",
                    _,
                )) => {}
                _ => return Err(wrong(format!("`{part}` is not known"))),
            }
        }
        cache.place = match kind {
            Some("local") => Place::Local(path.ok_or_else(|| wrong("src= or dest= is missing".to_owned()))?),
            Some("registry") => Place::Registry(reference.ok_or_else(|| wrong("ref= is missing".to_owned()))?),
            Some("inline") => Place::Inline,
            Some(other @ ("gha" | "s3" | "azblob")) => {
                return Err(wrong(format!("type {other} belongs to a service; type=registry works everywhere")));
            }
            Some(other) => return Err(wrong(format!("type {other} is not known"))),
            None => return Err(wrong("type= is missing".to_owned())),
        };
        Ok(cache)
    }

    /// Whether the image itself carries the results.
    pub fn is_inline(&self) -> bool {
        self.place == Place::Inline
    }

    /// Brings results into the store. A cache that is not there yet is told and does no harm.
    pub fn import(&self, global: &Global, store: &Store) -> Result<()> {
        let (name, image) = match &self.place {
            Place::Inline => {
                return Err(miette!(
                    help = "name the image: type=registry,ref=NAME",
                    "failed to read --cache-from type=inline"
                ));
            }
            Place::Local(path) if !path.join("index.json").exists() => {
                (path.display().to_string(), Err("it is not there".to_owned()))
            }
            Place::Local(path) => {
                let loaded = export::load(store, path, None).map_err(|error| error.to_string());
                let newest = loaded.and_then(|all| all.into_iter().next_back().ok_or("it holds nothing".to_owned()));
                (path.display().to_string(), newest.map(|loaded| loaded.image))
            }
            Place::Registry(reference) => {
                let fetched = images::fetch_unnamed(global, store, reference).map_err(|error| error.to_string());
                (reference.clone(), fetched)
            }
        };
        match image {
            Ok(image) => {
                let taken = take_cache(store, &image).into_diagnostic()?;
                if !global.quiet {
                    eprintln!("{taken} results of steps taken from {name}");
                }
            }
            Err(reason) if !global.quiet => eprintln!("no results of steps taken from {name}: {reason}"),
            Err(_) => {}
        }
        Ok(())
    }

    /// Writes what a build knows.
    pub fn export(&self, global: &Global, store: &Store, built: &Built) -> Result<()> {
        let done = self.write(global, store, built);
        match done {
            Err(error) if self.ignore_error => {
                eprintln!("warning: {error}");
                Ok(())
            }
            done => done,
        }
    }

    fn write(&self, global: &Global, store: &Store, built: &Built) -> Result<()> {
        let cache = || cache_image(store, built, self.all_stages).into_diagnostic();
        match &self.place {
            Place::Inline => Ok(()),
            Place::Local(path) => {
                // The latest replaces the one before; its blobs may stay in use. Where it fails, the one before is still there.
                let (index, before) = (path.join("index.json"), path.join("index.json.before"));
                let cache = cache()?;
                let replaces = path.join("oci-layout").exists() && std::fs::rename(&index, &before).is_ok();
                let done = write_images(store, &[Named { image: &cache, references: Vec::new() }], &self.options, path);
                if replaces {
                    let undone =
                        if done.is_ok() { std::fs::remove_file(&before) } else { std::fs::rename(&before, &index) };
                    undone.into_diagnostic()?;
                }
                done
            }
            Place::Registry(reference) => {
                let options = PushOptions { compression: self.options.compression, level: None };
                images::push_image(global, store, &cache()?, reference, &options).map(drop)
            }
        }
    }
}

/// The image that carries the results of its own steps, under the same names.
pub fn inline(store: &Store, built: &Built, tags: &[String]) -> Result<Image> {
    let image = with_inline_cache(store, built).into_diagnostic()?;
    for tag in tags {
        store.tag(tag, &image.manifest).into_diagnostic()?;
    }
    Ok(image)
}
