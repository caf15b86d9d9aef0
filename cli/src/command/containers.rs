//! Containers that `run -d` started: `ps`, `logs`, `exec`, `stop`, `kill`, `wait`, and `rm`.

use crate::command::images::Format;
use crate::command::run::short;
use crate::exit::Exit;
use crate::report::template::{self, Written};
use crate::terminal::{Paint, outln, write_bytes};
use crate::{Global, place};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::containers::{Answer, Container, Containers, Inside, Request, State, ask, now};
use plimsoll_runtime::exec;
use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// List containers
#[derive(clap::Args, Debug)]
pub struct PsArgs {
    /// Those that have ended, too
    #[arg(short, long)]
    all: bool,
    /// How it is written: text, json, or a template such as '{{.Names}}'
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = Written::<Format>::parse)]
    format: Written<Format>,
    /// Do not shorten IDs and commands
    #[arg(long)]
    no_trunc: bool,
}

/// Show what a container wrote
#[derive(clap::Args, Debug)]
pub struct LogsArgs {
    /// Go on as it writes more, until it ends
    #[arg(short, long)]
    follow: bool,
    /// Only so many lines from the end
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<String>,
    /// Name, or how the ID begins
    container: String,
}

/// Run a further program in a container
#[derive(clap::Args, Debug)]
pub struct ExecArgs {
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    tty: bool,
    /// Set a variable; NAME alone takes it from the environment
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// User or ID, with a group after a colon
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Name, or how the ID begins
    container: String,
    /// Program and arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Ask containers to stop
#[derive(clap::Args, Debug)]
pub struct StopArgs {
    /// Seconds until one that has not is killed [default: those of `run --stop-timeout`, or 10]
    #[arg(short, long, alias = "timeout", value_name = "SECONDS")]
    time: Option<u64>,
    /// Names, or how IDs begin
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Send containers a signal
#[derive(clap::Args, Debug)]
pub struct KillArgs {
    /// Which
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: String,
    /// Names, or how IDs begin
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Remove containers
#[derive(clap::Args, Debug)]
pub struct RmArgs {
    /// Kill those that run
    #[arg(short, long)]
    force: bool,
    /// Accepted for docker's sake: there are no volumes
    #[arg(short, long, hide = true)]
    volumes: bool,
    /// Names, or how IDs begin
    #[arg(required = true, value_name = "CONTAINER")]
    names: Vec<String>,
}

/// Wait until containers end, and print their exit codes
#[derive(clap::Args, Debug)]
pub struct WaitArgs {
    /// Names, or how IDs begin
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

fn all(global: &Global) -> Result<Containers> {
    Containers::of(&place::store(global)?).into_diagnostic()
}

fn find(containers: &Containers, name: &str) -> Result<Container> {
    containers.find(name).into_diagnostic()?.ok_or_else(|| {
        miette!(
            help = "`plimsoll ps -a` lists those that `run -d` started; those of a plain `run` go with it",
            "failed to find the container {name}"
        )
    })
}

/// The code of one whose keeper was killed, and it with that.
const KILLED: i32 = 137;

fn lasted(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// `plimsoll ps`
pub fn ps(global: &Global, args: &PsArgs) -> Result<Exit> {
    let mut listed = Vec::new();
    for Container { folder, record } in all(global)?.list().into_diagnostic()? {
        let state = folder.state();
        if state != State::Running && !args.all {
            continue;
        }
        let since = |time: u64| lasted(now().saturating_sub(time));
        let status = match state {
            State::Running => format!("Up {}", since(record.started)),
            State::Ended(Some(ended)) => format!("Exited ({}) {} ago", ended.code, since(ended.at)),
            State::Ended(None) => format!("Exited ({KILLED})"),
        };
        let mut command = record.command.join(" ");
        if !args.no_trunc && command.chars().count() > 20 {
            command = command.chars().take(19).chain(['…']).collect();
        }
        listed.push(serde_json::json!({
            "ID": if args.no_trunc { record.id.as_str() } else { short(&record.id) },
            "Image": record.image,
            "Command": format!("\"{command}\""),
            "RunningFor": format!("{} ago", since(record.started)),
            "State": if state == State::Running { "running" } else { "exited" },
            "Status": status,
            "Ports": record.ports.join(", "),
            "Names": record.name,
        }));
    }
    let text = |row: &serde_json::Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    match &args.format {
        Written::Template(pattern) => {
            for row in &listed {
                let filled = template::fill(pattern, row).map_err(|why| {
                    miette!(help = "without --format a table is printed", "failed to read --format: {why}")
                })?;
                outln!("{filled}");
            }
        }
        Written::Report(Format::Json) => outln!("{}", serde_json::to_string_pretty(&listed).into_diagnostic()?),
        Written::Report(Format::Text) if global.quiet => {
            for row in &listed {
                outln!("{}", text(row, "ID"));
            }
        }
        Written::Report(Format::Text) => {
            const FIELDS: [(&str, &str); 6] = [
                ("CONTAINER ID", "ID"),
                ("IMAGE", "Image"),
                ("COMMAND", "Command"),
                ("STATUS", "Status"),
                ("PORTS", "Ports"),
                ("NAMES", "Names"),
            ];
            let widths = FIELDS.map(|(heading, field)| {
                let longest = listed.iter().map(|row| text(row, field).chars().count()).max();
                longest.unwrap_or(0).max(heading.len())
            });
            let line = |cells: [String; 6]| {
                let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
                cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
            };
            outln!("{}", Paint(global.color.stdout()).bold(line(FIELDS.map(|(heading, _)| heading.to_owned()))));
            for row in &listed {
                outln!("{}", line(FIELDS.map(|(_, field)| text(row, field))));
            }
        }
    }
    Ok(Exit::Clean)
}

/// `plimsoll logs`
pub fn logs(global: &Global, args: &LogsArgs) -> Result<Exit> {
    let container = find(&all(global)?, &args.container)?;
    let path = container.folder.log();
    let mut log = File::open(&path).map_err(|error| crate::files::unreadable(&path, &error))?;
    if let Some(lines) = args.tail.as_deref().filter(|lines| *lines != "all") {
        let lines = lines.parse().map_err(|_| miette!(help = "a number, or all", "failed to read --tail {lines}"))?;
        let at = before_last_lines(&mut log, lines).into_diagnostic()?;
        log.seek(SeekFrom::Start(at)).into_diagnostic()?;
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        // Asked first: what was written before the end is then read in any case.
        let ended = !container.folder.is_running();
        loop {
            let read = log.read(&mut buffer).into_diagnostic()?;
            if read == 0 {
                break;
            }
            write_bytes(buffer.get(..read).unwrap_or_default());
        }
        if ended || !args.follow {
            return Ok(Exit::Clean);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Where the last so many lines begin.
fn before_last_lines(log: &mut File, lines: usize) -> std::io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = log.seek(SeekFrom::End(0))?;
    let (whole, mut seen) = (end, 0);
    if lines == 0 {
        return Ok(whole);
    }
    while end > 0 {
        let start = end.saturating_sub(STEP);
        log.seek(SeekFrom::Start(start))?;
        let mut part = Vec::new();
        Read::by_ref(log).take(end - start).read_to_end(&mut part)?;
        for (at, _) in part.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = start + at as u64 + 1;
            // The newline that ends the last line begins none.
            seen += usize::from(after < whole);
            if seen == lines {
                return Ok(after);
            }
        }
        end = start;
    }
    Ok(0)
}

/// `plimsoll exec`
pub fn exec(global: &Global, args: ExecArgs) -> Result<Exit> {
    let container = find(&all(global)?, &args.container)?;
    if container.folder.state() != State::Running {
        return Err(miette!(
            help = "what has ended is not started again: `plimsoll run -d` starts another",
            "failed to run in {}: it has ended",
            args.container
        ));
    }
    let variable = |pair: &String| match pair.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => std::env::var(pair).ok().map(|value| (pair.clone(), value)),
    };
    let request = Request::Run(Inside {
        args: args.command,
        env: args.env.iter().filter_map(variable).collect(),
        cwd: args.workdir,
        user: args.user,
        terminal: args.tty,
    });
    let answer = if args.tty {
        if args.interactive && !std::io::stdin().is_terminal() {
            return Err(miette!(help = "leave -t out", "failed to run: standard input is no terminal"));
        }
        let (terminal, theirs) = exec::open_terminal().map_err(|error| miette!("{error}"))?;
        let folder = container.folder.clone();
        let asked = std::thread::spawn(move || {
            let answer = ask(&folder, &request, &[theirs.as_fd(); 3]);
            drop(theirs);
            answer
        });
        terminal.attach().map_err(|error| miette!("{error}"))?;
        asked.join().map_err(|_| miette!("failed to run: the terminal was lost"))?
    } else {
        let null = || File::open("/dev/null").map(OwnedFd::from);
        let stdin = match args.interactive {
            true => std::io::stdin().as_fd().try_clone_to_owned(),
            false => null(),
        };
        let stdin = stdin.into_diagnostic()?;
        let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
        ask(&container.folder, &request, &[stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])
    };
    match answer.map_err(|error| gone(&args.container, &error))? {
        Answer::Done(code) => Ok(Exit::Process(u8::try_from(code).unwrap_or(255))),
        Answer::Failed(why, code) => {
            eprintln!("{why}");
            Ok(Exit::Process(u8::try_from(code).unwrap_or(125)))
        }
    }
}

fn gone(name: &str, error: &std::io::Error) -> miette::Report {
    miette!(help = "`plimsoll ps -a` says whether it still runs", "failed to reach the container {name}: {error}")
}

/// Does something with each; those that fail are told, and the rest goes on.
fn each(names: &[String], act: impl Fn(&str) -> Result<()>) -> Exit {
    let mut exit = Exit::Clean;
    for name in names {
        if let Err(error) = act(name) {
            eprintln!("{error:?}");
            exit = Exit::Failed;
        }
    }
    exit
}

fn tell(container: &Container, name: &str, request: &Request) -> Result<()> {
    match ask(&container.folder, request, &[]) {
        Ok(Answer::Done(_)) => Ok(()),
        Ok(Answer::Failed(why, _)) => Err(miette!("failed to signal {name}: {why}")),
        // It ended while it was asked.
        Err(_) if !container.folder.is_running() => Ok(()),
        Err(error) => Err(gone(name, &error)),
    }
}

/// `plimsoll stop`
pub fn stop(global: &Global, args: &StopArgs) -> Result<Exit> {
    let containers = all(global)?;
    Ok(each(&args.containers, |name| {
        let container = find(&containers, name)?;
        if container.folder.state() == State::Running {
            tell(
                &container,
                name,
                &Request::Stop { seconds: args.time.or(container.record.stop_seconds).unwrap_or(10) },
            )?;
            container.folder.wait().into_diagnostic()?;
        }
        outln!("{name}");
        Ok(())
    }))
}

/// `plimsoll kill`
pub fn kill(global: &Global, args: &KillArgs) -> Result<Exit> {
    let signal = exec::signal_named(&args.signal)
        .ok_or_else(|| miette!(help = "write it as SIGINT or 2", "failed to read --signal {}", args.signal))?;
    let containers = all(global)?;
    Ok(each(&args.containers, |name| {
        let container = find(&containers, name)?;
        if container.folder.state() != State::Running {
            return Err(miette!("failed to signal {name}: it has ended"));
        }
        tell(&container, name, &Request::Signal(signal))?;
        outln!("{name}");
        Ok(())
    }))
}

/// `plimsoll wait`
pub fn wait(global: &Global, args: &WaitArgs) -> Result<Exit> {
    let containers = all(global)?;
    Ok(each(&args.containers, |name| {
        let ended = find(&containers, name)?.folder.wait().into_diagnostic()?;
        outln!("{}", ended.map_or(KILLED, |ended| ended.code));
        Ok(())
    }))
}

/// `plimsoll rm`
pub fn rm(global: &Global, args: &RmArgs) -> Result<Exit> {
    let containers = all(global)?;
    Ok(each(&args.names, |name| {
        let container = find(&containers, name)?;
        if container.folder.state() == State::Running {
            if !args.force {
                return Err(miette!(
                    help = format!("`plimsoll stop {name}` first, or --force"),
                    "failed to remove {name}: it is running"
                ));
            }
            tell(&container, name, &Request::Signal(signal_hook::consts::SIGKILL))?;
            container.folder.wait().into_diagnostic()?;
        }
        container.folder.remove().into_diagnostic()?;
        outln!("{name}");
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let tail = |text: &str, lines| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let at = usize::try_from(before_last_lines(&mut file, lines).unwrap()).unwrap();
            text[at..].to_owned()
        };
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a\nb\nc", 1), "c");
        assert_eq!(tail("a\n", 5), "a\n");
        assert_eq!([tail("a\nb\n", 0), tail("a", 0)], ["", ""]);
        assert_eq!(tail("", 3), "");
        let long = "x".repeat(100_000) + "\n" + &"y".repeat(100_000) + "\nz\n";
        assert_eq!(tail(&long, 2), "y".repeat(100_000) + "\nz\n");
    }

    #[test]
    fn times_as_people_say_them() {
        assert_eq!([1, 59, 60, 7200, 200_000].map(lasted), ["1 second", "59 seconds", "1 minute", "2 hours", "2 days"]);
    }
}
