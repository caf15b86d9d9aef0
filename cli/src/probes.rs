//! `[[probe]]` as the prober takes it.

use crate::config::{self, Config};
use miette::{Report, Result, miette};
use plimsoll_runtime::probe::{Probe, Question};

/// A question, how reports call it, and what of its answer is left out.
#[derive(Debug, Clone)]
pub struct Asked {
    /// How reports call it.
    pub name: String,
    /// Whom, and what.
    pub question: Question,
    /// Patterns of the answer that may differ.
    pub ignore: Vec<String>,
}

impl From<Probe> for Asked {
    fn from(probe: Probe) -> Self {
        let question = Question::from(probe);
        Self { name: question.title(), question, ignore: Vec::new() }
    }
}

/// Every question of the configuration, in order.
pub fn read_all(config: &Config) -> Result<Vec<Asked>> {
    let mut all = Vec::new();
    for (index, probe) in config.probe.iter().enumerate() {
        let wrong = |what: &str| wrong(index, what);
        let question = Question { service: service_of(config, probe, &wrong)?, probe: read(config, probe, &wrong)? };
        let name = probe.name.clone().unwrap_or_else(|| question.title());
        let beside = |when: &str, args: &[String], expect_code: Option<i32>| Asked {
            name: format!("{name}: {when}"),
            question: Question {
                service: question.service.clone(),
                probe: Probe::Exec { args: args.to_vec(), expect_code },
            },
            ignore: probe.ignore.clone(),
        };
        all.extend(probe.before.as_ref().map(|args| beside("before", args, Some(0))));
        let after = probe.after.as_ref().map(|args| beside("after", args, None));
        all.push(Asked { name, question, ignore: probe.ignore.clone() });
        all.extend(after);
    }
    Ok(all)
}

fn wrong(index: usize, what: &str) -> Report {
    let number = index + 1;
    miette!(help = "docs/configuration.md shows each kind", "failed to read [[probe]] number {number}: {what}")
}

fn service_of(config: &Config, probe: &config::Probe, wrong: &dyn Fn(&str) -> Report) -> Result<Option<String>> {
    let Some(name) = &probe.service else { return Ok(None) };
    if !config.service.iter().any(|service| service.name == *name) {
        let known: Vec<&str> = config.service.iter().map(|service| service.name.as_str()).collect();
        let known = if known.is_empty() {
            "there is no [[service]]".to_owned()
        } else {
            format!("there are {}", known.join(", "))
        };
        return Err(wrong(&format!("no service is called `{name}`; {known}")));
    }
    if probe.stdout == Some(true) {
        return Err(wrong("the output of a service is not asked for; stdout is about the program itself"));
    }
    Ok(Some(name.clone()))
}

fn read(config: &Config, probe: &config::Probe, wrong: &dyn Fn(&str) -> Report) -> Result<Probe> {
    let kinds = [
        probe.http.is_some(),
        probe.tcp.is_some(),
        probe.exec.is_some(),
        probe.stdout == Some(true),
        probe.restart == Some(true),
    ];
    if kinds.iter().filter(|kind| **kind).count() != 1 {
        return Err(wrong("exactly one of http, tcp, exec, stdout and restart must be there"));
    }
    if probe.restart == Some(true) {
        return Ok(Probe::Restart);
    }
    if let Some(port) = probe.tcp {
        return Ok(Probe::Tcp { port });
    }
    if let Some(args) = &probe.exec {
        return Ok(Probe::Exec { args: args.clone(), expect_code: probe.status.map(i32::from) });
    }
    let Some(http) = &probe.http else { return Ok(Probe::Output) };
    let (method, path) = method_and_path(http).ok_or_else(|| wrong(HTTP))?;
    // Of a service its port is known where it was named for waiting.
    let waited = probe.service.as_ref().and_then(|name| config.service.iter().find(|service| service.name == *name));
    Ok(Probe::Http {
        method,
        port: probe.port.or(waited.and_then(|service| service.port)).unwrap_or_default(),
        path,
        headers: probe.headers.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        body: probe.body.clone(),
        expect_status: probe.status,
        expect_body: None,
    })
}

/// What is wrong with text that [`method_and_path`] does not take.
pub const HTTP: &str = "http is a method and a path, such as \"GET /health\"";

/// `GET /health`; GET may be left out.
pub fn method_and_path(text: &str) -> Option<(String, String)> {
    let (method, path) = text.split_once(' ').unwrap_or(("GET", text));
    let right = path.trim_start().starts_with('/') && method.bytes().all(|b| b.is_ascii_uppercase());
    right.then(|| (method.to_owned(), path.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Asked>, String> {
        read_all(&toml::from_str(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn probes_before_and_after_stand_beside_theirs() {
        let text = "[[service]]\nname = \"db\"\nimage = \"x\"\nport = 70\n[[probe]]\nservice = \"db\"\nhttp = \"GET /\"\n\
                    before = [\"reset\"]\nafter = [\"dump\"]\n[[probe]]\nservice = \"db\"\nrestart = true\n";
        let asked = read(text).unwrap();
        let names: Vec<&str> = asked.iter().map(|asked| asked.name.as_str()).collect();
        assert_eq!(names, ["db: GET :70/: before", "db: GET :70/", "db: GET :70/: after", "db: restart"]);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(read("[[probe]]\nhttp = \"GET /\"\ntcp = 3\n").unwrap_err().contains("number 1: exactly one of"));
        assert!(read("[[probe]]\ntcp = 3\nservice = \"db\"\n").unwrap_err().contains("there is no [[service]]"));
        assert!(read("[[probe]]\nhttp = \"get it\"\n").unwrap_err().contains("such as \"GET /health\""));
    }
}
