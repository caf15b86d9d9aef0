//! Templates as docker's `--format` has them: `{{.Id}}`, `{{json .Config}}`, `{{index .RepoTags 0}}`.
//!
//! Of Go's templates this is what people write on a command line: paths, `json`, `index`, `len`, `join`, `upper`, `lower` and
//! `println`. What is more than that is refused by name.

use clap::ValueEnum;
use serde_json::Value;

/// Whether `--format` has a template.
pub fn is_template(format: &str) -> bool {
    format.contains("{{")
}

/// `--format`: one of a command's own, or a template.
#[derive(Clone, Debug)]
pub enum Written<F> {
    /// One of the command's own.
    Report(F),
    /// A template.
    Template(String),
}

impl<F: ValueEnum> Written<F> {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if is_template(text) {
            return Ok(Self::Template(text.to_owned()));
        }
        F::from_str(text, true).map(Self::Report).map_err(|_| {
            let names = F::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
            format!("possible values: {}, or a template such as '{{{{.ID}}}}'", names.join(", "))
        })
    }
}

/// Fills a template with a value; the error says which part does not read.
pub fn fill(template: &str, value: &Value) -> Result<String, String> {
    let mut out = String::new();
    // As in the shells of people: a tab and a newline may be written down.
    let template = template.replace("\\t", "\t").replace("\\n", "\n");
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (action, behind) = after.split_once("}}").ok_or_else(|| format!("`{{{{{after}` is never closed"))?;
        out.push_str(&text(&evaluate(action.trim(), value)?));
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// A word of an action.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    Name(String),
    Path(String),
    Literal(Value),
    Pipe,
}

fn words(action: &str) -> Result<Vec<Word>, String> {
    let mut found = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let end = rest.get(1..).and_then(|rest| rest.find('"'));
                let end = end.ok_or_else(|| format!("`{rest}`: the quote is never closed"))?;
                found.push(Word::Literal(rest.get(1..=end).unwrap_or_default().into()));
                end + 2
            }
            '|' => {
                found.push(Word::Pipe);
                1
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || c == '|').unwrap_or(rest.len());
                let word = rest.get(..end).unwrap_or_default();
                found.push(match word.parse::<u64>() {
                    Ok(number) => Word::Literal(number.into()),
                    Err(_) if first == '.' => Word::Path(word.to_owned()),
                    Err(_) => Word::Name(word.to_owned()),
                });
                end
            }
        };
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(found)
}

fn evaluate(action: &str, root: &Value) -> Result<Value, String> {
    // `.Config | json` is `json .Config`.
    let mut piped: Option<Value> = None;
    for part in words(action)?.split(|word| *word == Word::Pipe) {
        let mut words = part.iter().cloned();
        let function = match words.next() {
            Some(Word::Name(name)) => name,
            Some(only) if words.len() == 0 && piped.is_none() => {
                piped = Some(operand(only, root)?);
                continue;
            }
            None => return Err("an action is empty".to_owned()),
            Some(_) => return Err(format!("`{{{{{action}}}}}` is not understood")),
        };
        let mut given = words.map(|word| operand(word, root)).collect::<Result<Vec<_>, _>>()?;
        given.extend(piped.take());
        piped = Some(call(&function, &given)?);
    }
    piped.ok_or_else(|| "an action is empty".to_owned())
}

fn operand(word: Word, root: &Value) -> Result<Value, String> {
    match word {
        Word::Literal(value) => Ok(value),
        Word::Path(path) => field(&path, root),
        Word::Name(name) => Err(format!("`{name}` is not known here")),
        Word::Pipe => Err("`|` stands alone".to_owned()),
    }
}

/// `.A.B`; what an object does not have is an error, as it is with docker.
fn field(path: &str, root: &Value) -> Result<Value, String> {
    let mut here = root;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        here = match here {
            Value::Null => return Ok(Value::Null),
            Value::Object(map) => map.get(name).ok_or_else(|| {
                let known: Vec<&str> = map.keys().map(String::as_str).collect();
                format!("`{path}`: there is no {name}, but {}", known.join(", "))
            })?,
            _ => return Err(format!("`{path}`: {name} is asked of what has no fields")),
        };
    }
    Ok(here.clone())
}

fn call(function: &str, given: &[Value]) -> Result<Value, String> {
    let wrong = || format!("`{function}` is not used like that");
    Ok(match (function, given) {
        ("json", [value]) => serde_json::to_string(value).map_err(|error| error.to_string())?.into(),
        ("len", [Value::Array(list)]) => list.len().into(),
        ("len", [Value::Object(map)]) => map.len().into(),
        ("len", [Value::String(text)]) => text.len().into(),
        ("len", [Value::Null]) => 0.into(),
        ("index", [value, keys @ ..]) if !keys.is_empty() => {
            let mut here = value;
            for key in keys {
                let found = match key {
                    Value::String(name) => here.get(name),
                    Value::Number(at) => {
                        let at = at.as_u64().and_then(|at| usize::try_from(at).ok()).ok_or_else(wrong)?;
                        Some(here.get(at).ok_or_else(|| format!("`index`: there is no {at}"))?)
                    }
                    _ => return Err(wrong()),
                };
                here = found.unwrap_or(&Value::Null);
            }
            here.clone()
        }
        ("join", [Value::Array(list), Value::String(between)]) => {
            list.iter().map(text).collect::<Vec<_>>().join(between).into()
        }
        ("join", [Value::Null, _]) => "".into(),
        ("upper", [Value::String(text)]) => text.to_uppercase().into(),
        ("lower", [Value::String(text)]) => text.to_lowercase().into(),
        ("print", all) => all.iter().map(text).collect::<String>().into(),
        ("println", all) => format!("{}\n", all.iter().map(text).collect::<Vec<_>>().join(" ")).into(),
        ("json" | "len" | "index" | "join" | "upper" | "lower", _) => return Err(wrong()),
        _ => {
            return Err(format!("`{function}` is not known; these are: json, index, len, join, upper, lower, println"));
        }
    })
}

/// A value as Go prints it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(name, value)| format!("{name}:{}", text(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_as_people_write_them() {
        let value = serde_json::json!({
            "Id": "sha256:1", "RepoTags": ["a:1", "b:2"], "Size": 12, "Config": { "Cmd": ["sh", "-c"], "Labels": { "x.y": "z" },
            "User": "", "Entrypoint": null, "ExposedPorts": { "80/tcp": {} } },
        });
        for (template, filled) in [
            ("{{.Id}}", "sha256:1"),
            ("{{ .Size }} bytes", "12 bytes"),
            ("{{json .Config.Cmd}}", r#"["sh","-c"]"#),
            ("{{.RepoTags}}", "[a:1 b:2]"),
            ("{{index .RepoTags 1}}", "b:2"),
            (r#"{{index .Config.Labels "x.y"}}"#, "z"),
            (r#"{{join .RepoTags ", "}}"#, "a:1, b:2"),
            (r#"{{join .RepoTags "|"|upper}}"#, "A:1|B:2"),
            ("{{len .RepoTags}}\\t{{.Config.User}}", "2\t"),
            ("{{.Config.Entrypoint}}", "<no value>"),
            ("{{.Config.ExposedPorts}}", "map[80/tcp:map[]]"),
            ("{{.Config.Cmd | json}}", r#"["sh","-c"]"#),
            ("plain", "plain"),
        ] {
            assert_eq!(fill(template, &value).as_deref(), Ok(filled), "{template}");
        }
        for (template, why) in [
            ("{{.Nothing}}", "RepoTags"),
            ("{{.Id", "never closed"),
            ("{{range .RepoTags}}{{.}}{{end}}", "range"),
            ("{{index .RepoTags 7}}", "7"),
            ("{{}}", "empty"),
            ("{{.Id .Size}}", "not understood"),
            ("{{json \"a}}", "never closed"),
        ] {
            let error = fill(template, &value).expect_err(template);
            assert!(error.contains(why), "{template}: {error}");
        }
    }
}
