//! `--check` and `--call`: what a build would need or do wrong, without building.

use crate::Global;
use crate::exit::Exit;
use crate::terminal::outln;
use clap::FromArgMatches;
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_analyzer::stages::{Platform, Stages};
use plimsoll_parser::syntax::{Dockerfile, Kind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is asked instead of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Findings under the names that docker's own checks have.
    Check,
    /// Arguments, secrets and agents.
    Outline,
    /// The stages.
    Targets,
}

/// `--call=WHAT[,format=json]`; nothing for a build.
pub fn parse(spec: &str) -> Result<(Option<Call>, bool)> {
    let (what, rest) = spec.split_once(',').unwrap_or((spec, ""));
    let wrong = || {
        miette!(
            help = "write check, outline, targets or build, and format=json after a comma",
            "failed to read --call {spec}"
        )
    };
    let call = match what {
        "build" => None,
        "check" | "lint" => Some(Call::Check),
        "outline" => Some(Call::Outline),
        "targets" => Some(Call::Targets),
        _ => return Err(wrong()),
    };
    match rest {
        "" | "format=text" => Ok((call, false)),
        "format=json" => Ok((call, true)),
        _ => Err(wrong()),
    }
}

/// Answers it.
pub fn answer(
    global: &Global,
    call: Call,
    json: bool,
    dockerfile: &Path,
    target: Option<&str>,
    args: &BTreeMap<String, String>,
) -> Result<Exit> {
    if call == Call::Check {
        return check(global, dockerfile, json);
    }
    let text = String::from_utf8_lossy(&crate::files::read(dockerfile)?).into_owned();
    let file = plimsoll_parser::parse(&text);
    let host = plimsoll_runtime::image::Platform::host();
    let platform = Platform { os: host.os, architecture: host.architecture, variant: host.variant.unwrap_or_default() };
    let stages = Stages::resolve(&file, args, &platform);
    let report = match call {
        Call::Targets => targets(&stages),
        _ => outline(&file, &stages, target, args).ok_or_else(|| {
            miette!("failed to find the stage `{}` in {}", target.unwrap_or("of the file"), dockerfile.display())
        })?,
    };
    if json {
        outln!("{}", serde_json::to_string_pretty(&report).into_diagnostic()?);
    } else {
        print(call, &report);
    }
    Ok(Exit::Clean)
}

/// Every rule that docker's own check has under a name of its own.
fn check(global: &Global, dockerfile: &Path, json: bool) -> Result<Exit> {
    let is_name = |alias: &&&str| {
        alias.starts_with(|c: char| c.is_ascii_uppercase()) && !alias.ends_with(|c: char| c.is_ascii_digit())
    };
    let names: BTreeSet<&str> =
        plimsoll_rules::ALL.iter().flat_map(|rule| rule.meta().aliases.iter().filter(is_name).copied()).collect();
    let select = names.into_iter().collect::<Vec<_>>().join(",");
    let mut words = vec!["lint".to_owned(), "--fail-on".to_owned(), "style".to_owned(), "--select".to_owned(), select];
    if json {
        words.extend(["--format".to_owned(), "json".to_owned()]);
    }
    words.extend(["--".to_owned(), dockerfile.display().to_string()]);
    let command = <crate::command::lint::Args as clap::Args>::augment_args(clap::Command::new("lint"));
    let args = crate::command::lint::Args::from_arg_matches(&command.try_get_matches_from(words).into_diagnostic()?)
        .into_diagnostic()?;
    // What lint says when it found nothing is said below in docker's words.
    let quiet = Global { quiet: true, ..global.clone() };
    let exit = crate::command::lint::run(&quiet, args)?;
    if exit == Exit::Clean && !json {
        outln!("Check complete, no warnings found.");
    }
    Ok(exit)
}

fn targets(stages: &Stages) -> Value {
    let last = stages.stages.len().saturating_sub(1);
    let list = stages
        .stages
        .iter()
        .map(|stage| json!({ "name": stage.name, "base": stage.base_name, "default": stage.index == last }));
    json!({ "targets": list.collect::<Vec<_>>() })
}

fn outline(
    file: &Dockerfile<'_>,
    stages: &Stages,
    target: Option<&str>,
    given: &BTreeMap<String, String>,
) -> Option<Value> {
    let index = stages.target(target)?;
    let needed: BTreeSet<usize> = stages.needed(index).into_iter().collect();
    let mut args: BTreeMap<String, Option<String>> = BTreeMap::new();
    let (mut secrets, mut agents): (BTreeMap<String, bool>, BTreeMap<String, bool>) = Default::default();
    for arg in &stages.global_args {
        args.insert(arg.name.clone(), arg.value.clone());
    }
    let stage_instructions = needed.iter().filter_map(|index| stages.stages.get(*index));
    for instruction in
        stage_instructions.flat_map(|stage| file.instructions.get(stage.instructions.clone()).unwrap_or_default())
    {
        match &instruction.kind {
            Kind::Arg(declared) => {
                for arg in declared {
                    let default = arg.default.as_ref().map(|text| text.to_string());
                    let value = given.get(arg.name.as_str()).cloned().or(default);
                    let slot = args.entry(arg.name.to_string()).or_default();
                    *slot = value.or_else(|| slot.take());
                }
            }
            Kind::Run(run) => {
                for mount in run.mounts() {
                    let option = |name: &str| mount.get(&[name]).map(|value| value.to_string());
                    let required = mount.is_set(&["required"]);
                    let id = option("id").or_else(|| {
                        mount
                            .get(&["target", "dst", "destination"])
                            .map(|path| path.as_str().to_owned())
                            .and_then(|path| Some(path.rsplit('/').next()?.to_owned()))
                    });
                    match option("type").as_deref() {
                        Some("secret") => *secrets.entry(id.unwrap_or_default()).or_default() |= required,
                        Some("ssh") => {
                            *agents.entry(id.unwrap_or_else(|| "default".to_owned())).or_default() |= required;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let required = |(id, required): (&String, &bool)| json!({ "name": id, "required": required });
    Some(json!({
        "name": stages.stages.get(index).and_then(|stage| stage.name.clone()),
        "args": args.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>(),
        "secrets": secrets.iter().map(required).collect::<Vec<_>>(),
        "ssh": agents.iter().map(required).collect::<Vec<_>>(),
    }))
}

fn print(call: Call, report: &Value) {
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if call == Call::Targets {
        outln!("TARGET");
        for stage in list("targets") {
            let name = if stage["name"].is_null() { "default".to_owned() } else { text(&stage["name"]) };
            outln!("{name}{}", if stage["default"] == true { " (default)" } else { "" });
        }
        return;
    }
    outln!("TARGET: {}", if report["name"].is_null() { "default".to_owned() } else { text(&report["name"]) });
    let args = list("args");
    if !args.is_empty() {
        let width = args.iter().map(|arg| text(&arg["name"]).len()).max().unwrap_or(0).max("BUILD ARG".len());
        outln!("\n{:width$}  VALUE", "BUILD ARG");
        for arg in &args {
            outln!("{}", format!("{:width$}  {}", text(&arg["name"]), text(&arg["value"])).trim_end());
        }
    }
    for (name, heading) in [("secrets", "SECRET"), ("ssh", "SSH")] {
        let found = list(name);
        if !found.is_empty() {
            outln!("\n{heading}  REQUIRED");
            for one in &found {
                outln!("{}  {}", text(&one["name"]), one["required"]);
            }
        }
    }
}
