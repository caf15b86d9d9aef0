//! `plimsoll history`: the instructions of an image, the newest first.

use crate::command::images::{self, Format};
use crate::exit::Exit;
use crate::terminal::{Paint, outln, size};
use crate::{Global, place};
use miette::Result;
use serde_json::json;

/// Show the instructions that made an image, the newest first
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Reference or ID
    image: String,
    /// Do not shorten instructions
    #[arg(long)]
    no_trunc: bool,
    /// Sizes for people; they always are
    #[arg(short = 'H', long, hide = true)]
    human: bool,
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

struct Row {
    created: String,
    said: String,
    size: u64,
    comment: String,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let store = place::store(global)?;
    let image = images::find(&store, &args.image)?;
    let mut layers = image.layers.iter();
    let mut rows = Vec::new();
    for entry in &image.config.history {
        let layer = if entry.empty_layer { None } else { layers.next() };
        rows.push(Row {
            created: entry.created.clone().unwrap_or_default(),
            said: entry.created_by.clone().unwrap_or_default(),
            size: layer.map_or(0, |layer| layer.size),
            comment: entry.comment.clone().unwrap_or_default(),
        });
    }
    // An image need not say how its layers came to be.
    for layer in layers {
        let said = layer.created_by.clone().unwrap_or_else(|| "<missing>".to_owned());
        rows.push(Row { created: String::new(), said, size: layer.size, comment: String::new() });
    }
    rows.reverse();
    if args.format == Format::Json {
        let out = rows.iter().map(
            |row| json!({ "created": row.created, "created_by": row.said, "size": row.size, "comment": row.comment }),
        );
        outln!("{:#}", serde_json::Value::Array(out.collect()));
        return Ok(Exit::Clean);
    }
    let id = image.config_digest.hex().get(..12).unwrap_or_default().to_owned();
    if global.quiet {
        for at in 0..rows.len() {
            outln!("{}", if at == 0 { &id } else { "<missing>" });
        }
        return Ok(Exit::Clean);
    }
    let paint = Paint(global.color.stdout());
    outln!("{}", paint.bold(format!("{:12}  {:20}  {:45}  {:>9}", "IMAGE", "CREATED", "CREATED BY", "SIZE")));
    for (at, row) in rows.iter().enumerate() {
        let id = if at == 0 { &id } else { "<missing>" };
        let created = row.created.get(..19).map_or(String::new(), |time| format!("{}Z", time.trim_end_matches('Z')));
        let said = row.said.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = if args.no_trunc { said } else { shorten(&said) };
        outln!("{id:12}  {created:20}  {said:45}  {:>9}", size(row.size));
    }
    Ok(Exit::Clean)
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 45 { text.to_owned() } else { text.chars().take(44).chain(['…']).collect() }
}
