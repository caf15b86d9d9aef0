//! The settings in force one by one, each with where it comes from; and the schema of the file.

use super::{Config, hadolint};
use miette::{IntoDiagnostic, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One setting in force.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// `lint.fail-on`
    pub key: String,
    /// As the file would have it; null where nothing is set and nothing stands in for it.
    pub value: Value,
    /// `default`, or the file.
    pub from: String,
    /// The line of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// The JSON schema of `plimsoll.toml`.
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), json!(super::NAME));
    schema.to_value()
}

/// Every setting in force for what is at `path`.
pub fn settings(config: &Config, path: &Path) -> Result<Vec<Setting>> {
    let (text, tables) = match &config.path {
        None => (String::new(), toml::Table::new()),
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| crate::files::unreadable(file, &error))?;
            let tables =
                if hadolint::is_named(file) { hadolint::tables(file, &text) } else { text.parse().into_diagnostic() };
            (text, tables?)
        }
    };
    let from = config.path.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    let place = |keys: &[&str]| line(&text, keys);
    let mut list = Vec::new();
    let mut push = |keys: &[&str], value: Value| {
        list.push(Setting { key: keys.join("."), value, from: from.clone(), line: place(keys) });
    };
    for (section, content) in &tables {
        match content {
            toml::Value::Table(content) => {
                for (key, value) in content {
                    match value {
                        toml::Value::Table(rules) if section == "lint" && key == "rules" => {
                            for (rule, options) in rules {
                                for (option, value) in options.as_table().into_iter().flatten() {
                                    push(&[section, key, rule, option], json!(value));
                                }
                            }
                        }
                        value => push(&[section, key], json!(value)),
                    }
                }
            }
            other => push(&[section], json!(other)),
        }
    }
    defaults(&mut list);
    for (index, over) in config.overrides_for(path) {
        let line = place(&["lint", "overrides"]);
        for (key, names, replaces) in [("lint.select", &over.select, true), ("lint.ignore", &over.ignore, false)] {
            let Some(setting) = list.iter_mut().find(|setting| setting.key == key) else { continue };
            if names.is_empty() {
                continue;
            }
            let mut all = if replaces { Vec::new() } else { setting.value.as_array().cloned().unwrap_or_default() };
            all.extend(names.iter().map(|name| json!(name)));
            (setting.value, setting.line) = (json!(all), line);
            setting.from = format!("{from}, lint.overrides[{index}]");
        }
    }
    list.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(list)
}

/// What holds where the file says nothing.
fn defaults(list: &mut Vec<Setting>) {
    let schema = schema();
    let empty = serde_json::Map::new();
    let properties = |schema: &Value| schema["properties"].as_object().unwrap_or(&empty).clone();
    for (section, about) in properties(&schema) {
        let keys: Vec<(String, Value)> = match about["type"].as_str() {
            Some("array") => vec![(section, about)],
            _ => properties(&about).into_iter().map(|(key, about)| (format!("{section}.{key}"), about)).collect(),
        };
        for (key, about) in keys {
            let below = format!("{key}.");
            if list.iter().any(|setting| setting.key == key || setting.key.starts_with(&below)) {
                continue;
            }
            let value = match (key.as_str(), about["type"].as_str()) {
                ("lint.fail-on", _) => json!("style"),
                ("lint.inline-ignore", _) => json!(true),
                ("build.network", _) => json!("host"),
                ("optimize.level", _) => json!("verified"),
                ("optimize.ready-timeout", _) => json!("60s"),
                (_, Some("boolean")) => json!(false),
                (_, Some("array")) => json!([]),
                (_, Some("object")) => json!({}),
                _ => Value::Null,
            };
            list.push(Setting { key, value, from: "default".to_owned(), line: None });
        }
    }
}

/// The line on which a key of a TOML file stands.
fn line(text: &str, keys: &[&str]) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut table: &DeTable<'_> = root.get_ref();
    let mut at = None;
    for (index, key) in keys.iter().enumerate() {
        let (name, value): (&Spanned<_>, &Spanned<DeValue<'_>>) =
            table.iter().find(|(name, _)| name.get_ref().as_ref() == *key)?;
        at = Some(name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ if index + 1 < keys.len() => return None,
            _ => {}
        }
    }
    Some(text.get(..at?)?.matches('\n').count() + 1)
}
