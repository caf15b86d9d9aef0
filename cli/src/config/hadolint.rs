//! `.hadolint.yaml`, read where no `plimsoll.toml` is, as the `plimsoll.toml` that says the same.

use miette::{Result, miette};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use std::path::Path;
use toml::{Table, Value};

/// Its names on disk.
pub const NAMES: [&str; 2] = [".hadolint.yaml", ".hadolint.yml"];

/// Whether a file that was named is one of these.
pub fn is_named(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// What it says, as tables of `plimsoll.toml`. How hadolint prints is left out; so is what it does not know either.
pub fn tables(path: &Path, text: &str) -> Result<Table> {
    let wrong = |what: String| {
        miette!(
            help = "`plimsoll config convert` turns one that hadolint takes into a plimsoll.toml",
            "failed to read {}: {what}",
            path.display()
        )
    };
    let documents = Yaml::load_from_str(text).map_err(|error| wrong(error.to_string()))?;
    let mut lint = Table::new();
    // hadolint fails from `info` on where nothing else is said.
    let mut fail_on = "info".to_owned();
    match documents.first() {
        None | Some(Yaml::Value(Scalar::Null)) => {}
        Some(Yaml::Mapping(entries)) => {
            for (key, value) in entries {
                let key = key.as_str().unwrap_or_default();
                match key {
                    "ignored" => put(&mut lint, "ignore", strings(key, value).map_err(wrong)?),
                    "trustedRegistries" => put(&mut lint, "trusted-registries", strings(key, value).map_err(wrong)?),
                    "override" => {
                        let rules = severities(value).map_err(wrong)?;
                        put(&mut lint, "rules", Value::Table(rules));
                    }
                    "label-schema" => {
                        let mut schema = Table::new();
                        for (label, form) in pairs(key, value).map_err(wrong)? {
                            schema.insert(label, Value::String(string(key, form).map_err(wrong)?));
                        }
                        put(&mut lint, "label-schema", Value::Table(schema));
                    }
                    "strict-labels" => {
                        put(&mut lint, "strict-labels", Value::Boolean(flag(key, value).map_err(wrong)?));
                    }
                    "disable-ignore-pragma" => {
                        put(&mut lint, "inline-ignore", Value::Boolean(!flag(key, value).map_err(wrong)?));
                    }
                    "failure-threshold" if fail_on != "none" => {
                        let name = string(key, value).map_err(wrong)?;
                        fail_on = match name.as_str() {
                            "error" | "warning" | "info" | "style" => name,
                            "ignore" | "none" => "none".to_owned(),
                            _ => return Err(wrong(format!("`{name}` is no failure-threshold"))),
                        };
                    }
                    "no-fail" if flag(key, value).map_err(wrong)? => fail_on = "none".to_owned(),
                    _ => {}
                }
            }
        }
        Some(_) => return Err(wrong("it is no table of settings".to_owned())),
    }
    put(&mut lint, "fail-on", Value::String(fail_on));
    Ok(Table::from_iter([("lint".to_owned(), Value::Table(lint))]))
}

fn put(table: &mut Table, key: &str, value: Value) {
    table.insert(key.to_owned(), value);
}

/// `override: { warning: [DL3008] }` as severities of rules.
fn severities(value: &Yaml<'_>) -> Result<Table, String> {
    let mut rules = Table::new();
    for (severity, codes) in pairs("override", value)? {
        if !matches!(severity.as_str(), "error" | "warning" | "info" | "style") {
            return Err(format!("override.{severity}: use error, warning, info or style"));
        }
        let Value::Array(codes) = strings(&format!("override.{severity}"), codes)? else { continue };
        for code in codes {
            let Value::String(code) = code else { continue };
            let said = Table::from_iter([("severity".to_owned(), Value::String(severity.clone()))]);
            rules.insert(code, Value::Table(said));
        }
    }
    Ok(rules)
}

fn pairs<'y>(key: &str, value: &'y Yaml<'y>) -> Result<Vec<(String, &'y Yaml<'y>)>, String> {
    match value {
        Yaml::Value(Scalar::Null) => Ok(Vec::new()),
        Yaml::Mapping(entries) => entries.iter().map(|(name, value)| Ok((string(key, name)?, value))).collect(),
        _ => Err(format!("{key}: a table of names and values should stand here")),
    }
}

/// A list of strings; one string is a list of one.
fn strings(key: &str, value: &Yaml<'_>) -> Result<Value, String> {
    let list = match value {
        Yaml::Value(Scalar::Null) => Vec::new(),
        Yaml::Sequence(items) => items.iter().map(|item| string(key, item)).collect::<Result<_, _>>()?,
        one => vec![string(key, one)?],
    };
    Ok(Value::Array(list.into_iter().map(Value::String).collect()))
}

fn string(key: &str, value: &Yaml<'_>) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{key}: text should stand here"))
}

fn flag(key: &str, value: &Yaml<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{key}: true or false should stand here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Table, String> {
        tables(Path::new("h.yaml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_that_decides_on_findings_is_read() {
        let text = "ignored:\n  - DL3008\noverride:\n  error: [DL3009, SC2086]\n  style:\n    - DL3015\ntrustedRegistries: [docker.io, '*.gcr.io']\nlabel-schema:\n  author: text\nstrict-labels: true\nfailure-threshold: warning\ndisable-ignore-pragma: true\nformat: tty\n";
        let written = toml::to_string(&read(text).unwrap()).unwrap();
        let config: crate::config::Config = toml::from_str(&written).unwrap();
        assert_eq!(config.lint.ignore, ["DL3008"]);
        assert_eq!(config.lint.rules["SC2086"]["severity"].as_str(), Some("error"));
        assert_eq!(config.lint.rules["DL3015"]["severity"].as_str(), Some("style"));
        assert_eq!(config.lint.trusted_registries, ["docker.io", "*.gcr.io"]);
        assert_eq!(config.lint.label_schema["author"], "text");
        assert!(config.lint.strict_labels && config.lint.inline_ignore == Some(false));
        assert_eq!(config.lint.fail_on.as_deref(), Some("warning"));
    }

    #[test]
    fn nothing_is_something_and_mistakes_are_told() {
        assert_eq!(read("").unwrap()["lint"]["fail-on"].as_str(), Some("info"));
        assert_eq!(
            read("no-fail: true\nfailure-threshold: error\n").unwrap()["lint"]["fail-on"].as_str(),
            Some("none")
        );
        assert!(read("- a\n").unwrap_err().contains("h.yaml"));
        assert!(read("strict-labels: maybe\n").unwrap_err().contains("strict-labels"));
        assert!(read("ignored: [\n").is_err());
    }
}
