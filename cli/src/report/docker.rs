//! An image as `docker image inspect` writes it.

use plimsoll_runtime::image::Image;
use serde_json::{Map, Value, json};

use crate::command::images::{familiar, split_tag};

/// One element of docker's array. `names` are the references that the store has for it.
pub fn image(image: &Image, names: &[String]) -> Value {
    let config = &image.config;
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("Id", json!(image.config_digest.to_string()));
    put("RepoTags", json!(names.iter().map(|name| familiar(name)).collect::<Vec<_>>()));
    let digests = names.iter().map(|name| format!("{}@{}", split_tag(&familiar(name)).0, image.manifest));
    let mut digests: Vec<String> = digests.collect();
    digests.dedup();
    put("RepoDigests", json!(digests));
    put("Comment", json!(config.history.last().and_then(|entry| entry.comment.clone()).unwrap_or_default()));
    put("Created", json!(config.created));
    put("Author", json!(config.author.clone().unwrap_or_default()));
    put("Config", full(serde_json::to_value(&config.config).unwrap_or_default()));
    put("Architecture", json!(config.architecture));
    if let Some(variant) = &config.variant {
        put("Variant", json!(variant));
    }
    put("Os", json!(config.os));
    put("Size", json!(image.size()));
    put("RootFS", json!({ "Type": "layers", "Layers": config.rootfs.diff_ids }));
    put("Descriptor", json!({ "digest": image.manifest.to_string(), "annotations": image.annotations }));
    Value::Object(out)
}

/// The fields that people ask for, though the image has nothing there.
fn full(mut config: Value) -> Value {
    if let Value::Object(map) = &mut config {
        for name in ["User", "WorkingDir"] {
            map.entry(name).or_insert_with(|| json!(""));
        }
        for name in
            ["Env", "Cmd", "Entrypoint", "Volumes", "Labels", "OnBuild", "ExposedPorts", "Healthcheck", "StopSignal"]
        {
            map.entry(name).or_insert(Value::Null);
        }
    }
    config
}
