//! The part of an image's configuration that makes it the same program.

use std::collections::BTreeMap;

use super::{Allowed, Difference, DifferenceKind};
pub use crate::image::ContainerConfig as RuntimeConfig;
use crate::image::Healthcheck;

/// Fields that differ: first those beyond what is allowed, then those that were, both sorted.
pub fn compare_configs(
    before: &RuntimeConfig,
    after: &RuntimeConfig,
    allowed: &Allowed,
) -> (Vec<Difference>, Vec<Difference>) {
    let (before, after) = (fields(before), fields(after));
    let mut found = Vec::new();
    let mut subjects: Vec<&String> = before.keys().chain(after.keys()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    for subject in subjects {
        let (left, right) = (before.get(subject), after.get(subject));
        if left == right {
            continue;
        }
        let kind = match (left, right) {
            (None, Some(_)) => DifferenceKind::Added,
            (Some(_), None) => DifferenceKind::Removed,
            _ => DifferenceKind::Value,
        };
        let (before, after) = (left.cloned(), right.cloned());
        found.push(Difference { subject: subject.clone(), kind, before, after, bytes: 0 });
    }
    found.into_iter().partition(|difference| !may_differ(&difference.subject, &allowed.config))
}

/// `Labels` allows every label, `Labels.a` that one.
fn may_differ(subject: &str, allowed: &[String]) -> bool {
    allowed
        .iter()
        .any(|name| subject.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Every field that is set, by name, as text; what means the same to a runtime is written the same.
fn fields(config: &RuntimeConfig) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for pair in &config.env {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.insert(format!("Env.{name}"), value.to_owned());
    }
    // An empty list and none at all start the same process.
    for (name, list) in [("Entrypoint", &config.entrypoint), ("Cmd", &config.cmd)] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            fields.insert(name.to_owned(), format!("{list:?}"));
        }
    }
    let mut set = |name: String, value: &str, usual: &str| {
        if !value.is_empty() && value != usual {
            fields.insert(name, value.to_owned());
        }
    };
    set("User".to_owned(), &config.user, "");
    set("WorkingDir".to_owned(), &config.working_dir, "/");
    set("StopSignal".to_owned(), config.stop_signal.as_deref().unwrap_or_default(), "SIGTERM");
    for port in &config.exposed_ports {
        let port = if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
        fields.insert(format!("ExposedPorts.{port}"), "exposed".to_owned());
    }
    for path in &config.volumes {
        fields.insert(format!("Volumes.{path}"), "volume".to_owned());
    }
    for (name, value) in &config.labels {
        fields.insert(format!("Labels.{name}"), value.clone());
    }
    if let Some(check) = config.healthcheck.as_ref().filter(|check| !check.test.is_empty()) {
        fields.insert("Healthcheck".to_owned(), health_text(check));
    }
    fields
}

fn health_text(check: &Healthcheck) -> String {
    let mut text = format!("{:?}", check.test);
    let times = [
        ("interval", check.interval),
        ("timeout", check.timeout),
        ("start-period", check.start_period),
        ("start-interval", check.start_interval),
    ];
    for (name, nanoseconds) in times.into_iter().filter(|(_, time)| *time != 0) {
        text.push_str(&format!(" {name}={}s", nanoseconds as f64 / 1e9));
    }
    if check.retries != 0 {
        text.push_str(&format!(" retries={}", check.retries));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> RuntimeConfig {
        serde_json::from_str(json).unwrap()
    }

    fn subjects(differences: &[Difference]) -> Vec<&str> {
        differences.iter().map(|difference| difference.subject.as_str()).collect()
    }

    #[test]
    fn every_field_is_seen() {
        let before = config(
            r#"{"Env":["PATH=/bin","A=1"],"Cmd":["a"],"User":"app","WorkingDir":"/app","ExposedPorts":{"80/tcp":{}},
                "Volumes":{"/data":{}},"Labels":{"v":"1","w":"1"},"StopSignal":"SIGINT",
                "Healthcheck":{"Test":["CMD","x"],"Interval":1000000000}}"#,
        );
        let after = config(r#"{"Env":["PATH=/bin","A=2","B="],"Entrypoint":["a"],"Labels":{"v":"2","w":"1"}}"#);
        let (beyond, declared) = compare_configs(&before, &after, &Allowed::default());
        assert_eq!(
            subjects(&beyond),
            [
                "Cmd",
                "Entrypoint",
                "Env.A",
                "Env.B",
                "ExposedPorts.80/tcp",
                "Healthcheck",
                "Labels.v",
                "StopSignal",
                "User",
                "Volumes./data",
                "WorkingDir"
            ]
        );
        assert_eq!(beyond[5].before.as_deref(), Some("[\"CMD\", \"x\"] interval=1s"));
        assert!(declared.is_empty());
        let allowed =
            Allowed { config: vec!["Labels".to_owned(), "Env.A".to_owned()], paths: vec![], ..Allowed::default() };
        let (beyond, declared) = compare_configs(&before, &after, &allowed);
        assert_eq!(subjects(&declared), ["Env.A", "Labels.v"]);
        assert_eq!(beyond.len(), 9);
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let before = config(r#"{"Env":["A=1","B=2"],"Cmd":[],"WorkingDir":"/","StopSignal":"SIGTERM","Labels":null}"#);
        let after = config(r#"{"Env":["B=2","A=1"],"Cmd":null,"WorkingDir":""}"#);
        assert_eq!(compare_configs(&before, &after, &Allowed::default()), (vec![], vec![]));
    }
}
