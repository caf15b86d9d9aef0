//! A recorded description against a fresh one.

use serde_json::{Map, Value, json};

/// Times from here on are those of the recording, not of any file that was copied.
const RECORDED_NOW: i64 = 1_790_000_000;

/// What differs, a line each. `expected` has the paths that differ from the base's only; `base` and `actual` have all.
pub(crate) fn differences(expected: &Value, base: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for field in ["architecture", "os"] {
        if expected[field] != actual[field] {
            found.push(format!("{field}: {} -> {}", expected[field], actual[field]));
        }
    }
    let empty = Map::new();
    let object = |value: &Value| value.as_object().unwrap_or(&empty).clone();
    let (want, have) = (object(&expected["config"]), object(&actual["config"]));
    for key in want.keys().chain(have.keys().filter(|key| !want.contains_key(*key))) {
        if want.get(key) != have.get(key) {
            found.push(format!("config {key}: {:?} -> {:?}", want.get(key), have.get(key)));
        }
    }
    if expected["history"] != actual["history"] {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (want, have) = (list(&expected["history"]), list(&actual["history"]));
        for at in 0..want.len().max(have.len()) {
            if want.get(at) != have.get(at) {
                found.push(format!("history {at}: {:?} -> {:?}", want.get(at), have.get(at)));
            }
        }
    }
    let on_base = expected["on_base"].as_bool().unwrap_or(false);
    let skip = if on_base { base["layers"].as_array().map_or(0, Vec::len) } else { 0 };
    let want = expected["layers"].as_array().cloned().unwrap_or_default();
    let have: Vec<Value> = actual["layers"].as_array().cloned().unwrap_or_default().into_iter().skip(skip).collect();
    if want.len() != have.len() {
        found.push(format!("layers: {} -> {}", want.len(), have.len()));
    }
    for (at, (want, have)) in want.iter().zip(&have).enumerate() {
        for field in ["entries", "whiteouts", "opaque"] {
            let mut sorted: Vec<&str> =
                want[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            sorted.sort_unstable();
            if json!(sorted) != have[field] {
                found.push(format!("layer {at} {field}: {} -> {}", json!(sorted), have[field]));
            }
        }
    }
    let (want, have) = (object(&expected["rootfs"]), object(&actual["rootfs"]));
    let below = if on_base { object(&base["rootfs"]) } else { Map::new() };
    for (path, want) in &want {
        match have.get(path) {
            None if want.is_null() => {}
            None => found.push(format!("{path}: missing")),
            Some(have) => compare_entry(path, want, have, &mut found),
        }
    }
    for (path, have) in &have {
        if want.contains_key(path) {
            continue;
        }
        match below.get(path) {
            None => found.push(format!("{path}: should not be there: {have}")),
            Some(was) => compare_entry(path, was, have, &mut found),
        }
    }
    found.extend(
        below
            .keys()
            .filter(|path| !have.contains_key(*path) && !want.contains_key(*path))
            .map(|path| format!("{path}: gone")),
    );
    found
}

fn compare_entry(path: &str, want: &Value, have: &Value, found: &mut Vec<String>) {
    for field in ["type", "mode", "uid", "gid", "size", "sha256", "link", "xattrs", "hardlink", "nlink", "mtime"] {
        let recorded = field == "mtime" && want[field].as_i64().is_some_and(|time| time > RECORDED_NOW);
        // A directory in which something was made has the time of that.
        let changed =
            field == "mtime" && want["type"] == "dir" && have[field].as_i64().is_some_and(|time| time > RECORDED_NOW);
        if want[field] != have[field] && !recorded && !changed {
            found.push(format!("{path} {field}: {} -> {}", want[field], have[field]));
        }
    }
}

/// What a fresh description has beyond its base: what is recorded.
pub(crate) fn reduce(base: &Value, actual: &Value) -> Value {
    let below = base["rootfs"].as_object().cloned().unwrap_or_default();
    let layers = actual["layers"].as_array().cloned().unwrap_or_default();
    let of_base = base["layers"].as_array().cloned().unwrap_or_default();
    let on_base = !of_base.is_empty() && layers.starts_with(&of_base);
    let all = actual["rootfs"].as_object().cloned().unwrap_or_default();
    let mut rootfs: Map<String, Value> = all
        .iter()
        .filter(|(path, entry)| !on_base || below.get(*path) != Some(entry))
        .map(|(p, e)| (p.clone(), e.clone()))
        .collect();
    if on_base {
        rootfs.extend(below.keys().filter(|path| !all.contains_key(*path)).map(|path| (path.clone(), Value::Null)));
    }
    let history = actual["history"].as_array().cloned().unwrap_or_default();
    let of_base = base["history"].as_array().map_or(0, Vec::len);
    let own_history: Vec<Value> = history.into_iter().skip(if on_base { of_base } else { 0 }).collect();
    let of_base = base["layers"].as_array().cloned().unwrap_or_default();
    json!({
        "architecture": actual["architecture"],
        "os": actual["os"],
        "config": actual["config"],
        "history": own_history,
        "on_base": on_base,
        "layers": layers.into_iter().skip(if on_base { of_base.len() } else { 0 }).collect::<Vec<_>>(),
        "rootfs": rootfs,
    })
}

/// Puts the base's history before that of a recording which leaves it out.
pub(crate) fn add_base(expected: &mut Value, base: &Value) {
    if expected["on_base"] == true {
        let own = expected["history"].as_array().cloned().unwrap_or_default();
        let all: Vec<Value> = base["history"].as_array().cloned().unwrap_or_default().into_iter().chain(own).collect();
        expected["history"] = Value::Array(all);
    }
}
