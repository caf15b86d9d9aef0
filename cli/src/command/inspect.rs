//! `plimsoll inspect`: where an image's bytes come from.

use super::images::{self, Format};
use crate::exit::Exit;
use crate::terminal::{Paint, outln, size};
use crate::{Global, place};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::image::Image;
use plimsoll_runtime::inspect::{Hidden, Inspected, inspect};
use serde_json::json;
use std::path::Path;

/// Show where an image's bytes come from
///
/// Layers with the instruction that made them, bytes that a later layer overwrites or deletes (each counted once), the
/// largest files and directories. IMAGE is a reference in the store, or an archive or layout as `load` takes them.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The image
    image: String,
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Rows of each list in the text
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    top: usize,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let store = place::store(global)?;
    let path = Path::new(&args.image);
    let image = match store.resolve(&args.image) {
        Ok(Some(image)) => image,
        _ if path.exists() => images::load_from(&store, path, None)?.image,
        _ => images::find(&store, &args.image)?,
    };
    let found = inspect(&store, &image).map_err(|error| miette!("{error}"))?;
    match args.format {
        Format::Json => {
            outln!("{}", serde_json::to_string_pretty(&as_json(&args.image, &image, &found)).into_diagnostic()?);
        }
        Format::Text => text(&args, &image, &found, Paint(global.color.stdout())),
    }
    Ok(Exit::Clean)
}

fn how(hidden: Hidden) -> &'static str {
    match hidden {
        Hidden::Overwritten => "overwritten",
        Hidden::SameSize => "written again, same size",
        Hidden::Deleted => "deleted",
    }
}

fn created_by(image: &Image, layer: usize) -> String {
    let said = image.layers.get(layer).and_then(|layer| layer.created_by.clone()).unwrap_or_default();
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 80 { line.chars().take(80).collect::<String>() + "…" } else { line }
}

fn text(args: &Args, image: &Image, found: &Inspected, paint: Paint) {
    outln!("{}  {}  {} layers", paint.bold(&args.image), size(image.size()), image.layers.len());
    outln!("digest {}", image.manifest);
    outln!("\n{}", paint.bold(format!("{:>9}  {:>9}  {:>7}  made by", "size", "wasted", "entries")));
    for (index, (layer, contents)) in image.layers.iter().zip(&found.layers).enumerate() {
        let wasted = if contents.wasted > 0 { size(contents.wasted) } else { String::new() };
        let made_by = created_by(image, index);
        outln!("{:>9}  {}  {:>7}  {made_by}", size(layer.size), paint.yellow(format!("{wasted:>9}")), contents.entries);
    }
    let wasted: u64 = found.wasted.iter().map(|wasted| wasted.bytes).sum();
    if wasted > 0 {
        outln!("\n{} {}", paint.bold("wasted"), size(wasted));
        for one in found.wasted.iter().take(args.top) {
            outln!("{:>9}  /{} ({} by {})", size(one.bytes), one.path, how(one.how), created_by(image, one.hidden));
        }
    }
    for (title, list) in [("largest directories", &found.directories), ("largest files", &found.largest)] {
        outln!("\n{}", paint.bold(title));
        for (path, bytes) in list.iter().take(args.top) {
            outln!("{:>9}  {path}", size(*bytes));
        }
    }
    outln!("\na container sees {} paths, {}", found.visible.0, size(found.visible.1));
}

fn as_json(name: &str, image: &Image, found: &Inspected) -> serde_json::Value {
    let layers = image.layers.iter().zip(&found.layers);
    let rows = |list: &[(String, u64)]| {
        list.iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect::<Vec<_>>()
    };
    json!({
        "version": 1,
        "image": name,
        "digest": image.manifest.to_string(),
        "id": image.config_digest.to_string(),
        "platform": image.platform().to_string(),
        "size": image.size(),
        "config": image.config.config,
        "layers": layers.map(|(layer, contents)| json!({
            "diff_id": layer.diff_id.to_string(), "size": layer.size, "created_by": layer.created_by, "entries": contents.entries,
            "whiteouts": contents.whiteouts, "file_bytes": contents.bytes, "wasted": contents.wasted,
        })).collect::<Vec<_>>(),
        "wasted": found.wasted.iter().take(100).map(|one| json!({
            "path": format!("/{}", one.path), "bytes": one.bytes, "written_by_layer": one.written, "hidden_by_layer": one.hidden, "how": how(one.how),
        })).collect::<Vec<_>>(),
        "wasted_bytes": found.wasted.iter().map(|one| one.bytes).sum::<u64>(),
        "largest_files": rows(&found.largest),
        "largest_directories": rows(&found.directories),
        "visible": { "paths": found.visible.0, "bytes": found.visible.1 },
    })
}
