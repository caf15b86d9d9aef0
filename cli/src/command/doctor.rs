//! `plimsoll doctor`: what this machine lets containers do, and what to do about the rest.

use crate::exit::Exit;
use crate::terminal::{Paint, outln};
use crate::{Global, place};
use miette::Result;
use plimsoll_runtime::exec::{self, Network, Process, SetupStep};
use plimsoll_runtime::layer::{Entry, Kind};
use plimsoll_runtime::snapshot::{CommitOptions, SnapshotError, Snapshots};
use plimsoll_runtime::store::Store;
use plimsoll_runtime::userns;
use std::path::Path;

/// Check what this machine can do
///
/// Exit code 1 when builds or containers would not work here.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

const ID_MAP: &str = "ID map";

/// What is true and what cannot be where there is one ID, and how to have more.
fn explain_one_id() -> Vec<String> {
    let mut lines = vec![
        "calls about owners are answered by a supervisor, and layers have the right owners; what needs a".to_owned(),
        "second real ID is not true: a program that gives up root can still read and write what is root's,".to_owned(),
        "and /proc shows every process as root's".to_owned(),
    ];
    if let Some((why, help)) = userns::why_one_id() {
        lines.push(format!("why: {why}"));
        lines.extend(help.as_ref().map(|help| format!("better: {help}")));
    }
    lines
}

/// What was found, or why not and what to do about it.
type Found = std::result::Result<String, (String, Option<String>)>;

struct Check {
    name: &'static str,
    result: Found,
    needed: bool,
}

struct Tried {
    mounted: Found,
    started: Found,
    network: Found,
}

fn not_tried() -> (String, Option<String>) {
    ("not tried: see above".to_owned(), None)
}

/// A root filesystem on top of a layer, and a container in it up to where its program would start, which is not there.
fn try_container(store: &Store) -> Tried {
    let mut mounted = "a root filesystem was mounted and taken away".to_owned();
    let prepared = Snapshots::new(store).and_then(|snapshots| {
        if snapshots.are_in_memory() {
            mounted.push_str(
                ", in memory: overlayfs cannot write to the filesystem of the store; --store on a disk is kept",
            );
        }
        let below = snapshots.commit_tar(&[], &CommitOptions::default(), |layer| {
            let entry =
                Entry { path: b"plimsoll", kind: Kind::Dir, mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs: &[] };
            layer.entry(&entry).map_err(SnapshotError::from)
        })?;
        snapshots.prepare(&[below])
    });
    let active = match prepared {
        Ok(active) => active,
        Err(error) => {
            let mounted = Err((error.to_string(), error.help()));
            return Tried { mounted, started: Err(not_tried()), network: Err(not_tried()) };
        }
    };
    let start = |network: Network| -> Found {
        match exec::run(&Process { network, ..Process::new(active.root(), ["/nothing"]) }) {
            Ok(outcome) => Err((format!("a program that is not there ended with {}", outcome.status.code()), None)),
            Err(error) if error.step == SetupStep::Exec => Ok("one was set up and taken away".to_owned()),
            Err(error) => Err((error.to_string(), error.help().map(str::to_owned))),
        }
    };
    let started = start(Network::Host);
    let network = if started.is_ok() { start(Network::None) } else { Err(not_tried()) };
    Tried { mounted: Ok(mounted), started, network }
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<Exit> {
    let mut checks = Vec::new();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    checks.push(Check { name: "kernel", result: kernel(release.trim()), needed: true });
    checks.push(Check { name: "newuidmap", result: tool("newuidmap"), needed: false });
    checks.push(Check { name: "newgidmap", result: tool("newgidmap"), needed: false });
    let entered = userns::enter(place::wanted_map()?);
    let usable = entered.is_ok();
    checks.push(Check {
        name: ID_MAP,
        result: entered.map(|map| map.to_string()).map_err(|error| (error.to_string(), error.help())),
        needed: true,
    });
    let store = place::store(global);
    let tried = match &store {
        Ok(store) if usable => try_container(store),
        _ => Tried { mounted: Err(not_tried()), started: Err(not_tried()), network: Err(not_tried()) },
    };
    checks.push(Check {
        name: "store",
        result: store
            .as_ref()
            .map(|store| store.root().display().to_string())
            .map_err(|error| (error.to_string(), None)),
        needed: true,
    });
    checks.push(Check { name: "overlayfs", result: tried.mounted, needed: true });
    checks.push(Check { name: "containers", result: tried.started, needed: true });
    checks.push(Check { name: "networks", result: tried.network, needed: false });
    checks.push(Check { name: "cgroups", result: cgroups(), needed: false });
    let one_id = matches!(userns::current(), Some(userns::IdMap::Single { .. }));
    let notes = if one_id { explain_one_id() } else { Vec::new() };
    let fine = checks.iter().all(|check| check.result.is_ok() || !check.needed);
    match args.format {
        Format::Text => text(&checks, &notes, Paint(global.color.stdout())),
        Format::Json => json(&checks, &notes, fine),
    }
    Ok(if fine { Exit::Clean } else { Exit::Findings })
}

fn text(checks: &[Check], notes: &[String], paint: Paint) {
    for check in checks {
        match &check.result {
            Ok(text) => {
                outln!("{} {:10}  {text}", paint.green("ok     "), check.name);
                for line in notes.iter().filter(|_| check.name == ID_MAP) {
                    outln!("{:20}{line}", "");
                }
            }
            Err((why, help)) => {
                let word = if check.needed { paint.red("FAILED ") } else { paint.yellow("missing") };
                outln!("{word} {:10}  {why}", check.name);
                if let Some(help) = help {
                    outln!("{:20}{help}", "");
                }
            }
        }
    }
}

fn json(checks: &[Check], notes: &[String], fine: bool) {
    let checks = checks.iter().map(|check| {
        let (state, text, help) = match &check.result {
            Ok(text) => ("ok", text, None),
            Err((why, help)) => (if check.needed { "failed" } else { "missing" }, why, help.as_ref()),
        };
        let notes = if check.name == ID_MAP { notes } else { &[] };
        serde_json::json!({
            "name": check.name, "state": state, "needed": check.needed, "text": text, "help": help, "notes": notes,
        })
    });
    let checks: Vec<serde_json::Value> = checks.collect();
    let report = serde_json::json!({ "version": 1, "fine": fine, "checks": checks });
    outln!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
}

fn kernel(release: &str) -> std::result::Result<String, (String, Option<String>)> {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (5, 11) {
        return Ok(release.to_owned());
    }
    Err((release.to_owned(), Some("ordinary users need 5.11 or newer for overlay mounts".to_owned())))
}

fn tool(name: &str) -> std::result::Result<String, (String, Option<String>)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.map(|path| path.display().to_string()).ok_or_else(|| {
        let help = "only ordinary users need it (Debian: apt-get install uidmap)".to_owned();
        ("not installed".to_owned(), Some(help))
    })
}

fn cgroups() -> std::result::Result<String, (String, Option<String>)> {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return Ok("version 2".to_owned());
    }
    if Path::new("/sys/fs/cgroup/memory").exists() {
        return Ok("version 1".to_owned());
    }
    Err((
        "not mounted".to_owned(),
        Some("limits of memory, CPUs and processes cannot be set; nothing else needs them".to_owned()),
    ))
}
