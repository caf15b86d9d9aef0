//! `--output`: where else an image goes.

use crate::Global;
use crate::command::images;
use crate::files;
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::export::{self, ExportOptions, Format, Named};
use plimsoll_runtime::image::Image;
use plimsoll_runtime::layer::Compression;
use plimsoll_runtime::registry::PushOptions;
use plimsoll_runtime::snapshot::Snapshots;
use plimsoll_runtime::store::Store;
use std::collections::BTreeMap;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// One place an image goes.
#[derive(Debug, Clone)]
pub struct Output {
    spec: String,
    to: To,
    options: ExportOptions,
    /// Names of its own.
    pub names: Vec<String>,
    /// Annotations of its own.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq)]
enum To {
    /// Nowhere but the store.
    Store,
    /// The files, as a folder.
    Files(PathBuf),
    /// The files, as a tar.
    Tar(PathBuf),
    /// An archive or layout.
    Archive(PathBuf),
    /// Registries.
    Push,
}

const HELP: &str = "write it as DIR, -, or type=local|tar|oci|docker|image|registry,dest=PATH[,name=NAME][,push=true]\
                    [,tar=false][,compression=none|gzip|zstd][,compression-level=N]";

impl Output {
    /// Reads `--output`; `-o DIR` and `-o -` are short forms.
    pub fn parse(spec: &str) -> Result<Self> {
        let wrong = |why: String| miette!(help = HELP, "failed to read --output {spec}: {why}");
        let parts = fields(spec).ok_or_else(|| wrong("a quote is never closed".to_owned()))?;
        let mut options = ExportOptions { format: Format::OciArchive, compression: None, level: None };
        let mut output =
            Self { spec: spec.to_owned(), to: To::Store, options, names: Vec::new(), annotations: BTreeMap::new() };
        if let [only] = parts.as_slice()
            && !only.contains('=')
        {
            output.to = if only == files::STDIN { To::Tar(only.into()) } else { To::Files(only.into()) };
            return Ok(output);
        }
        let (mut kind, mut path, mut tar, mut push) = (None, None, true, false);
        for part in &parts {
            match part.split_once('=').map(|(name, value)| (name.trim(), value)) {
                Some(("type", name)) => kind = Some(name.to_owned()),
                Some(("dest", value)) => path = Some(PathBuf::from(value)),
                Some(("tar", value)) => tar = value == "true",
                Some(("push", value)) => push = value == "true",
                Some(("name", value)) => output.names.extend(value.split(',').map(str::to_owned)),
                Some(("compression", name)) => {
                    options.compression =
                        Some(compression(name).ok_or_else(|| wrong(format!("compression {name} is not known")))?);
                }
                Some(("compression-level", value)) => {
                    options.level = Some(value.parse().map_err(|_| wrong(format!("level {value} is no number")))?);
                }
                // What is so here in any case.
                Some(("oci-mediatypes", "true") | ("store", _) | ("unpack", _) | ("force-compression", _)) => {}
                Some((name, value)) if name.starts_with("annotation") => {
                    let key = name.strip_prefix("annotation.").or_else(|| name.strip_prefix("annotation-manifest."));
                    let key = key.ok_or_else(|| wrong(format!("`{name}`: only manifests are annotated")))?;
                    output.annotations.insert(key.to_owned(), value.to_owned());
                }
                _ => return Err(wrong(format!("`{part}` is not known"))),
            }
        }
        let stdout = || PathBuf::from(files::STDIN);
        let needed = |path: Option<PathBuf>| path.ok_or_else(|| wrong("dest= is missing".to_owned()));
        output.to = match kind.as_deref() {
            Some("local") => To::Files(needed(path)?),
            Some("tar") => To::Tar(path.unwrap_or_else(stdout)),
            Some("oci") if tar => To::Archive(path.unwrap_or_else(stdout)),
            Some("oci") => {
                options.format = Format::OciDirectory;
                To::Archive(needed(path)?)
            }
            Some("docker") if tar => {
                options.format = Format::DockerArchive;
                path.map_or(To::Store, To::Archive)
            }
            Some("docker") => return Err(wrong("a docker archive is a file; tar=false is for oci".to_owned())),
            Some("image") if push => To::Push,
            Some("image" | "cacheonly") => To::Store,
            Some("registry") => To::Push,
            Some(other) => return Err(wrong(format!("type {other} is not known"))),
            None => return Err(wrong("type= is missing".to_owned())),
        };
        output.options = options;
        Ok(output)
    }

    /// `--push`
    pub fn push() -> Self {
        let options = ExportOptions { format: Format::OciArchive, compression: None, level: None };
        let (names, annotations) = (Vec::new(), BTreeMap::new());
        Self { spec: "type=registry".to_owned(), to: To::Push, options, names, annotations }
    }

    /// Whether standard output is taken by what is written.
    pub fn takes_stdout(&self) -> bool {
        matches!(&self.to, To::Tar(path) | To::Archive(path) if path.as_os_str() == files::STDIN)
    }

    /// Writes the image; `tags` are those of the command line.
    pub fn write(
        &self,
        global: &Global,
        store: &Store,
        image: &Image,
        tags: &[String],
        epoch: Option<i64>,
    ) -> Result<()> {
        if self.takes_stdout() && std::io::stdout().is_terminal() {
            return Err(miette!(
                help = "redirect it, or name a file with dest=",
                "failed to write --output {}: an archive is nothing for a terminal",
                self.spec
            ));
        }
        let names = if self.names.is_empty() { tags } else { &self.names };
        for name in &self.names {
            store.tag(name, &image.manifest).into_diagnostic()?;
        }
        match &self.to {
            To::Store => Ok(()),
            To::Archive(path) => {
                let images = [Named { image, references: names.to_vec() }];
                write_images(store, &images, &self.options, path)
            }
            To::Push if names.is_empty() => Err(miette!(
                help = "name the image with -t, or with name= of --output",
                "failed to push: the image has no name"
            )),
            To::Push => {
                let options = PushOptions { compression: self.options.compression, level: self.options.level };
                names.iter().try_for_each(|name| images::push_image(global, store, image, name, &options).map(drop))
            }
            To::Files(path) => {
                let snapshots = Snapshots::new(store).into_diagnostic()?;
                let left_out =
                    export::export_files(&snapshots, &image.layers, path).map_err(|error| explain(&error, path))?;
                if left_out > 0 && !global.quiet {
                    eprintln!("{left_out} devices are left out of {}: only type=tar has them", path.display());
                }
                Ok(())
            }
            To::Tar(path) => {
                let snapshots = Snapshots::new(store).into_diagnostic()?;
                let write = |to: &mut dyn Write| {
                    let done = export::export_tar(&snapshots, &image.layers, epoch, BufWriter::new(to));
                    done.map_err(|error| explain(&error, path))
                };
                if path.as_os_str() == files::STDIN {
                    return write(&mut std::io::stdout().lock());
                }
                // What is no file, such as /dev/null or a pipe, is written to as it is.
                if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
                    let opened = std::fs::OpenOptions::new().write(true).open(path);
                    return write(&mut opened.map_err(|error| files::unreadable(path, &error))?);
                }
                files::replace_with(path, |file| write(file).map_err(files::Unwritten::Told))
            }
        }
    }
}

/// The parts of a list as CSV has it: quotes keep a comma.
pub fn fields(spec: &str) -> Option<Vec<String>> {
    let mut found = vec![String::new()];
    let mut quoted = false;
    for c in spec.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => found.push(String::new()),
            c => found.last_mut()?.push(c),
        }
    }
    (!quoted).then_some(found)
}

/// Writes images to a file or folder; `-` is standard output.
pub fn write_images(store: &Store, images: &[Named<'_>], options: &ExportOptions, path: &Path) -> Result<()> {
    let done = if path.as_os_str() == files::STDIN {
        export::export_to(store, images, options, std::io::stdout().lock())
    } else {
        export::export(store, images, options, path)
    };
    done.map_err(|error| explain(&error, path))
}

fn explain(error: &export::ExportError, path: &Path) -> miette::Report {
    match error.help() {
        Some(help) => miette!(help = help, "failed to write {}: {error}", path.display()),
        None => miette!("failed to write {}: {error}", path.display()),
    }
}

/// A compression by its name on the command line.
pub fn compression(name: &str) -> Option<Compression> {
    match name {
        "none" | "uncompressed" => Some(Compression::None),
        "gzip" => Some(Compression::Gzip),
        "zstd" => Some(Compression::Zstd),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_as_docker_writes_them() {
        let to = |spec: &str| Output::parse(spec).map(|output| output.to).ok();
        assert_eq!(to("out"), Some(To::Files("out".into())));
        assert_eq!(to("-"), Some(To::Tar("-".into())));
        assert_eq!(to("type=local,dest=a b"), Some(To::Files("a b".into())));
        assert_eq!(to("type=tar"), Some(To::Tar("-".into())));
        assert_eq!(to("type=oci,dest=x.tar"), Some(To::Archive("x.tar".into())));
        assert_eq!(to("type=docker"), Some(To::Store));
        assert_eq!(to("type=image,push=true"), Some(To::Push));
        assert_eq!(to("type=cacheonly"), Some(To::Store));
        for wrong in ["type=local", "type=oci,tar=false", "type=what", "dest=x", "type=tar,colour=red", "a=\"b"] {
            assert_eq!(to(wrong), None, "{wrong}");
        }
        let named = Output::parse("type=image,\"name=a:1,b:2\",annotation.k=v").expect("well written");
        assert_eq!(named.names, ["a:1", "b:2"]);
        assert_eq!(named.annotations.get("k").map(String::as_str), Some("v"));
    }
}
