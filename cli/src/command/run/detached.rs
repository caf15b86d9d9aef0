//! `run -d`: a second start of this program keeps the container, and this one prints its ID.

use super::{Args, Pull, process_failed, read_signal};
use crate::command::images;
use crate::exit::Exit;
use crate::terminal::outln;
use crate::{Global, place};
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use plimsoll_runtime::containers::{Containers, Folder, Keeper, Record, now};
use plimsoll_runtime::exec::{Container, Process, signal_named};
use plimsoll_runtime::image::Image;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Tells the second start which folder is its container's.
const FOLDER: &str = "PLIMSOLL_CONTAINER_FOLDER";

/// The folder, where this is the second start.
pub fn folder() -> Option<Folder> {
    std::env::var_os(FOLDER).map(Folder::at)
}

/// Starts the keeper, waits until the container runs, and prints its ID.
pub fn start(global: &Global, args: &Args) -> Result<Exit> {
    let store = place::store(global)?;
    let containers = Containers::of(&store).into_diagnostic()?;
    if let Some(name) = &args.name
        && let Some(taken) = containers.find(name).into_diagnostic()?.filter(|found| found.record.name == *name)
    {
        return Err(miette!(
            help = format!("`plimsoll rm -f {name}` takes that one away"),
            "failed to run: the name {name} is taken by the container {}",
            short(&taken.record.id)
        ));
    }
    // Here, where its progress is seen.
    match args.pull {
        Pull::Never => drop(images::find_for(&store, args.words().0, args.platform.as_deref())?),
        Pull::Missing => drop(images::find_or_pull(global, &store, args.words().0, args.platform.as_deref())?),
        Pull::Always => drop(images::fetch(global, &store, args.words().0, args.platform.as_deref())?),
    }
    let (folder, id) = containers.create().into_diagnostic().wrap_err("failed to make the container's folder")?;
    let log = File::create(folder.log()).into_diagnostic()?;
    let mut keeper = Command::new(std::env::current_exe().into_diagnostic()?);
    keeper.args(std::env::args_os().skip(1)).env(FOLDER, folder.path()).process_group(0);
    keeper.stdin(Stdio::null()).stdout(log.try_clone().into_diagnostic()?).stderr(log);
    let mut keeper = keeper.spawn().into_diagnostic().wrap_err("failed to start the container's keeper")?;
    loop {
        let ended = keeper.try_wait().into_diagnostic()?;
        // Where nothing is to be left of it, even the folder may be gone by now.
        if folder.record().is_some() || (ended.is_some() && !folder.path().exists()) {
            outln!("{id}");
            return Ok(Exit::Clean);
        }
        if let Some(status) = ended {
            eprint!("{}", std::fs::read_to_string(folder.log()).unwrap_or_default());
            folder.remove().into_diagnostic()?;
            return Ok(Exit::Process(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(125)));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The signal that asks a container to stop: of the command line, of the image, or SIGTERM.
pub fn stop_signal(args: &Args, image: &Image) -> Result<i32> {
    let own = image.config.config.stop_signal.as_deref().filter(|name| !name.is_empty());
    match (args.stop_signal.as_deref(), own) {
        (Some(asked), _) => read_signal(asked),
        (None, Some(own)) => signal_named(own).ok_or_else(|| {
            miette!(
                help = "--stop-signal names another",
                "failed to run {}: its STOPSIGNAL {own} is no signal",
                args.words().0
            )
        }),
        (None, None) => Ok(signal_hook::consts::SIGTERM),
    }
}

/// The keeper's part: answers what others ask until the container ends.
pub fn keep(
    args: &Args,
    process: &Process,
    mut container: Container,
    mut keeper: Keeper,
    stop_signal: i32,
) -> Result<Exit> {
    if let Some(master) = container.take_terminal() {
        // What its terminal shows is its log. Held open: nobody is to be told that the keys are at an end.
        std::thread::spawn(move || std::io::copy(&mut File::from(master), &mut std::io::stdout()));
    }
    let id = keeper.folder().path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let record = Record {
        name: args.name.clone().unwrap_or_else(|| named_after(args.words().0, &id)),
        id,
        image: args.words().0.to_owned(),
        command: process.args.clone(),
        started: now(),
        ports: args.publish.clone(),
        stop_signal,
        stop_seconds: args.stop_timeout,
        remove: args.rm,
    };
    keeper.serve(&container, process, &record).into_diagnostic().wrap_err("failed to keep the container")?;
    let outcome = container.wait().map_err(|error| process_failed(&error))?;
    drop(container);
    keeper.ended(&outcome).into_diagnostic()?;
    Ok(Exit::Process(u8::try_from(outcome.status.code()).unwrap_or(255)))
}

/// `ghcr.io/owner/app:1` is called `app-1a2b3c`.
fn named_after(image: &str, id: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let name = last.split([':', '@']).next().unwrap_or(last);
    format!("{name}-{}", id.get(..6).unwrap_or_default())
}

/// An ID as lists show it.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
