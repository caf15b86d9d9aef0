//! `plimsoll rules` and `plimsoll explain`

use super::images::Format;
use crate::Global;
use crate::exit::Exit;
use crate::terminal::Paint;
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_rules::metas;
use serde_json::json;

/// List every rule with its aliases, severity and whether it is fixed
#[derive(clap::Args, Debug)]
pub struct RulesArgs {
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Print the manual page of a rule
#[derive(clap::Args, Debug)]
pub struct ExplainArgs {
    /// Its id or an alias: apt-lists-kept, DL3009
    rule: String,
}

/// `plimsoll rules`
pub fn rules(global: &Global, args: RulesArgs) -> Result<Exit> {
    if args.format == Format::Json {
        let list: Vec<_> = metas()
            .map(|meta| {
                json!({
                    "id": meta.id, "aliases": meta.aliases, "group": meta.group.as_str(), "severity": meta.severity.as_str(),
                    "fixable": meta.fixable.as_str(), "since": meta.since, "summary": meta.summary(), "may_change": meta.may_change,
                })
            })
            .collect();
        crate::terminal::outln!("{}", serde_json::to_string_pretty(&list).into_diagnostic()?);
        return Ok(Exit::Clean);
    }
    let paint = Paint(global.color.stdout());
    let width = metas().map(|meta| meta.id.len()).max().unwrap_or(4);
    let names = |aliases: &[&str]| aliases.join(" ");
    let aliases = metas().map(|meta| names(meta.aliases).len()).max().unwrap_or(7).max(7);
    let heading =
        format!("{:width$}  {:aliases$}  {:8}  {:9}  {:15}  about", "rule", "aliases", "severity", "fixed", "group");
    crate::terminal::outln!("{}", paint.bold(heading));
    for meta in metas() {
        crate::terminal::outln!(
            "{:width$}  {:aliases$}  {:8}  {:9}  {:15}  {}",
            meta.id,
            names(meta.aliases),
            meta.severity.as_str(),
            meta.fixable.as_str(),
            meta.group.as_str(),
            meta.summary()
        );
    }
    Ok(Exit::Clean)
}

/// `plimsoll explain`
pub fn explain(_global: &Global, args: ExplainArgs) -> Result<Exit> {
    let rules: Vec<_> = metas().filter(|meta| meta.is_named(&args.rule)).collect();
    if rules.is_empty() {
        return Err(miette!(help = "`plimsoll rules` lists them all", "failed to find the rule `{}`", args.rule));
    }
    for meta in rules {
        crate::terminal::out!("{}", plimsoll_rules::manual::page(meta));
    }
    Ok(Exit::Clean)
}
